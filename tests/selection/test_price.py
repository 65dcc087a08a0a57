"""Times by the model, against formulas from textbooks."""

from __future__ import annotations

import dataclasses
from math import ceil, log2

import pytest

from fmi_core.channels.model import ChannelModel
from fmi_core.collectives import Send, catalog, lookup
from fmi_core.selection.price import block_bytes, seconds

LATENCY, OVERHEAD, BYTE, FOLD = 100e-6, 10e-6, 1e-9, 0.5e-9
MODEL = ChannelModel("test", latency_s=LATENCY, overhead_s=OVERHEAD, byte_s=BYTE, fold_byte_s=FOLD, source="test")
PLENTY = 10**6


def time_s(collective, name, size, nbytes, segments=1, cores=None, budget=PLENTY):
    algorithm = lookup(collective, name)
    return seconds(algorithm, size, algorithm.blocks(size, segments), nbytes, MODEL, cores or size, budget)


def hop(nbytes):
    return LATENCY + 2 * (OVERHEAD + nbytes * BYTE)


@pytest.mark.parametrize("size", [2, 4, 8, 16, 64])
@pytest.mark.parametrize("nbytes", [0, 1000, 10**6])
def test_trees_and_doubling_and_rings(size, nbytes):
    rounds = ceil(log2(size))
    assert time_s("bcast", "binomial", size, nbytes) == pytest.approx(rounds * hop(nbytes))
    assert time_s("allreduce", "recursive_doubling", size, nbytes) == pytest.approx(
        rounds * (hop(nbytes) + nbytes * FOLD)
    )
    part = nbytes / size
    ring = (size - 1) * (hop(part) + part * FOLD) + (size - 1) * hop(part)
    assert time_s("allreduce", "ring", size, nbytes) == pytest.approx(ring)
    assert time_s("allgather", "ring", size, nbytes) == pytest.approx((size - 1) * hop(nbytes))


@pytest.mark.parametrize(("size", "segments"), [(2, 1), (2, 6), (4, 3), (7, 1), (8, 8), (16, 32)])
def test_a_pipeline_is_filled_once(size, segments):
    nbytes = 10**6
    one_way = OVERHEAD + nbytes / segments * BYTE
    stage = (2 if size > 2 else 1) * one_way  # a rank between two others takes a segment and gives it on
    got = time_s("bcast", "chain", size, nbytes, segments)
    assert got == pytest.approx((size - 1) * hop(nbytes / segments) + (segments - 1) * stage)


def test_a_root_sends_one_after_the_other():
    assert time_s("bcast", "flat", 9, 1000) == pytest.approx(
        8 * (OVERHEAD + 1000 * BYTE) + LATENCY + OVERHEAD + 1000 * BYTE
    )


def test_processors_that_ranks_share_bound_the_time():
    work = 2 * 7 * (OVERHEAD + 10**6 * BYTE)
    assert time_s("bcast", "binomial", 8, 10**6, cores=1) == pytest.approx(max(work, 3 * hop(10**6)))
    assert time_s("alltoall", "pairwise", 8, 10**6, cores=1) == pytest.approx(2 * 56 * (OVERHEAD + 10**6 * BYTE))


def test_too_many_messages_are_not_walked():
    assert time_s("alltoall", "pairwise", 64, 10, budget=1000) is None
    assert time_s("alltoall", "pairwise", 64, 10, budget=64 * 63) is not None


def test_one_rank_alone_needs_no_time():
    assert time_s("allreduce", "ring", 1, 100) == 0


def test_block_sizes():
    assert block_bytes(lookup("allreduce", "ring"), 800, 8) == 100
    assert block_bytes(lookup("bcast", "chain"), 800, 4) == 200
    assert block_bytes(lookup("reduce_scatter", "ring"), 800, 8) == 100
    assert block_bytes(lookup("allgather", "ring"), 800, 8) == 800
    assert block_bytes(lookup("bcast", "binomial"), 800, 1) == 800


@pytest.mark.parametrize("size", [2, 4, 8, 16])
@pytest.mark.parametrize("n", [0, 100, 10**6])
def test_algorithms_for_powers_of_two(size, n):
    """Thakur, Rabenseifner, Gropp 2005, with a hop of latency, two overheads and two passes over the bytes."""
    rounds = range(ceil(log2(size)))
    halves = [n / 2 ** (i + 1) for i in rounds]
    doubling = sum(hop(n * 2**i) for i in rounds)
    for name, collective, want in (
        ("binomial", "scatter", doubling),
        ("binomial", "gather", doubling),
        ("recursive_doubling", "allgather", doubling),
        ("rabenseifner", "allreduce", sum(2 * hop(half) + half * FOLD for half in halves)),
        ("bruck", "alltoall", len(rounds) * hop(n * size / 2)),
        ("binomial", "reduce", len(rounds) * (hop(n) + n * FOLD)),
        ("recursive_doubling", "scan", len(rounds) * (hop(n) + n * FOLD)),
    ):
        assert time_s(collective, name, size, n) == pytest.approx(want), (collective, name)


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("n", [0, 100, 10**6])
def test_algorithms_for_any_size(size, n):
    one_way = OVERHEAD + n * BYTE
    assert time_s("barrier", "dissemination", size, 0) == pytest.approx(ceil(log2(size)) * hop(0))
    assert time_s("alltoall", "pairwise", size, n) == pytest.approx((size - 1) * hop(n))
    assert time_s("gather", "flat", size, n) == pytest.approx(LATENCY + size * one_way)
    assert time_s("scan", "chain", size, n) == pytest.approx((size - 1) * (hop(n) + n * FOLD))
    part = n / size
    assert time_s("reduce_scatter", "ring", size, n) == pytest.approx((size - 1) * (hop(part) + part * FOLD))
    assert time_s("bcast", "binomial", size, n) <= ceil(log2(size)) * hop(n) + 1e-12


def every():
    return [(a.collective, a.name) for algorithms in catalog().values() for a in algorithms]


@pytest.mark.parametrize(("collective", "name"), every())
def test_laws_of_every_algorithm(collective, name):
    """Time grows with the data, shrinks with processors, and scales with the model."""
    size = 8
    times = [time_s(collective, name, size, n) for n in (0, 10, 10**5)]
    assert times == sorted(times)
    shared = [time_s(collective, name, size, 1000, cores=cores) for cores in (1, 2, 4, 8, 100)]
    assert shared == sorted(shared, reverse=True)
    algorithm = lookup(collective, name)
    twice = ChannelModel("t", 2 * LATENCY, 2 * OVERHEAD, 2 * BYTE, 2 * FOLD, "test")
    free = ChannelModel("t", 0.0, 0.0, 0.0, 0.0, "test")
    blocks = algorithm.blocks(size)
    assert seconds(algorithm, size, blocks, 1000, twice, size, PLENTY) == pytest.approx(2 * shared[3])
    assert seconds(algorithm, size, blocks, 1000, free, size, PLENTY) == 0
    assert time_s(collective, name, 1, 1000) == 0


@pytest.mark.parametrize("budget", [0, 1, 7, 100])
def test_the_walk_stops_soon_after_the_budget(budget):
    size, sent = 64, []
    algorithm = lookup("alltoall", "pairwise")

    def counted(*arguments):
        for step in algorithm.schedule(*arguments):
            sent.extend(peer for action in step if type(action) is Send for peer in action.peers)
            yield step

    watched = dataclasses.replace(algorithm, schedule=counted)
    assert seconds(watched, size, size, 10, MODEL, size, budget) is None
    assert len(sent) == budget + 1


def test_blocks_that_are_listed_one_by_one_count_too():
    messages, size = 8 * 256, 256
    assert time_s("alltoall", "bruck", size, 10, budget=messages) is None
    assert time_s("alltoall", "bruck", size, 10, budget=messages * (1 + size // 2 // 16)) is not None
