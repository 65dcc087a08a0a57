"""Parallel sample sort: splitters by samples, then every element goes to its rank by Alltoallv."""

import itertools

import numpy as np
from mpi4py import MPI


def main() -> None:
    """Sort, and check."""
    comm = MPI.COMM_WORLD
    size, rank = comm.Get_size(), comm.Get_rank()
    data = np.random.default_rng(rank).integers(0, 1_000_000, 5000 + 100 * rank)
    data.sort()
    samples = np.empty(size * size, data.dtype)
    comm.Allgather(data[:: len(data) // size][:size].copy(), samples)
    samples.sort()
    splitters = samples[size // 2 :: size][1:] if size > 1 else samples[:0]
    cuts = np.concatenate([[0], np.searchsorted(data, splitters), [len(data)]])
    sendcounts = np.diff(cuts).astype("i")
    recvcounts = np.empty(size, "i")
    comm.Alltoall(sendcounts, recvcounts)
    mine = np.empty(recvcounts.sum(), data.dtype)
    senddispls = np.concatenate([[0], np.cumsum(sendcounts)[:-1]])
    recvdispls = np.concatenate([[0], np.cumsum(recvcounts)[:-1]])
    comm.Alltoallv(
        [data, sendcounts, senddispls, MPI.INT64_T],
        [mine, (recvcounts, recvdispls), MPI.INT64_T],
    )
    mine.sort()
    total = comm.allreduce(len(mine))
    ends = comm.gather((int(mine[0]), int(mine[-1])) if len(mine) else None, root=0)
    if rank == 0:
        assert ends is not None
        present = [pair for pair in ends if pair is not None]
        ordered = all(a[1] <= b[0] for a, b in itertools.pairwise(present))
        print(f"sorted {total} numbers, in order: {ordered}")


if __name__ == "__main__":
    main()
