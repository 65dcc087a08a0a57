"""Calls are compared, whichever side is first."""

from __future__ import annotations

import pytest

from fmi_core.engine import agreement
from fmi_core.engine.agreement import Agreement, call_text, describe_call

BASE = {"collective": "bcast", "root": 0, "dtype": "<f8", "count": 10, "op": "", "algorithm": "flat"}


def call(**changes):
    return call_text(**{**BASE, **changes})


def test_a_call_is_shown_without_what_does_not_apply():
    assert describe_call(call()) == "bcast(root=0, dtype=<f8, count=10)"
    assert describe_call(call_text("barrier", -1, "", -1, "", "flat")) == "barrier()"
    assert describe_call(b"\xff") == "\ufffd()"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"collective": "reduce"}, "collective"),
        ({"root": 1}, "root"),
        ({"dtype": "<f4"}, "dtype"),
        ({"count": 11}, "count"),
        ({"op": "SUM"}, "op"),
        ({"algorithm": "binomial"}, "algorithm"),
    ],
)
@pytest.mark.parametrize("heard_first", [True, False])
def test_every_difference_is_named_whoever_was_first(change, what, heard_first):
    mine = Agreement(2)
    if heard_first:
        assert mine.hear(5, 1, 0, call(**change)) is None
        mismatch = mine.enter(1, 0, call())
    else:
        assert mine.enter(1, 0, call()) is None
        mismatch = mine.hear(5, 1, 0, call(**change))
    assert f"disagree on {what}: rank 2 calls" in str(mismatch)
    assert mismatch.calls == {2: describe_call(call()), 5: describe_call(call(**change))}


def test_a_difference_of_algorithms_names_them():
    mine = Agreement(0)
    mine.enter(1, 0, call())
    assert " by flat and binomial " in str(mine.hear(1, 1, 0, call(algorithm="binomial")))


def test_a_difference_in_what_has_no_name_is_a_difference_all_the_same():
    mine = Agreement(0)
    mine.enter(1, 0, call())
    assert "disagree on arguments" in str(mine.hear(1, 1, 0, call() + b"\x1fmore"))


def test_two_others_that_differ_are_noticed_before_this_rank_calls():
    mine = Agreement(0)
    assert mine.hear(1, 1, 0, call()) is None
    assert mine.hear(2, 1, 0, call()) is None
    assert set(mine.hear(3, 1, 0, call(root=1)).calls) == {1, 3}


def test_equal_calls_agree_and_other_numbers_and_contexts_do_not_matter():
    mine = Agreement(0)
    assert mine.enter(1, 0, call()) is None
    assert mine.hear(1, 1, 0, call()) is None
    assert mine.hear(1, 1, 1, call(root=1)) is None
    assert mine.hear(1, 3, 0, call(root=1)) is None
    assert mine.entered(1, 0)
    assert not mine.entered(1, 1)


def test_long_past_calls_are_forgotten(monkeypatch):
    monkeypatch.setattr(agreement, "_REMEMBERED", 3)
    mine = Agreement(0)
    for number in range(5):
        mine.enter(1, number, call())
    assert [mine.entered(1, number) for number in range(5)] == [False, False, True, True, True]


def test_what_was_heard_early_is_forgotten_once_it_was_compared(monkeypatch):
    monkeypatch.setattr(agreement, "_REMEMBERED", 3)
    mine = Agreement(0)
    for number in range(50):
        assert mine.hear(1, 1, number, call(count=number)) is None
        assert mine.hear(2, 1, number, call(count=number)) is None
    for number in range(50):
        assert mine.enter(1, number, call(count=number)) is None
    assert not mine._heard
    assert len(mine._mine) == len(mine._order) == 3


def test_a_number_that_comes_twice_is_remembered_while_memory_lasts(monkeypatch):
    monkeypatch.setattr(agreement, "_REMEMBERED", 2)
    mine = Agreement(0)
    for number in (7, 7, 8, 9):
        assert mine.enter(3, number, call()) is None
    assert [mine.entered(3, number) for number in (7, 8, 9)] == [False, True, True]


def test_the_first_field_that_differs_is_named_and_what_to_do():
    mine = Agreement(0)
    mine.enter(1, 4, call())
    text = str(mine.hear(1, 1, 4, call(root=1, dtype="<f4")))
    assert "disagree on root" in text
    assert "(collective 4 of this communicator)" in text
    assert "same order, with arguments that agree" in text
