from fmi_core.mpi4py.util.pkl5 import *
