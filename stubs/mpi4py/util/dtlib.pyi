from fmi_core.mpi4py.util.dtlib import *
