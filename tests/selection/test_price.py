"""Times by the model, against formulas from textbooks."""

from __future__ import annotations

from math import ceil, log2

import pytest

from fmi_core.channels.model import ChannelModel
from fmi_core.collectives import lookup
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


@pytest.mark.parametrize(("size", "segments"), [(2, 1), (4, 3), (8, 8)])
def test_a_pipeline_is_filled_once(size, segments):
    nbytes = 10**6
    part = nbytes / segments
    got = time_s("bcast", "chain", size, nbytes, segments)
    assert got == pytest.approx((size - 2 + segments) * hop(part), rel=0.35)
    assert got >= hop(nbytes) - LATENCY


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
