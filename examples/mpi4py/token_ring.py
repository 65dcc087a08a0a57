"""A token goes once around; every rank adds its number."""

from mpi4py import MPI


def main() -> None:
    """Pass the token."""
    comm = MPI.COMM_WORLD
    rank, size = comm.Get_rank(), comm.Get_size()
    if size == 1:
        print("token is back with 0")
        return
    if rank == 0:
        comm.send(0, dest=1, tag=7)
        token = comm.recv(source=size - 1, tag=7)
        print(f"token is back with {token}")
    else:
        token = comm.recv(source=rank - 1, tag=7)
        comm.send(token + rank, dest=(rank + 1) % size, tag=7)


if __name__ == "__main__":
    main()
