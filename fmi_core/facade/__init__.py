"""The parts of :mod:`fmi_core.MPI`, the namespace with the names of ``mpi4py.MPI``."""
