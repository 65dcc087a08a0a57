from __future__ import annotations

import pytest

from fmi_core.collectives import COLLECTIVES
from fmi_core.collectives.contract import Folded, Token, end, start, word

A, B, C = Token(0, 0), Token(1, 0), Token(2, 0)


def test_a_word_reads_a_term_from_left_to_right():
    assert word(A) == (A,)
    assert word(Folded(Folded(A, B), C)) == word(Folded(A, Folded(B, C))) == (A, B, C)
    assert word(Folded(C, A)) == (C, A)


def test_a_word_of_a_deep_term_needs_no_deep_stack():
    term = A
    for _ in range(5000):
        term = Folded(B, term)
    assert len(word(term)) == 5001


@pytest.mark.parametrize(
    ("collective", "rank", "expected"),
    [
        ("barrier", 1, {}),
        ("bcast", 0, {}),
        ("bcast", 1, {0: (1, 0), 1: (1, 1)}),
        ("scatter", 0, {}),
        ("scatter", 1, {0: (1, 0), 1: (1, 1), 2: (1, 2)}),
        ("gather", 2, {2: (2, 2)}),
        ("allgather", 2, {2: (2, 2)}),
        ("alltoall", 2, {0: (2, 0), 1: (2, 1), 2: (2, 2)}),
        ("reduce", 2, {0: (2, 0), 1: (2, 1)}),
        ("allreduce", 2, {0: (2, 0), 1: (2, 1)}),
        ("scan", 2, {0: (2, 0), 1: (2, 1)}),
        ("exscan", 2, {0: (2, 0), 1: (2, 1)}),
    ],
)
def test_start_of_three_ranks_with_root_1_and_two_blocks(collective, rank, expected):
    assert start(collective, rank, 3, 1, 2) == expected


@pytest.mark.parametrize(
    ("collective", "rank", "expected"),
    [
        ("barrier", 0, {}),
        ("bcast", 0, {0: ((1, 0),), 1: ((1, 1),)}),
        ("scatter", 2, {2: ((1, 2),)}),
        ("gather", 0, {}),
        ("gather", 1, {0: ((0, 0),), 1: ((1, 1),), 2: ((2, 2),)}),
        ("allgather", 0, {0: ((0, 0),), 1: ((1, 1),), 2: ((2, 2),)}),
        ("alltoall", 2, {3: ((0, 2),), 4: ((1, 2),), 5: ((2, 2),)}),
        ("reduce", 0, {}),
        ("reduce", 1, {0: ((0, 0), (1, 0), (2, 0)), 1: ((0, 1), (1, 1), (2, 1))}),
        ("allreduce", 0, {0: ((0, 0), (1, 0), (2, 0)), 1: ((0, 1), (1, 1), (2, 1))}),
        ("scan", 1, {0: ((0, 0), (1, 0)), 1: ((0, 1), (1, 1))}),
        ("exscan", 1, {0: ((0, 0),), 1: ((0, 1),)}),
        ("exscan", 0, {}),
    ],
)
def test_end_of_three_ranks_with_root_1_and_two_blocks(collective, rank, expected):
    assert end(collective, rank, 3, 1, 2) == expected


def test_reduce_scatter_has_one_block_a_rank():
    assert start("reduce_scatter", 1, 3, 0, 3) == {0: (1, 0), 1: (1, 1), 2: (1, 2)}
    assert end("reduce_scatter", 1, 3, 0, 3) == {1: ((0, 1), (1, 1), (2, 1))}


def test_every_collective_has_a_contract():
    for one in COLLECTIVES:
        for rank in range(4):
            assert start(one.name, rank, 4, 0, 4).keys() <= set(range(4))
            end(one.name, rank, 4, 0, 4)
