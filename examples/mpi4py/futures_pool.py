"""A pool of all ranks but the first. Start it with: fmi run --mpi4py -n 4 -m mpi4py.futures futures_pool.py."""

from mpi4py.futures import MPIPoolExecutor, wait


def square(x: int) -> int:
    """The square of x."""
    return x * x


def main() -> None:
    """Some squares, and an error that comes back."""
    with MPIPoolExecutor() as executor:
        print(f"squares: {list(executor.map(square, range(10), chunksize=3))}")
        unordered = executor.map(square, range(5), unordered=True)
        print(f"sum, in any order: {sum(unordered)}")
        done, not_done = wait([executor.submit(square, 7), executor.submit(divmod, 1, 0)])
        errors = [future.exception() for future in done if future.exception() is not None]
        print(f"{len(done)} done, {len(not_done)} not; error: {errors[0]}")


if __name__ == "__main__":
    main()
