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
    flat = traffic("scatter", "flat", size, root)
    assert (flat.depth, flat.messages, flat.moved) == (1, size - 1, size - 1)
    binomial = traffic("scatter", "binomial", size, root)
    assert (binomial.depth, binomial.messages) == (log2(size), size - 1)
    assert binomial.moved == sum(node.bit_count() for node in range(size))


def test_a_subtree_that_goes_round_the_end_is_one_message():
    (send,) = next(lookup("scatter", "binomial").schedule(5, 8, 5, 8))
    assert send.peers == (1,)
    assert tuple(send.blocks) == (1, 2, 3, 4)
    (send,) = next(lookup("scatter", "binomial").schedule(3, 8, 3, 8))
    assert send.blocks == (7, 0, 1, 2)
