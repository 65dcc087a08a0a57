"""Where a program runs, and whom to tell when it ends."""

from __future__ import annotations

import contextvars
import threading

import pytest

from fmi_core import runtime


def test_a_placement_holds_within_its_with_statement_only():
    assert runtime.placement() is None
    with runtime.in_process("hub", 3):
        assert runtime.placement() == ("hub", 3)
        with runtime.in_process("other", 0):
            assert runtime.placement() == ("other", 0)
        assert runtime.placement() == ("hub", 3)
    assert runtime.placement() is None


def test_hooks_are_those_of_one_rank():
    told = []

    def rank():
        with runtime.in_process("hub", 1):
            runtime.on_end(lambda: told.append("well"), told.append)
            runtime.on_end(lambda: told.append("well too"), lambda reason: told.append(reason + "!"))
            runtime.fail("badly")
            runtime.finish()
        runtime.fail("nobody hears this")
        runtime.finish()

    contextvars.Context().run(rank)
    assert told == ["badly", "badly!", "well too", "well"]


def test_a_rank_that_raises_leaves_nothing_behind():
    def rank():
        with runtime.in_process("hub", 1):
            runtime.on_end(lambda: None, pytest.fail)
            raise KeyError

    with pytest.raises(KeyError):
        rank()
    assert runtime.placement() is None
    runtime.fail("nobody hears this")


def test_a_new_thread_is_no_rank():
    seen = []
    with runtime.in_process("hub", 1):
        thread = threading.Thread(target=lambda: seen.append(runtime.placement()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_what_fails_at_the_end_is_raised():
    def refuse():
        raise ValueError("not well for all")

    with runtime.in_process("hub", 1):
        runtime.on_end(refuse, lambda reason: None)
        with pytest.raises(ValueError, match="not well for all"):
            runtime.finish()


def test_a_rank_within_a_rank_has_hooks_of_its_own():
    told = []
    with runtime.in_process("hub", 1):
        runtime.on_end(lambda: told.append("outer"), told.append)
        with runtime.in_process("hub", 2):
            runtime.finish()
        assert told == []
        runtime.finish()
    assert told == ["outer"]
