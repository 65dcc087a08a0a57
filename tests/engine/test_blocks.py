"""Where blocks are: in the caller's arrays, in scratch, or in pickles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fmi_core as fmi
from fmi_core.collectives import Side
from fmi_core.engine.blocks import ArrayBlocks, ObjectBlocks, Region
from fmi_core.payload import gather, scatter


def space(array, offsets, *, first=0, writable=True, op=fmi.SUM, count=2):
    return ArrayBlocks(array.dtype, [Region(first, array, offsets, writable=writable)], lambda _: count, op)


def sent(blocks, which):
    return np.frombuffer(bytes(gather(blocks.outgoing(which))), "i8").tolist()


def give(blocks, which, values, fold=None):
    views = blocks.incoming(which, fold)
    scatter(memoryview(np.array(values, "i8").view("u1").data), views)
    blocks.arrived(which, views, fold)


@pytest.mark.parametrize(
    ("which", "want", "views"),
    [
        (range(3), [0, 1, 2, 3, 4, 5], 1),
        (range(1, 2), [2, 3], 1),
        ((2, 0), [4, 5, 0, 1], 2),
        ((1, 2, 0), [2, 3, 4, 5, 0, 1], 2),
        ((0, 1, 2), [0, 1, 2, 3, 4, 5], 1),
        (range(2, -1, -1), [4, 5, 2, 3, 0, 1], 3),
        ((), [], 0),
        (range(0), [], 0),
    ],
)
def test_blocks_leave_in_the_order_named_in_as_few_views_as_possible(which, want, views):
    blocks = space(np.arange(6), (0, 2, 4, 6))
    assert sent(blocks, which) == want
    assert len(blocks.outgoing(which)) == views


def test_blocks_arrive_in_the_callers_memory():
    memory = np.zeros(6, "i8")
    give(space(memory, (0, 2, 4, 6)), (2, 0), [7, 8, 9, 10])
    assert memory.tolist() == [9, 10, 0, 0, 7, 8]


@pytest.mark.parametrize(("side", "want"), [(Side.LEFT, [-9, -8]), (Side.RIGHT, [9, 8])])
def test_a_fold_keeps_its_side(side, want):
    memory = np.array([10, 10], "i8")
    op = fmi.Op(lambda a, b: a - b, elementwise=True)
    give(space(memory, (0, 2), op=op), (0,), [1, 2], side)
    assert memory.tolist() == want


def test_a_fold_of_several_blocks_in_any_order():
    memory = np.arange(6)
    give(space(memory, (0, 2, 4, 6)), (2, 0), [100, 100, 200, 200], Side.RIGHT)
    assert memory.tolist() == [200, 201, 2, 3, 104, 105]


@pytest.mark.parametrize(
    "change",
    [
        lambda blocks: give(blocks, (0,), [7, 7], Side.LEFT),
        lambda blocks: give(blocks, (0,), [7, 7]),
        lambda blocks: blocks.local(0, 1, Side.LEFT),
        lambda blocks: blocks.local(0, 1, None),
    ],
)
def test_memory_that_must_not_change_is_copied_at_the_first_change(change):
    memory = np.arange(4)
    blocks = space(memory, (0, 2, 4), writable=False)
    before = blocks.outgoing((0, 1))
    change(blocks)
    assert memory.tolist() == [0, 1, 2, 3]
    assert np.frombuffer(bytes(before[0]), "i8").tolist() == [0, 1, 2, 3]
    assert sent(blocks, (0,)) != [0, 1]


def test_other_blocks_are_scratch_made_when_first_named():
    memory = np.arange(2)
    blocks = space(memory, (0, 2), first=3)
    give(blocks, (0, 1, 2), [1, 2, 3, 4, 5, 6])
    assert sent(blocks, range(4)) == [1, 2, 3, 4, 5, 6, 0, 1]
    assert len(blocks.outgoing(range(4))) == 2  # scratch that is named together is one piece
    blocks.local(7, 3, None)
    blocks.local(7, 0, Side.RIGHT)
    assert sent(blocks, (7,)) == [1, 3]
    assert memory.tolist() == [0, 1]


def test_empty_blocks_do_nothing():
    memory = np.zeros(0, "i8")
    blocks = space(memory, (0, 0), op=fmi.Op(lambda a, b: 1 / 0))
    give(blocks, (0,), [], Side.LEFT)
    blocks.local(0, 0, Side.LEFT)
    assert sent(blocks, (0,)) == []


class Counted:
    """An object that counts how often it was unpickled."""

    unpickled = 0

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return _revive, (self.value,)


def _revive(value):
    Counted.unpickled += 1
    return Counted(value)


@pytest.fixture(autouse=True)
def _count_anew(monkeypatch):
    monkeypatch.setattr(Counted, "unpickled", 0)


def test_what_is_only_passed_on_is_never_unpickled():
    origin, middle, end = ObjectBlocks({0: Counted("a"), 1: Counted("b")}), ObjectBlocks({}), ObjectBlocks({})
    for giver, taker in ((origin, middle), (middle, end)):
        taker.arrived((0, 1), [gather(giver.outgoing((0, 1)))], None)
        taker.arrived((5,), [gather(giver.outgoing((0,)))], None)
    assert Counted.unpickled == 0
    assert [end.value(block).value for block in (0, 1, 5)] == ["a", "b", "a"]
    assert Counted.unpickled == 3
    assert end.value(0) is end.value(0)


def test_a_message_of_no_blocks_is_empty():
    blocks = ObjectBlocks({})
    assert blocks.outgoing(()) == ()
    assert blocks.incoming((), None) is None
    blocks.arrived((), [memoryview(b"")], None)


def test_values_share_nothing_with_what_was_given_unless_they_cannot_change():
    given, text = [1, 2], "text"
    blocks = ObjectBlocks({0: given, 1: text})
    assert blocks.value(0) == given
    assert blocks.value(0) is not given
    assert blocks.value(1) is text


def test_folds_of_objects_keep_their_side_and_the_callers_object():
    def extend(a, b):
        a.extend(b)
        return a

    given = ["mine"]
    for side, want in ((Side.LEFT, ["theirs", "mine"]), (Side.RIGHT, ["mine", "theirs"])):
        blocks = ObjectBlocks({0: given}, fmi.Op(extend))
        other = ObjectBlocks({0: ["theirs"]})
        blocks.arrived((0,), [gather(other.outgoing((0,)))], side)
        assert blocks.value(0) == want
        assert given == ["mine"]
        again = ObjectBlocks({})
        again.arrived((0,), [gather(blocks.outgoing((0,)))], None)
        assert again.value(0) == want


def test_local_copies_of_objects_are_independent():
    def extend(a, b):
        a.extend(b)
        return a

    blocks = ObjectBlocks({0: [0], 1: [1]}, fmi.Op(extend))
    blocks.local(2, 0, None)
    blocks.local(0, 1, Side.RIGHT)
    blocks.local(1, 1, Side.LEFT)
    assert [blocks.value(block) for block in range(3)] == [[0, 1], [1, 1], [0]]


def test_received_arrays_can_be_written():
    blocks = ObjectBlocks({})
    blocks.arrived((0, 1), [gather(ObjectBlocks({0: np.arange(3.0), 1: 0}).outgoing((0, 1)))], None)
    blocks.value(0)[:] = 7
    assert blocks.value(0).tolist() == [7, 7, 7]


def test_blocks_of_several_regions_and_scratch_in_one_message():
    low, high = np.array([1, 2]), np.array([7, 8, 9])
    blocks = ArrayBlocks(low.dtype, [Region(0, low, (0, 2)), Region(3, high, (0, 1, 3))], lambda index: index, fmi.SUM)
    give(blocks, range(5), [10, 20, 30, 40, 50, 60, 70, 80])
    assert (low.tolist(), high.tolist()) == ([10, 20], [60, 70, 80])
    assert sent(blocks, (1, 2)) == [30, 40, 50]
    give(blocks, (4, 1, 0), [1, 1, 2, 3, 4], Side.RIGHT)
    assert (low.tolist(), high.tolist(), sent(blocks, (1,))) == ([13, 24], [60, 71, 81], [32])


def test_numbers_of_the_other_byte_order_are_folded():
    memory = np.array([1.5, 2.5], ">f8")
    blocks = ArrayBlocks(memory.dtype, [Region(0, memory, (0, 2))], lambda _: 2, fmi.SUM)
    views = blocks.incoming((0,), Side.LEFT)
    scatter(memoryview(np.array([1, 2], ">f8").view("u1")), views)
    blocks.arrived((0,), views, Side.LEFT)
    assert memory.tolist() == [2.5, 4.5]


def test_a_copied_region_is_copied_once():
    memory = np.arange(4)
    blocks = space(memory, (0, 2, 4), writable=False)
    blocks.local(0, 1, Side.LEFT)
    blocks.local(0, 1, Side.LEFT)
    blocks.local(1, 0, None)
    assert sent(blocks, (0, 1)) == [4, 7, 4, 7]
    assert memory.tolist() == [0, 1, 2, 3]


SUBTRACT = fmi.Op(np.subtract)
TRANSFERS = st.lists(
    st.tuples(st.permutations(range(6)), st.integers(0, 6), st.sampled_from([None, *Side]), st.booleans()), max_size=8
)


def folded(mine, other, side):
    if side is None:
        return other
    return other - mine if side is Side.LEFT else mine - other


@settings(max_examples=150, deadline=None)
@given(TRANSFERS, st.lists(st.integers(0, 3), min_size=6, max_size=6), st.booleans())
def test_any_sequence_of_transfers_gives_what_single_blocks_would(transfers, counts, writable):
    offsets = np.concatenate([[0], np.cumsum(counts[:4])]).tolist()
    memory = np.arange(offsets[-1]) * 10
    before = memory.copy()
    blocks = ArrayBlocks(memory.dtype, [Region(0, memory, offsets, writable=writable)], lambda i: counts[i], SUBTRACT)
    want = {i: before[offsets[i] : offsets[i + 1]] for i in range(4)} | {i: np.zeros(counts[i], "i8") for i in (4, 5)}
    give(blocks, (4, 5), [0] * (counts[4] + counts[5]))
    fresh = iter(range(1000, 10_000))
    for order, count, side, local in transfers:
        if local and len({counts[order[0]], counts[order[1]]}) == 1:
            blocks.local(order[0], order[1], side)
            want[order[0]] = folded(want[order[0]], want[order[1]], side)
        else:
            values = {i: np.array([next(fresh) for _ in range(counts[i])], "i8") for i in order[:count]}
            give(blocks, tuple(order[:count]), [x for i in order[:count] for x in values[i].tolist()], side)
            want |= {i: folded(want[i], values[i], side) for i in values}
    assert sent(blocks, range(6)) == [x for i in range(6) for x in want[i].tolist()]
    if not writable:
        assert np.array_equal(memory, before)


def joined(a, b):
    a.extend(b)  # changes its argument, which must be nobody else's
    return a


@settings(max_examples=150, deadline=None)
@given(TRANSFERS)
def test_any_sequence_of_transfers_of_objects_gives_what_values_would_and_changes_no_argument(transfers):
    given_values = {i: [i] for i in range(6)}
    want = {i: [i] for i in range(6)}
    blocks = ObjectBlocks(dict(given_values), fmi.Op(joined))
    for number, (order, count, side, local) in enumerate(transfers):
        if local:
            other = {order[0]: want[order[1]]}
            blocks.local(order[0], order[1], side)
        else:
            other = {i: [100 * number + i] for i in order[:count]}
            message = gather(ObjectBlocks(other).outgoing(tuple(other)))
            blocks.arrived(tuple(other), [message], side)
        for i, value in other.items():
            want[i] = value if side is None else value + want[i] if side is Side.LEFT else want[i] + value
        check = ObjectBlocks({})
        check.arrived(range(6), [gather(blocks.outgoing(range(6)))], None)
        assert [check.value(i) for i in range(6)] == [want[i] for i in range(6)]
    assert [blocks.value(i) for i in range(6)] == [want[i] for i in range(6)]
    assert given_values == {i: [i] for i in range(6)}


def test_an_array_that_was_given_is_not_the_array_that_comes_out():
    mine = np.arange(3.0)
    blocks = ObjectBlocks({0: mine}, fmi.SUM)
    blocks.local(1, 0, None)
    for block in (0, 1):
        assert not np.shares_memory(blocks.value(block), mine)
        blocks.value(block)[:] = 7
    assert mine.tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [None, True, 3, 2.5, 1j, "text", b"bytes"])
def test_what_cannot_change_is_not_copied(value):
    assert ObjectBlocks({0: value}).value(0) is value


def test_a_value_is_pickled_once_for_all_its_receivers():
    class Pickled(Counted):
        times = 0

        def __reduce__(self):
            Pickled.times += 1
            return super().__reduce__()

    blocks = ObjectBlocks({0: Pickled("a"), 1: Pickled("b")})
    for which in ((0,), (0, 1), (1, 0), (0,)):
        blocks.outgoing(which)
    assert Pickled.times == 2


def test_a_copy_of_a_block_is_as_the_block_was_when_it_was_copied():
    mine = np.arange(1000.0)
    blocks = ObjectBlocks({0: mine})
    blocks.local(1, 0, None)
    mine[:] = 7
    assert blocks.value(1).tolist() == list(range(1000))
