from __future__ import annotations

import dataclasses

import pytest

from fmi_core.collectives import ScheduleError, lookup, verify


def log2(size):
    """log2 of the size, rounded up."""
    return (size - 1).bit_length()


def test_every_algorithm_is_proved(algorithm, size, prove):
    prove(algorithm, size)


def test_links_declared_are_those_used(algorithm, size, links_used):
    declared = [algorithm.links(rank, size, 0) for rank in range(size)]
    assert declared == links_used(algorithm, size, 0)


@pytest.mark.parametrize("size", [2, 8, 32])
def test_traffic_at_powers_of_two_is_that_of_the_literature(traffic, size):
    doubling = traffic("allreduce", "recursive_doubling", size)
    assert (doubling.depth, doubling.messages) == (log2(size), size * log2(size))
    halving = traffic("allreduce", "rabenseifner", size)
    assert (halving.depth, halving.messages) == (2 * log2(size), 2 * size * log2(size))
    assert halving.moved == 2 * size * (size - 1)  # each rank 2 (p - 1)/p of the data, in p parts


@pytest.mark.parametrize("size", [2, 3, 8, 13, 16])
def test_traffic_is_that_of_the_literature(traffic, size):
    ring = traffic("allreduce", "ring", size)
    assert ring.depth == 2 * (size - 1)
    assert ring.messages == ring.moved == 2 * size * (size - 1)
    trees = traffic("allreduce", "reduce_bcast", size)
    assert (trees.depth, trees.messages) == (2 * log2(size), 2 * (size - 1))
    flat = traffic("allreduce", "flat", size)
    assert (flat.depth, flat.messages, flat.puts) == (2, 2 * (size - 1), size)
    direct = traffic("allreduce", "direct", size)
    assert (direct.depth, direct.messages, direct.puts) == (1, size * (size - 1), size)


@pytest.mark.parametrize("size", [3, 13])
def test_ranks_over_a_power_of_two_cost_two_rounds(traffic, size):
    assert traffic("allreduce", "recursive_doubling", size).depth == log2(size) - 1 + 2
    assert traffic("allreduce", "rabenseifner", size).depth == 2 * (log2(size) - 1) + 2


def test_rabenseifner_cuts_the_data_for_the_corners_of_its_hypercube():
    algorithm = lookup("allreduce", "rabenseifner")
    assert [algorithm.blocks(size) for size in (1, 2, 5, 7, 8)] == [1, 2, 4, 4, 8]


@pytest.mark.parametrize("blocks", [1, 5, 11])
def test_rabenseifner_is_right_for_any_number_of_parts(blocks):
    verify(lookup("allreduce", "rabenseifner"), 8, blocks=blocks)


def test_ring_needs_a_commutative_operator():
    free = dataclasses.replace(lookup("allreduce", "ring"), commutative_only=False)
    with pytest.raises(ScheduleError, match="in the wrong order"):
        verify(free, 3)
