"""What a rank runs first: ``python -m fmi_core.launch.bootstrap REPORT_FD RANK KIND PROGRAM [ARGS...]``.

It runs a script or a module as ``__main__``, as Python itself would. If the program ends with an uncaught
exception, the launcher is told over a pipe, so that it can show the root cause once, instead of every rank
printing a traceback; and the other ranks are told through the program's communicator.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from threading import get_ident
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

from fmi_core.errors import FmiError
from fmi_core.launch import lifeline, program

__all__ = ["main", "run", "send", "tell_others"]

OWN_FILES = (__file__, program.__file__)
"""Files whose frames a user is not shown."""


def main(argv: list[str]) -> None:
    """Run the program that ``argv`` names and return when it is over; what it raises, passes.

    Args:
        argv: the arguments in this module's docstring.
    """
    report_fd, rank, kind, name, *arguments = argv
    os.set_inheritable(int(report_fd), False)
    lifeline.watch()
    for stream in (sys.stdout, sys.stderr):
        # A pipe is buffered in blocks by default, and its reader would see lines much too late.
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # Python's own, not yet replaced
    _end_like_exit()
    sys.excepthook = _Reporter(int(report_fd), int(rank))
    program.adopt(kind, name, arguments)
    # A new module, that stays: threads and exit functions of the program may outlive its code.
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        run(kind, name, sys.modules["__main__"].__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            tell_others(f"rank {rank} exited with code {error.code if isinstance(error.code, int) else 1}")
        raise


def run(kind: str, name: str, namespace: dict[str, Any]) -> None:
    """Run the program in ``namespace``; if it ends well, let its communicators leave the job.

    Raises:
        BaseException: what the program raises, or what leaving the job brings to light.
    """
    try:
        program.load(kind, name).run(namespace)
    except SystemExit as error:
        if error.code in (None, 0):
            _finish()
        raise
    _finish()


def send(report_fd: int, line: bytes) -> None:
    """Write ``line`` to the launcher; if that is gone, so will this process be soon."""
    with suppress(BrokenPipeError):
        while line:
            line = line[os.write(report_fd, line) :]


def _finish() -> None:
    runtime = sys.modules.get("fmi_core.runtime")  # a program that never loaded it has no communicator
    if runtime is not None:
        runtime.finish()


def tell_others(sentence: str) -> None:
    """Let the communicators of this process, if there are any, tell the other ranks that this one failed."""
    runtime = sys.modules.get("fmi_core.runtime")  # a program that never loaded it has no communicator
    if runtime is not None:
        with suppress(FmiError):  # the way to the others may be what failed
            runtime.fail(sentence)


class _Reporter:
    """The hook for uncaught exceptions of ``rank``."""

    def __init__(self, report_fd: int, rank: int) -> None:
        self._report_fd = report_fd
        self._rank = rank
        self._pid = os.getpid()

    def __call__(self, kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
        if os.getpid() != self._pid:  # a child that the program forked is not the rank
            sys.__excepthook__(kind, error, frames)
            return
        from fmi_core.launch.failures import Ending, from_exception

        failure = from_exception(self._rank, error.with_traceback(frames), OWN_FILES)
        send(self._report_fd, Ending(failure).encode())
        tell_others(f"rank {self._rank} {failure.reason}")


def _end_like_exit() -> None:
    """From now on SIGTERM ends the program like ``sys.exit``, so that ``with`` and ``finally`` can clean up.

    Children that the program forks end by the signal itself, as they are used to. While a fork is under way
    SIGTERM is held back: Python forgets signals that reach a child before it has collected itself.
    """
    held: dict[int, set[signal.Signals | int]] = {}

    def hold() -> None:
        if signal.getsignal(signal.SIGTERM) is _terminate:
            held[get_ident()] = set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))

    def release() -> None:
        mask = held.pop(get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def reset() -> None:
        if get_ident() in held:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=reset)
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1:])
