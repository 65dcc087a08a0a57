"""The smallest program: ``fmi run -n 4 examples/hello.py`` (or ``python examples/hello.py`` for one rank)."""

import numpy as np

import fmi_core as fmi

with fmi.init() as comm:  # rank, size and broker come from the environment; alone: size 1
    x = np.full(1_000_000, comm.rank, dtype="f8")
    comm.Allreduce(fmi.IN_PLACE, x, op=fmi.SUM)  # buffers: upper case, no copy
    best = comm.allreduce(float(x[0]), op=fmi.MAX)  # any Python object: lower case
    print(f"rank {comm.rank} of {comm.size}: every element is {x[0]:g}, the largest first element is {best:g}")
    if comm.size > 1:
        if comm.rank == 0:
            comm.send({"any": "object"}, dest=1, tag=7)
        elif comm.rank == 1:
            print("rank 1 received", comm.recv(source=0, tag=7))
