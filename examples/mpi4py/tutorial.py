"""The calls that most programs begin with: objects and arrays, point to point and collective."""

from typing import Any

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
size, rank = comm.Get_size(), comm.Get_rank()


def point_to_point() -> None:
    """A dictionary, an array with its type given, and one whose type is found."""
    if rank == 0:
        comm.send({"a": 7, "b": 3.14}, dest=size - 1, tag=11)
        comm.Send([np.arange(1000, dtype="i"), MPI.INT], dest=size - 1, tag=77)
        request = comm.isend({"later": True}, dest=size - 1, tag=12)
        comm.Send(np.arange(100, dtype=np.float64), dest=size - 1, tag=13)
        request.wait()
    if rank == size - 1:
        data = comm.recv(source=0, tag=11)
        numbers = np.empty(1000, dtype="i")
        comm.Recv([numbers, MPI.INT], source=0, tag=77)
        later = comm.irecv(source=0, tag=12).wait()
        floats = np.empty(100, dtype=np.float64)
        comm.Recv(floats, source=0, tag=13)
        print(f"point to point: {data} {numbers.sum()} {later} {floats.sum():.0f}")


def objects() -> None:
    """Bcast, scatter, gather."""
    data = comm.bcast({"key1": [7, 2.72], "key2": ("abc", "xyz")} if rank == 0 else None, root=0)
    item = comm.scatter([(i + 1) ** 2 for i in range(size)] if rank == 0 else None, root=0)
    assert item == (rank + 1) ** 2
    items = comm.gather((rank + 1) ** 2, root=0)
    if rank == 0:
        print(f"objects: {sorted(data)} {items}")
    else:
        assert items is None


def arrays() -> None:
    """Scatter, Scatterv, Gather, and a reduction of one's own."""
    sendbuf = None
    if rank == 0:
        sendbuf = np.empty([size, 100], dtype="i")
        sendbuf.T[:, :] = range(size)
    recvbuf = np.empty(100, dtype="i")
    comm.Scatter(sendbuf, recvbuf, root=0)
    assert (recvbuf == rank).all()

    counts = [i + 1 for i in range(size)]
    displs = [sum(counts[:i]) for i in range(size)]
    mine = np.empty(counts[rank])
    whole = [np.arange(sum(counts), dtype="d"), counts, displs, MPI.DOUBLE] if rank == 0 else None
    comm.Scatterv(whole, mine, root=0)
    assert mine[0] == displs[rank]
    parts = np.empty(size) if rank == 0 else None
    comm.Gather(mine[-1:], parts, root=0)
    if rank == 0:
        assert parts is not None
        print(f"arrays: {[int(part) for part in parts]}")


def own_operator() -> None:
    """The larger of two in absolute value, for arrays and for objects."""

    def largest(a: Any, b: Any, datatype: MPI.Datatype | None) -> Any:
        if datatype is None:
            return max(a, b, key=abs)
        x, y = np.frombuffer(a, "d"), np.frombuffer(b, "d")
        y[:] = np.where(abs(x) > abs(y), x, y)
        return None

    op = MPI.Op.Create(largest, commute=True)
    result = np.empty(2)
    comm.Allreduce(np.array([-rank, rank / 2]), result, op=op)
    alone = comm.allreduce(-rank, op=op)
    op.Free()
    if rank == 0:
        print(f"own operator: {result.tolist()} {alone}")


def errors() -> None:
    """What MPI refuses is an exception."""
    try:
        comm.send(1, dest=size)
    except MPI.Exception as error:
        if rank == 0:
            print(f"errors: {error.Get_error_class() == MPI.ERR_RANK} {MPI.Get_error_string(MPI.ERR_RANK)}")


point_to_point()
objects()
arrays()
own_operator()
errors()
