"""Ranks for tests."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

import fmi_core as fmi
from fmi_core.testing import outcomes, run


def test_results_come_by_rank_with_arguments_passed_on():
    def program(comm, factor, offset):
        return comm.rank * factor + offset

    assert run(3, program, 10, 1) == [1, 11, 21]
    assert run(3, program, 10, 1, channel="tcp") == [1, 11, 21]


@pytest.mark.parametrize("channel", ["memory", "tcp"])
def test_the_cause_is_raised_not_its_consequence(channel):
    def program(comm):
        if comm.rank == 2:
            raise LookupError("only here")
        comm.barrier()

    with pytest.raises(LookupError, match="only here") as caught:
        run(3, program, channel=channel)
    assert caught.value.__notes__ == ["(on rank 2 of 3)"]


@pytest.mark.parametrize("channel", ["memory", "tcp"])
def test_a_rank_that_does_not_end_is_named(channel):
    release = threading.Event() if channel == "memory" else None

    def program(comm):
        if comm.rank == 1:
            if release is not None:
                release.wait(60)
            else:
                signal.pause()

    with pytest.raises(fmi.DeadlineExceeded, match="1 are not done after") as caught:
        run(2, program, channel=channel, timeout_s=1.0, settings={"timeout_s": 0.1})
    assert 1 in caught.value.waiting_for
    if release is not None:
        release.set()


def test_how_a_process_died_is_told():
    def program(comm):
        if comm.rank == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(9)

    first, second = outcomes(2, program, channel="tcp")
    assert str(first.error) == "the process was killed by SIGKILL"
    assert str(second.error) == "the process exited with 9"


def test_an_outcome_that_cannot_be_pickled_is_told_as_text():
    ended = outcomes(1, lambda comm: threading.Lock(), channel="tcp")
    assert "cannot be pickled" in str(ended[0].error)


def test_processes_need_cloudpickle(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(fmi.UnsupportedError, match=r"pip install 'fmi-core\[testing\]'"):
        run(2, lambda comm: None, channel="tcp")
