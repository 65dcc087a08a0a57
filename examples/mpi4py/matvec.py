"""A matrix times a vector: each rank has some rows, and its part of the vector."""

import numpy as np
import numpy.typing as npt
from mpi4py import MPI


def matvec(comm: MPI.Comm, rows: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """This rank's part of the product."""
    whole = np.zeros(len(x) * comm.Get_size())
    comm.Allgather([x, MPI.DOUBLE], [whole, MPI.DOUBLE])
    return rows @ whole


def main() -> None:
    """The power method: the largest eigenvalue of the tridiagonal matrix (-1, 2, -1)."""
    comm = MPI.COMM_WORLD
    mine = 8
    n = mine * comm.size
    first = mine * comm.rank
    matrix = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    rows = np.ascontiguousarray(matrix[first : first + mine])
    x = np.arange(first, first + mine, dtype="d") + 1
    y = matvec(comm, rows, x)
    total = np.empty(n if comm.rank == 0 else 0)
    comm.Gather(y, total, root=0)
    if comm.rank == 0:
        print(f"product correct: {np.allclose(total, matrix @ (np.arange(n) + 1.0))}, last element {total[-1]:.0f}")


if __name__ == "__main__":
    main()
