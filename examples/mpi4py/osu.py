"""Latency, bandwidth and allreduce between ranks, in the manner of the OSU benchmarks."""

import numpy as np
from mpi4py import MPI

SIZES = [1, 1024, 65536, 1 << 20]
REPEATS, WINDOW = 20, 16


def latency(comm: MPI.Comm, nbytes: int) -> float:
    """Half a round trip between ranks 0 and 1, in microseconds."""
    s_buf, r_buf = np.ones(nbytes, "B"), np.zeros(nbytes, "B")
    comm.Barrier()
    start = MPI.Wtime()
    for _ in range(REPEATS):
        if comm.rank == 0:
            comm.Send([s_buf, nbytes, MPI.BYTE], 1, 1)
            comm.Recv([r_buf, nbytes, MPI.BYTE], 1, 1)
        elif comm.rank == 1:
            comm.Recv([r_buf, nbytes, MPI.BYTE], 0, 1)
            comm.Send([s_buf, nbytes, MPI.BYTE], 0, 1)
    return (MPI.Wtime() - start) * 1e6 / (2 * REPEATS)


def bandwidth(comm: MPI.Comm, nbytes: int) -> float:
    """Many messages at once from rank 0 to rank 1, in MB/s."""
    s_buf, acknowledged = MPI.Alloc_mem(nbytes), np.zeros(4, "B")
    windows = [np.zeros(nbytes, "B") for _ in range(WINDOW)]
    comm.Barrier()
    start = MPI.Wtime()
    if comm.rank == 0:
        MPI.Request.Waitall([comm.Isend([s_buf, nbytes, MPI.BYTE], 1, 100) for _ in range(WINDOW)])
        comm.Recv([acknowledged, 4, MPI.BYTE], 1, 101)
    elif comm.rank == 1:
        MPI.Request.Waitall([comm.Irecv([buffer, nbytes, MPI.BYTE], 0, 100) for buffer in windows])
        comm.Send([acknowledged, 4, MPI.BYTE], 0, 101)
    elapsed = MPI.Wtime() - start
    MPI.Free_mem(s_buf)
    return nbytes * WINDOW / elapsed / 1e6


def allreduce(comm: MPI.Comm, nbytes: int) -> float:
    """The mean time of an allreduce, in microseconds, over all ranks."""
    count = max(1, nbytes // 4)
    s_buf, r_buf = np.ones(count, "f"), np.zeros(count, "f")
    comm.Barrier()
    start = MPI.Wtime()
    for _ in range(REPEATS):
        comm.Allreduce([s_buf, MPI.FLOAT], [r_buf, MPI.FLOAT], MPI.SUM)
    mean = np.array((MPI.Wtime() - start) * 1e6 / REPEATS)
    comm.Reduce(MPI.IN_PLACE if comm.rank == 0 else mean, mean, MPI.SUM, 0)
    assert (r_buf == comm.size).all()
    return float(mean) / comm.size


def main() -> None:
    """A line for each size."""
    comm = MPI.COMM_WORLD
    if comm.size < 2:
        raise SystemExit("this needs at least 2 ranks")
    for nbytes in SIZES:
        results = latency(comm, nbytes), bandwidth(comm, nbytes), allreduce(comm, nbytes)
        if comm.rank == 0:
            print(f"{nbytes:8} bytes: {results[0]:9.2f} us, {results[1]:9.2f} MB/s, allreduce {results[2]:9.2f} us")


if __name__ == "__main__":
    main()
