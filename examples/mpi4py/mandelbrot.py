"""The Mandelbrot set, row by row: the master hands out rows, whoever is done gets the next one."""

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

WIDTH, HEIGHT, ITERATIONS = 120, 60, 80
WORK, STOP = 1, 2


def compute_row(row: int) -> npt.NDArray[np.int32]:
    """How many iterations each point of a row takes to escape."""
    c = np.linspace(-2.0, 0.5, WIDTH) + 1j * (-1.25 + 2.5 * row / (HEIGHT - 1))
    z = np.zeros_like(c)
    counts = np.zeros(WIDTH, np.int32)
    for _ in range(ITERATIONS):
        inside = abs(z) <= 2
        z[inside] = z[inside] ** 2 + c[inside]
        counts += inside
    return counts


def master(comm: MPI.Intracomm) -> npt.NDArray[np.int32]:
    """Hand out rows; returns the image."""
    image = np.empty((HEIGHT, WIDTH), np.int32)
    buffer = np.empty(WIDTH, np.int32)
    status = MPI.Status()
    next_row = 0
    for worker in range(1, comm.size):
        comm.send(next_row, dest=worker, tag=WORK)
        next_row += 1
    for _ in range(HEIGHT):
        row = comm.recv(source=MPI.ANY_SOURCE, tag=MPI.ANY_TAG, status=status)
        worker = status.Get_source()
        comm.Recv([buffer, MPI.INT], source=worker, tag=status.Get_tag())
        image[row] = buffer
        if next_row < HEIGHT:
            comm.send(next_row, dest=worker, tag=WORK)
        else:
            comm.send(None, dest=worker, tag=STOP)
        next_row += 1
    return image


def work(comm: MPI.Intracomm) -> None:
    """Compute rows until told to stop."""
    status = MPI.Status()
    while True:
        row = comm.recv(source=0, tag=MPI.ANY_TAG, status=status)
        if status.tag == STOP:
            return
        comm.send(row, dest=0, tag=row)
        comm.Send([compute_row(row), MPI.INT], dest=0, tag=row)


def main() -> None:
    """Compute the image and compare it with one that was computed alone."""
    comm = MPI.COMM_WORLD
    if comm.size == 1:
        image = np.array([compute_row(row) for row in range(HEIGHT)])
    elif comm.rank == 0:
        image = master(comm)
    else:
        work(comm)
        return
    expected = np.array([compute_row(row) for row in range(HEIGHT)])
    print(f"{(image == ITERATIONS).sum()} points in the set, image correct: {bool((image == expected).all())}")


if __name__ == "__main__":
    main()
