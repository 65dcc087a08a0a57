"""Where a program runs, and whom to tell when it ends."""

from __future__ import annotations

import contextvars

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
    assert told == ["badly", "badly!", "well", "well too"]
