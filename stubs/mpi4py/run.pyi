from fmi_core.mpi4py.run import *
