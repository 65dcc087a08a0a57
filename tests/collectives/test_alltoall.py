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
    flat = traffic("alltoall", "flat", size)
    assert (flat.depth, flat.messages, flat.moved) == (1, least, least)
    pairwise = traffic("alltoall", "pairwise", size)
    assert (pairwise.depth, pairwise.messages, pairwise.moved) == (size - 1, least, least)
    bruck = traffic("alltoall", "bruck", size)
    assert (bruck.depth, bruck.messages) == (log2(size), size * log2(size))
    assert bruck.moved == size * sum(slot.bit_count() for slot in range(size))


def test_bruck_needs_blocks_of_one_size():
    with pytest.raises(ScheduleError, match="may differ in size"):
        verify(dataclasses.replace(lookup("alltoall", "bruck"), uniform_blocks=False), 4)
