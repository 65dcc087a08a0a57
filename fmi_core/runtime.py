"""Where this program runs: alone, as one process of a job, or as one thread of several ranks.

This module only remembers; it is read by :func:`fmi_core.init` and written by launchers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

__all__ = ["InProcess", "fail", "in_process", "on_failure", "placement"]


class InProcess(NamedTuple):
    """A rank that is a thread: the network it shares with the other threads, and its number."""

    hub: Any
    rank: int


_placement: ContextVar[InProcess | None] = ContextVar("fmi_placement", default=None)
_failure_hooks: ContextVar[tuple[Callable[[str], None], ...]] = ContextVar("fmi_failure_hooks", default=())


@contextmanager
def in_process(hub: Any, rank: int) -> Iterator[None]:
    """Within it, ``fmi.init()`` gives rank ``rank`` of the in-process network ``hub``."""
    token = _placement.set(InProcess(hub, rank))
    hooks = _failure_hooks.set(())
    try:
        yield
    finally:
        _failure_hooks.reset(hooks)
        _placement.reset(token)


def placement() -> InProcess | None:
    """The in-process rank that this thread is, if it is one."""
    return _placement.get()


def on_failure(hook: Callable[[str], None]) -> None:
    """Call ``hook(reason)`` when this rank's program fails."""
    _failure_hooks.set((*_failure_hooks.get(), hook))


def fail(reason: str) -> None:
    """This rank's program failed: tell the other ranks, by whatever was registered."""
    for hook in _failure_hooks.get():
        hook(reason)
