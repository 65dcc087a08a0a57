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
@pytest.mark.parametrize("root", [0, 1])
def test_traffic_is_that_of_the_literature(traffic, size, root):
    flat = traffic("gather", "flat", size, root)
    assert (flat.depth, flat.messages, flat.moved) == (1, size - 1, size - 1)
    binomial = traffic("gather", "binomial", size, root)
    assert (binomial.depth, binomial.messages) == (log2(size), size - 1)
    assert binomial.moved == sum(node.bit_count() for node in range(size))
