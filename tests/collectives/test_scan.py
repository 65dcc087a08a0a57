from __future__ import annotations

import pytest


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
    doubling = traffic("scan", "recursive_doubling", size)
    assert (doubling.depth, doubling.messages) == (log2(size), size * log2(size) - size + 1)
    tree = traffic("scan", "binomial", size)
    assert (tree.depth, tree.messages) == (2 * log2(size) - 1, 2 * size - 2 - log2(size))


@pytest.mark.parametrize("segments", [1, 2, 30])
def test_a_chain_of_p_ranks_takes_k_plus_p_minus_2_rounds(traffic, segments):
    proof = traffic("scan", "chain", 9, segments=segments)
    assert (proof.depth, proof.messages) == (segments + 9 - 2, segments * 8)


def test_flat_takes_one_round(traffic):
    flat = traffic("scan", "flat", 7)
    assert (flat.depth, flat.messages, flat.puts) == (1, 21, 6)
