import os
import signal
import subprocess
import threading

import pytest

from fmi_core.launch import lifeline


@pytest.fixture
def killed(monkeypatch):
    """What would have been killed; set as soon as something would."""
    calls = []
    done = threading.Event()
    monkeypatch.setattr(os, "killpg", lambda *arguments: (calls.append(arguments), done.set()))
    return calls, done


def test_who_is_not_told_of_a_lifeline_watches_none(monkeypatch, killed):
    monkeypatch.delenv(lifeline.VARIABLE, raising=False)
    lifeline.watch()
    assert killed[0] == []


def test_a_thread_watches_where_the_kernel_cannot(monkeypatch, killed):
    calls, done = killed
    reader, writer = os.pipe()
    monkeypatch.setattr(lifeline, "KERNEL", False)
    monkeypatch.setenv(lifeline.VARIABLE, str(reader))
    assert not lifeline.arm(reader, os.getpgrp())
    lifeline.watch()
    assert lifeline.VARIABLE not in os.environ
    assert calls == []
    os.close(writer)
    assert done.wait(20)
    assert calls == [(0, signal.SIGKILL)]
    os.close(reader)


@pytest.mark.skipif(not lifeline.KERNEL, reason="the kernel cannot do it")
def test_the_kernel_kills_the_group_when_the_lifeline_closes():
    reader, writer = os.pipe()
    child = subprocess.Popen(["sleep", "60"], start_new_session=True, pass_fds=[reader])
    assert lifeline.arm(reader, child.pid)
    os.close(reader)
    os.close(writer)
    assert child.wait(20) == -signal.SIGKILL


@pytest.mark.skipif(not lifeline.KERNEL, reason="the kernel cannot do it")
@pytest.mark.parametrize("closed", [True, False])
def test_a_lifeline_that_closed_before_it_was_armed_is_noticed(monkeypatch, killed, closed):
    reader, writer = os.pipe()
    if closed:
        os.close(writer)
    # The group of this very test is not to be killed when the test closes its pipe.
    monkeypatch.setattr(lifeline, "arm", lambda *_: True)
    monkeypatch.setenv(lifeline.VARIABLE, str(reader))
    lifeline.watch()
    assert killed[0] == ([(0, signal.SIGKILL)] if closed else [])
    os.close(reader)
    if not closed:
        os.close(writer)


def test_a_kernel_that_refuses_is_not_relied_on():
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert not lifeline.arm(reader, os.getpgrp())
