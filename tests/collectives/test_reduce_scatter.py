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


@pytest.mark.parametrize("size", [2, 3, 8, 13, 16])
def test_traffic_is_that_of_the_literature(traffic, size):
    least = size * (size - 1)
    flat = traffic("reduce_scatter", "flat", size)
    assert (flat.depth, flat.messages, flat.moved) == (1, least, least)
    for name in ("pairwise", "ring"):
        proof = traffic("reduce_scatter", name, size)
        assert (proof.depth, proof.messages, proof.moved) == (size - 1, least, least)
    both = traffic("reduce_scatter", "reduce_then_scatter", size)
    assert (both.depth, both.messages) == (2 * log2(size), 2 * (size - 1))


@pytest.mark.parametrize("name", ["recursive_halving", "distance_doubling"])
@pytest.mark.parametrize("size", [2, 8, 32])
def test_halving_takes_log2_p_rounds_and_moves_no_more_than_it_must(traffic, name, size):
    proof = traffic("reduce_scatter", name, size)
    assert (proof.depth, proof.messages, proof.moved) == (log2(size), size * log2(size), size * (size - 1))


@pytest.mark.parametrize("size", [3, 13])
def test_ranks_over_a_power_of_two_cost_two_rounds(traffic, size):
    assert traffic("reduce_scatter", "distance_doubling", size).depth == log2(size) - 1 + 2


@pytest.mark.parametrize("size", [3, 7, 8])
def test_halving_the_distance_keeps_blocks_adjacent(size):
    algorithm = lookup("reduce_scatter", "recursive_halving")
    steps = [step for rank in range(size) for round_ in algorithm.schedule(rank, size, 0, size) for step in round_]
    assert all(isinstance(step.blocks, range) for step in steps)


@pytest.mark.parametrize("name", ["ring", "recursive_halving"])
def test_restriction_to_commutative_operators_is_needed(name):
    free = dataclasses.replace(lookup("reduce_scatter", name), commutative_only=False)
    with pytest.raises(ScheduleError, match="in the wrong order"):
        verify(free, 4)
