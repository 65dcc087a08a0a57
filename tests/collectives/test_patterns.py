from __future__ import annotations

import pytest

from fmi_core.collectives import Recv, Send, Side
from fmi_core.collectives.patterns import Source, halvings, on_hypercube, relay
from fmi_core.collectives.topology import Hypercube


def test_a_relay_in_the_middle_takes_a_segment_while_it_gives_the_one_before():
    assert list(relay(2, (Source(1, Side.LEFT),), (3,))) == [
        (Recv(1, range(1), Side.LEFT),),
        (Recv(1, range(1, 2), Side.LEFT), Send((3,), range(1))),
        (Send((3,), range(1, 2)),),
    ]


def test_the_ends_of_a_pipeline_do_not_lag():
    assert list(relay(2, (), (1, 2))) == [(Send((1, 2), range(1)),), (Send((1, 2), range(1, 2)),)]
    assert list(relay(1, (Source(4), Source(6)), ())) == [(Recv(4, range(1)), Recv(6, range(1)))]


def test_a_relay_alone_does_nothing():
    assert list(relay(5, (), ())) == []


def test_a_twin_folds_in_and_gets_the_result_back():
    cube, data, core = Hypercube(3), range(2), (Send((2,), range(2)),)
    assert list(on_hypercube(0, cube, data, iter([core]), (range(1), data))) == [
        (Send((1,), data),),
        (Recv(1, range(1)),),
    ]
    assert list(on_hypercube(1, cube, data, iter([core]), (range(1), data))) == [
        (Recv(0, data, Side.LEFT),),
        core,
        (Send((0,), data),),
    ]
    assert list(on_hypercube(2, cube, data, iter([core]), None)) == [core]


def test_nothing_is_handed_back_unless_it_is_wanted():
    cube, data = Hypercube(3, keep=0), range(2)
    assert list(on_hypercube(1, cube, data, iter([]), None)) == [(Send((0,), data),)]
    assert list(on_hypercube(0, cube, data, iter([]), None)) == [(Recv(1, data, Side.RIGHT),)]


@pytest.mark.parametrize("size", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("blocks", [1, 16, 19])
def test_halving_ends_with_parts_that_make_the_whole(size, blocks):
    cube = Hypercube(size)
    parts = []
    for corner in range(cube.corners):
        held = range(blocks)
        for _, kept, given in halvings(cube.rank(corner), cube, blocks):
            assert sorted([*kept, *given]) == list(held)
            held = kept
        parts.append(held)
    assert sorted(block for part in parts for block in part) == list(range(blocks))


def test_after_the_last_halving_parts_lie_in_the_order_of_reversed_bits():
    cube = Hypercube(8)
    assert [halvings(rank, cube, 8)[-1].kept[0] for rank in range(8)] == [0, 4, 2, 6, 1, 5, 3, 7]
