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


@pytest.mark.parametrize("size", [2, 3, 8, 13, 16])
def test_traffic_is_that_of_the_literature(traffic, size):
    dissemination = traffic("barrier", "dissemination", size)
    assert (dissemination.depth, dissemination.messages) == (log2(size), size * log2(size))
    binomial = traffic("barrier", "binomial", size)
    assert (binomial.depth, binomial.messages) == (2 * log2(size), 2 * (size - 1))
    flat = traffic("barrier", "flat", size)
    assert (flat.depth, flat.messages, flat.puts) == (2, 2 * (size - 1), size)
    direct = traffic("barrier", "direct", size)
    assert (direct.depth, direct.messages, direct.puts) == (1, size * (size - 1), size)


def test_messages_carry_nothing(algorithm):
    steps = [step for rank in range(5) for round_ in algorithm.schedule(rank, 5, 0, 0) for step in round_]
    assert steps
    assert all(len(step.blocks) == 0 for step in steps)
