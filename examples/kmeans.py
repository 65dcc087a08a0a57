"""Distributed k-means on handwritten digits, checked against a serial run.

``fmi run -n 4 examples/kmeans.py`` (or ``python examples/kmeans.py`` for one rank)

Rank 0 reads the images and deals them out. In each iteration every rank assigns its own images to their
nearest centroid and adds them up; one Allreduce of the sums and counts gives all ranks the same new
centroids (Lloyd's algorithm: S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28(2),
1982). In the end rank 0 runs the same thing alone and compares: the program fails if the two differ.
"""

import gzip
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import fmi_core as fmi

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

DATA = Path(__file__).parent / "data" / "digits.csv.gz"
CLUSTERS = 10
SEED = 5
MAX_ITERATIONS = 100
TOLERANCE = 1e-9  # centroids have settled when none moves further than this


@dataclass
class Sums:
    """What one iteration adds up over all images: one array, so that one Allreduce carries all of it."""

    buffer: Floats  # CLUSTERS × (pixels + 2): the sum of the images, their number, their squared distance

    @property
    def inertia(self) -> float:
        """The squared distance of all images to their centroids."""
        return float(self.buffer[:, -1].sum())

    def centroids(self, old: Floats) -> Floats:
        """The means; a cluster without images keeps its old centroid."""
        counts = self.buffer[:, -2:-1]
        means: Floats = self.buffer[:, :-2] / np.maximum(counts, 1)
        return np.where(counts > 0, means, old)


def load() -> tuple[Floats, Labels]:
    """The images, one a row (1797 × 64), and the digits that they show."""
    with gzip.open(DATA, "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",")
    return table[:, :64].copy(), table[:, 64].astype(np.int64)


def squared_distances(images: Floats, centroids: Floats) -> Floats:
    """‖image − centroid‖² for every pair (images × centroids)."""
    squares: Floats = np.square(images[:, np.newaxis, :] - centroids[np.newaxis, :, :])
    total: Floats = squares.sum(axis=2)
    return total


def first_centroids(images: Floats) -> Floats:
    """Starting points far from each other: k-means++ (Arthur and Vassilvitskii, SODA 2007), seeded."""
    generator = np.random.default_rng(SEED)
    chosen = [int(generator.integers(len(images)))]
    while len(chosen) < CLUSTERS:
        nearest = squared_distances(images, images[chosen]).min(axis=1)
        chosen.append(int(generator.choice(len(images), p=nearest / nearest.sum())))
    return images[chosen]


def assign(images: Floats, centroids: Floats) -> tuple[Labels, Sums]:
    """Each image's nearest centroid, and what these images add to the sums."""
    distances = squared_distances(images, centroids)
    labels = distances.argmin(axis=1)
    sums = Sums(np.zeros((CLUSTERS, images.shape[1] + 2)))
    np.add.at(sums.buffer[:, :-2], labels, images)
    np.add.at(sums.buffer[:, -2], labels, 1.0)
    np.add.at(sums.buffer[:, -1], labels, distances.min(axis=1))
    return labels, sums


def report(iteration: int, inertia: float, moved: float, spent_s: float) -> None:
    """One line of progress."""
    print(
        f"iteration {iteration:2}: inertia {inertia:10.1f}, moved {moved:7.4f}, {spent_s * 1e3:6.1f} ms",
        flush=True,
    )


def kmeans(comm: fmi.Communicator | None, images: Floats, centroids: Floats) -> tuple[Floats, Labels, float]:
    """Lloyd's iterations over this rank's ``images``; without a communicator, they are all there are.

    Returns:
        The centroids, this rank's labels, and the inertia over all ranks.
    """
    for iteration in range(1, MAX_ITERATIONS + 1):
        start = time.perf_counter()
        labels, sums = assign(images, centroids)
        if comm is not None:
            comm.Allreduce(fmi.IN_PLACE, sums.buffer, op=fmi.SUM)
        new = sums.centroids(centroids)
        moved = float(np.abs(new - centroids).max())
        centroids = new
        if comm is not None and comm.rank == 0:
            report(iteration, sums.inertia, moved, time.perf_counter() - start)
        if moved <= TOLERANCE:  # on all ranks alike, since all have the same centroids
            break
    return centroids, labels, sums.inertia


def purity(labels: Labels, digits: Labels) -> float:
    """The share of images whose cluster is mostly of their own digit."""
    counts = np.zeros((CLUSTERS, 10), dtype=np.int64)
    np.add.at(counts, (labels, digits), 1)
    return float(counts.max(axis=1).sum() / len(labels))


def differences(ours: tuple[Floats, Labels, float], serial: tuple[Floats, Labels, float]) -> list[str]:
    """In what the distributed result differs from the serial one; empty: in nothing."""
    found = []
    if not np.allclose(ours[0], serial[0], rtol=0, atol=1e-9):
        found.append(f"centroids, by up to {np.abs(ours[0] - serial[0]).max():g}")
    if not np.array_equal(ours[1], serial[1]):
        found.append(f"the labels of {np.count_nonzero(ours[1] != serial[1])} images")
    if not np.isclose(ours[2], serial[2], rtol=1e-12):
        found.append(f"inertia: {ours[2]!r} against {serial[2]!r}")
    return found


def main() -> None:
    """Runs on every rank; rank 0 reads, checks and reports.

    Raises:
        SystemExit: the distributed result is not the serial one.
    """
    with fmi.init() as comm:
        # Only rank 0 has the data. The parts differ in length by at most one, whatever the number of ranks.
        images, digits = load() if comm.rank == 0 else (np.empty((0, 64)), np.empty(0, dtype=np.int64))
        if comm.rank == 0:
            print(f"{len(images)} images of {images.shape[1]} pixels on {comm.size} ranks", flush=True)
        mine = comm.scatter(np.array_split(images, comm.size) if comm.rank == 0 else None, root=0)
        centroids = first_centroids(images) if comm.rank == 0 else np.empty((CLUSTERS, 64))
        comm.Bcast(centroids, root=0)

        final, my_labels, inertia = kmeans(comm, mine, centroids)
        parts = comm.gather(my_labels, root=0)

        if parts is not None:  # on rank 0
            labels = np.concatenate(parts)
            wrong = differences((final, labels, inertia), kmeans(None, images, centroids))
            if wrong:
                raise SystemExit(f"the distributed result differs from the serial one in {'; '.join(wrong)}")
            print("centroids, labels and inertia are those of a serial run")
            print(f"{purity(labels, digits):.1%} of the images are in a cluster of their own digit")
            print(f"\nwhat rank 0 communicated:\n{comm.ledger.table()}")


if __name__ == "__main__":
    main()
