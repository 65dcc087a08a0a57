from __future__ import annotations

import pytest


def log2(size):
    """log2 of the size, rounded up."""
    return (size - 1).bit_length()


def test_every_algorithm_is_proved(algorithm, size, prove):
    prove(algorithm, size)


def test_links_declared_are_those_used(algorithm, size, links_used):
    for root in {0, size // 2, size - 1}:
        declared = [algorithm.links(rank, size, root) for rank in range(size)]
        assert declared == links_used(algorithm, size, root)


@pytest.mark.parametrize("size", [2, 3, 8, 13, 16])
def test_traffic_is_that_of_the_literature(traffic, size):
    flat = traffic("reduce", "flat", size, size - 1)
    assert (flat.depth, flat.messages) == (1, size - 1)
    binomial = traffic("reduce", "binomial", size)
    assert (binomial.depth, binomial.messages) == (log2(size), size - 1)


@pytest.mark.parametrize("root", range(13))
def test_rank_order_costs_a_binomial_tree_one_round_at_most(traffic, root):
    proof = traffic("reduce", "binomial", 13, root)
    assert proof.messages == 12
    assert proof.depth <= log2(13) + 1


@pytest.mark.parametrize("root", [0, 4, 8])
@pytest.mark.parametrize("segments", [1, 3, 20])
def test_chains_from_both_ends_meet_at_the_root(traffic, root, segments):
    proof = traffic("reduce", "chain", 9, root, segments)
    assert proof.depth == segments + max(root, 8 - root) - 1
    assert proof.moved == segments * 8


@pytest.mark.parametrize("size", [2, 8, 32])
@pytest.mark.parametrize("root", [0, 1])
def test_rabenseifner_moves_the_data_once_to_halve_and_once_to_gather(traffic, size, root):
    proof = traffic("reduce", "rabenseifner", size, root)
    assert proof.depth == 2 * log2(size)
    assert proof.messages == size * log2(size) + size - 1
    assert proof.moved == size * (size - 1) + (size // 2) * log2(size)
