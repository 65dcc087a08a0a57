"""``mpi4py.util``: ``pkl5`` and ``dtlib``."""
