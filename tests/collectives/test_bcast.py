from __future__ import annotations

import pytest

from fmi_core.collectives import lookup


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
@pytest.mark.parametrize("root", [0, 1])
def test_traffic_is_that_of_the_literature(traffic, size, root):
    flat = traffic("bcast", "flat", size, root)
    assert (flat.depth, flat.messages, flat.puts) == (1, size - 1, 1)
    binomial = traffic("bcast", "binomial", size, root)
    assert (binomial.depth, binomial.messages) == (log2(size), size - 1)
    parts = traffic("bcast", "scatter_allgather", size, root)
    assert parts.messages == (size - 1) + size * (size - 1)
    assert parts.depth <= log2(size) + size - 1


@pytest.mark.parametrize("segments", [1, 2, 5, 50])
def test_a_chain_of_p_ranks_takes_k_plus_p_minus_2_rounds(traffic, segments):
    proof = traffic("bcast", "chain", 9, root=4, segments=segments)
    assert proof.depth == segments + 9 - 2
    assert proof.moved == segments * 8


@pytest.mark.parametrize("segments", [1, 2, 5])
def test_a_pipelined_tree_is_as_deep_as_the_tree_plus_the_segments(traffic, segments):
    proof = traffic("bcast", "pipelined_binomial", 16, segments=segments)
    assert proof.depth == segments + 4 - 1
    assert proof.puts == segments * 8  # half of the ranks have children, and each segment is one put


def test_the_root_of_a_binomial_tree_serves_the_largest_subtree_first():
    rounds = list(lookup("bcast", "binomial").schedule(0, 8, 0, 1))
    assert [round_[0].peers for round_ in rounds] == [(4,), (2,), (1,)]
