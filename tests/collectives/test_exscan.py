from __future__ import annotations

import dataclasses

import pytest

from fmi_core.collectives import ScheduleError, verify


def log2(size):
    """log2 of the size, rounded up."""
    return (size - 1).bit_length()


def test_every_algorithm_is_proved(algorithm, size, prove):
    prove(algorithm, size)


def test_links_declared_are_those_used(algorithm, size, links_used):
    declared = [algorithm.links(rank, size, 0) for rank in range(size)]
    assert declared == links_used(algorithm, size, 0)


@pytest.mark.parametrize("size", [2, 8, 32])
def test_recursive_doubling_costs_no_more_than_the_inclusive_scan(traffic, size):
    doubling = traffic("exscan", "recursive_doubling", size)
    assert (doubling.depth, doubling.messages) == (log2(size), size * log2(size) - size + 1)


@pytest.mark.parametrize("size", [3, 9, 33])
def test_the_tree_costs_a_shift_more_than_an_inclusive_scan_of_one_rank_less(traffic, size):
    inclusive, exclusive = traffic("scan", "binomial", size - 1), traffic("exscan", "binomial", size)
    assert exclusive.depth == inclusive.depth + 1
    assert exclusive.messages == inclusive.messages + size - 1


@pytest.mark.parametrize("segments", [1, 2, 30])
def test_a_chain_of_p_ranks_takes_k_plus_p_minus_2_rounds(traffic, segments):
    proof = traffic("exscan", "chain", 9, segments=segments)
    assert (proof.depth, proof.messages) == (segments + 9 - 2, segments * 8)


def test_flat_takes_one_round(traffic):
    flat = traffic("exscan", "flat", 7)
    assert (flat.depth, flat.messages, flat.puts) == (1, 21, 6)


def test_scratch_is_needed(algorithm):
    tight = dataclasses.replace(algorithm, scratch=lambda size, blocks: algorithm.scratch(size, blocks) - 1)
    with pytest.raises(ScheduleError, match="scratch included"):
        verify(tight, 4)
