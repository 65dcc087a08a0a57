from fmi_core.MPI import *
