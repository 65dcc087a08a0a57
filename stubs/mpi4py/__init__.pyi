from fmi_core import MPI as MPI
from fmi_core.mpi4py import *
