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
    least = size * (size - 1)  # every rank must take p - 1 blocks
    flat = traffic("allgather", "flat", size)
    assert (flat.depth, flat.messages, flat.moved, flat.puts) == (1, least, least, size)
    ring = traffic("allgather", "ring", size)
    assert (ring.depth, ring.messages, ring.moved) == (size - 1, least, least)
    bruck = traffic("allgather", "bruck", size)
    assert (bruck.depth, bruck.messages, bruck.moved) == (log2(size), size * log2(size), least)


@pytest.mark.parametrize("size", [2, 8, 32])
def test_recursive_doubling_takes_log2_p_rounds(traffic, size):
    proof = traffic("allgather", "recursive_doubling", size)
    assert (proof.depth, proof.messages, proof.moved) == (log2(size), size * log2(size), size * (size - 1))


def test_recursive_doubling_needs_its_power_of_two():
    free = dataclasses.replace(lookup("allgather", "recursive_doubling"), power_of_two=False)
    with pytest.raises(ScheduleError):
        verify(free, 6)
