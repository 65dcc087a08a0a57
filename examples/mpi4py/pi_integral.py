"""π as the integral of 4/(1+x²) from 0 to 1: each rank takes every size-th strip."""

import math

from mpi4py import MPI


def main() -> None:
    """Compute, add up, compare."""
    comm = MPI.COMM_WORLD
    strips = comm.bcast(100_000 if comm.rank == 0 else None, root=0)
    width = 1.0 / strips
    part = sum(4.0 / (1.0 + ((i + 0.5) * width) ** 2) for i in range(comm.rank, strips, comm.size)) * width
    pi = comm.reduce(part, op=MPI.SUM, root=0)
    if comm.rank == 0:
        print(f"pi is approximately {pi:.10f}, error is {abs(pi - math.pi):.1e}")


if __name__ == "__main__":
    main()
