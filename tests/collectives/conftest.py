"""What the tests of all collectives share.

A test that asks for ``algorithm`` runs for every algorithm of the collective after which its file is named;
with ``size`` as well, for every size that the algorithm offers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fmi_core.collectives import Algorithm, Granularity, Proof, catalog, collective, lookup, verify

SIZES = (*range(1, 18), 32, 64)
SEGMENTS = (1, 2, 3, 7)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    algorithms = catalog().get(metafunc.module.__name__.rpartition("test_")[2])
    if algorithms is None or "algorithm" not in metafunc.fixturenames:
        return
    if "size" not in metafunc.fixturenames:
        metafunc.parametrize("algorithm", algorithms, ids=[one.name for one in algorithms])
        return
    cases = [(one, size) for one in algorithms for size in SIZES if one.why_not(size) is None]
    metafunc.parametrize(("algorithm", "size"), cases, ids=[f"{one.name}-{size}" for one, size in cases])


def runs(algorithm: Algorithm, size: int) -> Iterator[tuple[int, int]]:
    """Every (root, number of blocks) to prove."""
    roots = range(size if collective(algorithm.collective).rooted else 1)
    if size > 17:
        roots = sorted({0, size // 2 - 3, size - 1} & set(roots))
    segments = SEGMENTS if algorithm.granularity is Granularity.SEGMENTED else (1,)
    return ((root, algorithm.blocks(size, k)) for root in roots for k in segments)


@pytest.fixture
def prove() -> Callable[[Algorithm, int], None]:
    """Prove an algorithm for a size, with every root and several numbers of segments."""

    def run(algorithm: Algorithm, size: int) -> None:
        for root, blocks in runs(algorithm, size):
            proof = verify(algorithm, size, root, blocks)
            assert proof.puts <= proof.messages

    return run


@pytest.fixture
def links_used() -> Callable[[Algorithm, int, int], list[set[int]]]:
    """Walk all ranks' schedules and give, for each, the ranks that it names."""

    def walk(algorithm: Algorithm, size: int, root: int) -> list[set[int]]:
        used: list[set[int]] = [set() for _ in range(size)]
        for rank in range(size):
            for step in (
                step for round_ in algorithm.schedule(rank, size, root, algorithm.blocks(size)) for step in round_
            ):
                used[rank].update(getattr(step, "peers", ()))
                used[rank].update([step.peer] if hasattr(step, "peer") else [])
        return used

    return walk


@pytest.fixture
def traffic() -> Callable[..., Proof]:
    """``traffic(collective, name, size, root=0, segments=1)``: what a proof saw."""

    def run(collective: str, name: str, size: int, root: int = 0, segments: int = 1) -> Proof:
        algorithm = lookup(collective, name)
        return verify(algorithm, size, root, algorithm.blocks(size, segments))

    return run
