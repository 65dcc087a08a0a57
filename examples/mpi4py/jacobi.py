"""Heat in a plate by Jacobi's method: ranks in a grid, each with a block and a halo around it."""

import numpy as np
from mpi4py import MPI

N, STEPS = 48, 200


def serial() -> float:
    """The sum over the plate after all steps, on one rank."""
    u = np.zeros((N + 2, N + 2))
    u[0, :] = 100.0
    for _ in range(STEPS):
        u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
    return float(u[1:-1, 1:-1].sum())


def main() -> None:
    """Compute in parallel, and compare."""
    comm = MPI.COMM_WORLD
    dims = MPI.Compute_dims(comm.size, 2)
    cart = comm.Create_cart(dims, periods=[False, False], reorder=False)
    (row, column), (rows, columns) = cart.coords, dims
    height = N * (row + 1) // rows - N * row // rows
    width = N * (column + 1) // columns - N * column // columns
    up, down = cart.Shift(0, 1)
    left, right = cart.Shift(1, 1)
    u = np.zeros((height + 2, width + 2))
    if up == MPI.PROC_NULL:
        u[0, :] = 100.0
    side = MPI.DOUBLE.Create_vector(height, 1, width + 2).Commit()
    change = np.zeros(1)
    for _ in range(STEPS):
        cart.Sendrecv(u[1], dest=up, recvbuf=u[-1], source=down)
        cart.Sendrecv(u[-2], dest=down, recvbuf=u[0], source=up)
        flat = u.reshape(-1)
        cart.Sendrecv([flat[width + 3 :], 1, side], dest=left, recvbuf=[flat[2 * width + 3 :], 1, side], source=right)
        cart.Sendrecv([flat[2 * width + 2 :], 1, side], dest=right, recvbuf=[flat[width + 2 :], 1, side], source=left)
        if up == MPI.PROC_NULL:
            u[0, :] = 100.0
        new = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        cart.Allreduce(np.array([abs(new - u[1:-1, 1:-1]).max()]), change, op=MPI.MAX)
        u[1:-1, 1:-1] = new
    side.Free()
    total = cart.reduce(float(u[1:-1, 1:-1].sum()), op=MPI.SUM, root=0)
    if cart.rank == 0:
        print(f"largest change {change[0]:.6f}, total heat {total:.6f}, correct: {abs(total - serial()) < 1e-6}")


if __name__ == "__main__":
    main()
