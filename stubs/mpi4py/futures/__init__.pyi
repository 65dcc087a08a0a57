from fmi_core.mpi4py.futures import *
