"""π by throwing darts: each rank throws its own, one reduction adds up the hits.

``fmi run -n 4 examples/pi.py``
"""

import math

import numpy as np

import fmi_core as fmi

DARTS_PER_RANK = 2_000_000


def hits(rank: int, darts: int) -> int:
    """How many of ``darts`` random points of the unit square lie within the quarter circle."""
    # Every rank draws from a stream of its own: the same seed, spawned by rank.
    generator = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(rank,)))
    points = generator.random((darts, 2))
    return int(np.count_nonzero(np.square(points).sum(axis=1) <= 1.0))


def main() -> None:
    """Estimates π on all ranks and shows it on rank 0 with its standard error."""
    with fmi.init() as comm:
        inside = comm.reduce(hits(comm.rank, DARTS_PER_RANK), op=fmi.SUM, root=0)
        if comm.rank == 0:
            darts = DARTS_PER_RANK * comm.size
            share = inside / darts
            error = 4 * math.sqrt(share * (1 - share) / darts)
            print(f"{darts} darts on {comm.size} ranks: π ≈ {4 * share:.5f} ± {error:.5f} ({math.pi:.5f})")


if __name__ == "__main__":
    main()
