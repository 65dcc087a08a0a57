"""The lifeline: a pipe by which a process group ends when its launcher does, however the launcher ended.

Its only write end is held by the launcher. When that is gone, the kernel closes the end and, where it can
(Linux: ``O_ASYNC`` with ``F_SETOWN`` and ``F_SETSIG``, see fcntl(2)), sends SIGKILL to the whole group. That
needs no help of the group, and holds as long as one of its processes keeps the read end open. Elsewhere a
thread of the rank waits for it.

The launcher can arm the lifeline only when the group exists, so a launcher that is killed in that very moment
would leave it unarmed. A Python rank therefore arms it again and looks whether the launcher is still there.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
from threading import Thread

__all__ = ["KERNEL", "VARIABLE", "arm", "watch"]

KERNEL = hasattr(fcntl, "F_SETSIG")
"""Whether the kernel knows how to kill a group when its lifeline closes."""

VARIABLE = "FMI_LIFELINE"
"""Tells a rank which descriptor is its lifeline's read end."""


def arm(reader: int, group: int) -> bool:
    """Let the kernel kill process group ``group`` when the write end of ``reader`` closes; whether it will."""
    if not KERNEL:
        return False
    try:
        fcntl.fcntl(reader, fcntl.F_SETOWN, -group)
        fcntl.fcntl(reader, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:  # sandboxes that only look like Linux
        return False
    return True


def watch() -> None:
    """In a rank: make sure that this process's group ends with its launcher."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    reader = int(text)
    if not arm(reader, os.getpgrp()):
        os.set_inheritable(reader, False)
        Thread(target=_wait, args=(reader,), name="fmi-lifeline", daemon=True).start()
        return
    poll = select.poll()
    poll.register(reader, 0)
    if poll.poll(0):  # it closed before it was armed
        _end()


def _wait(reader: int) -> None:
    os.read(reader, 1)
    _end()


def _end() -> None:
    os.killpg(0, signal.SIGKILL)
