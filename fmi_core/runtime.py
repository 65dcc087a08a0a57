"""Where this program runs: alone, as one process of a job, or as one thread of several ranks.

This module only remembers; it is read by :func:`fmi_core.init` and written by launchers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

__all__ = ["InProcess", "fail", "finish", "in_process", "on_end", "placement"]


class InProcess(NamedTuple):
    """A rank that is a thread: the network it shares with the other threads, and its number."""

    hub: Any
    rank: int


class _Hooks(NamedTuple):
    finish: Callable[[], None]
    fail: Callable[[str], None]


_placement: ContextVar[InProcess | None] = ContextVar("fmi_placement", default=None)
_hooks: ContextVar[tuple[_Hooks, ...]] = ContextVar("fmi_hooks", default=())


@contextmanager
def in_process(hub: Any, rank: int) -> Iterator[None]:
    """Within it, ``fmi.init()`` gives rank ``rank`` of the in-process network ``hub``."""
    token = _placement.set(InProcess(hub, rank))
    hooks = _hooks.set(())
    try:
        yield
    finally:
        _hooks.reset(hooks)
        _placement.reset(token)


def placement() -> InProcess | None:
    """The in-process rank that this thread is, if it is one."""
    return _placement.get()


def on_end(finish: Callable[[], None], fail: Callable[[str], None]) -> None:
    """When this rank's program ends, call ``finish()`` if it ended well, ``fail(reason)`` if not."""
    _hooks.set((*_hooks.get(), _Hooks(finish, fail)))


def finish() -> None:
    """This rank's program ended well: leave the job together with the other ranks. The last hook goes first.

    Raises:
        FmiError: the job did not end well for all, or ranks disagree to the last.
    """
    for hooks in reversed(_hooks.get()):
        hooks.finish()


def fail(reason: str) -> None:
    """This rank's program failed: tell the other ranks."""
    for hooks in _hooks.get():
        hooks.fail(reason)
