"""Primes by a pool of workers: the ranks that share a communicator do what one of them asks for."""

from mpi4py import MPI
from mpi4py.futures import MPICommExecutor, as_completed


def count_primes(first: int, last: int) -> int:
    """How many primes there are from first to last, last excluded."""
    return sum(n > 1 and all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(first, last))


def main() -> None:
    """Count the primes below 20000 in pieces of 1000."""
    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        if executor is not None:
            firsts = range(0, 20000, 1000)
            counts = list(executor.map(count_primes, firsts, [first + 1000 for first in firsts]))
            print(f"{sum(counts)} primes below 20000, the last 1000 numbers have {counts[-1]}")
            futures = [executor.submit(pow, 2, exponent) for exponent in range(10)]
            print(f"powers: {sorted(future.result() for future in as_completed(futures))}")


if __name__ == "__main__":
    main()
