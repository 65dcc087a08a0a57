"""``--channel memory``: all ranks are threads of one process.

``python -m fmi_core.launch.threads PLAN KIND PROGRAM [ARGS...]``, where ``PLAN`` is a JSON list that holds,
for each rank, the descriptors that the launcher reads: ``[report, stdout, stderr]``. Every thread runs the
program in a namespace of its own. What a thread prints goes to its rank's pipe; what belongs to no rank (a
thread that a program starts, C code) goes to the process's own output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, TextIO, cast

from fmi_core.channels.memory import MemoryHub
from fmi_core.launch import bootstrap, lifeline, program
from fmi_core.launch.failures import Ending, Failure, from_exception, from_status
from fmi_core.launch.report import PREFIX
from fmi_core.runtime import in_process

__all__ = ["main"]


@dataclass(frozen=True)
class _Slot:
    """What is a rank's own: its streams, its namespace, its pipe to the launcher."""

    rank: int
    report_fd: int
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    namespace: dict[str, Any] = field(default_factory=dict)

    def flush(self) -> None:
        self.stdout.flush()
        self.stderr.flush()


_SLOT: ContextVar[_Slot | None] = ContextVar("fmi_slot", default=None)


class _PerRank:
    """A stream of :mod:`sys` that is another one in every rank."""

    def __init__(self, name: str, outside: TextIO) -> None:
        self._name = name
        self._outside = outside

    def _stream(self) -> TextIO:
        slot = _SLOT.get()
        return self._outside if slot is None else cast("TextIO", getattr(slot, self._name))

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._stream(), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream())


class _PerRankMain(ModuleType):
    """``sys.modules["__main__"]``: pickle finds in it the classes of the rank that asks."""

    def __getattr__(self, name: str) -> Any:
        slot = _SLOT.get()
        if slot is None or name not in slot.namespace:
            raise AttributeError(f"module '__main__' has no attribute {name!r}")
        return slot.namespace[name]


class _Ended:
    """Swallows what the rank's program raises, tells the other ranks, and keeps it as a failure."""

    def __init__(self, slot: _Slot) -> None:
        self.failure: Failure | None = None
        self._slot = slot

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> bool:
        failure = None
        if isinstance(error, SystemExit):
            code = _exit_code(error)
            failure = from_status(self._slot.rank, code) if code else None
        elif error is not None:
            failure = from_exception(self._slot.rank, error, (__file__, *bootstrap.OWN_FILES))
        if failure is not None and self.failure is None:
            self.failure = failure
            bootstrap.tell_others(f"rank {self._slot.rank} {failure.reason}")
        return True


def _exit_code(error: SystemExit) -> int:
    """The exit code that Python would give, after printing what Python would print."""
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _run_rank(slot: _Slot, hub: MemoryHub, kind: str, name: str) -> None:
    _SLOT.set(slot)
    ended = _Ended(slot)
    with in_process(hub, slot.rank), ended:
        bootstrap.run(kind, name, slot.namespace)
    slot.flush()
    ledger = hub.values.get(f"{PREFIX}{slot.rank}", b"")
    bootstrap.send(slot.report_fd, Ending(ended.failure, ledger.decode()).encode())


def _open_slot(rank: int, report_fd: int, stdout: int, stderr: int) -> _Slot:
    for fd in (report_fd, stdout, stderr):
        os.set_inheritable(fd, False)
    return _Slot(
        rank,
        report_fd,
        stdin=sys.stdin if rank == 0 else Path(os.devnull).open(encoding="utf-8"),
        stdout=open(stdout, "w", buffering=1, encoding=sys.stdout.encoding, errors=sys.stdout.errors),
        stderr=open(stderr, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors),
    )


def _terminate(slots: Sequence[_Slot], number: int, _frame: FrameType | None) -> None:
    """Threads cannot be interrupted: the process ends, with what was printed."""
    for slot in slots:
        slot.flush()
    os._exit(128 + number)


def main(argv: list[str]) -> None:
    """Run the program that ``argv`` names on all ranks, and return when all are over.

    Args:
        argv: the arguments in this module's docstring.
    """
    plan, kind, name, *arguments = argv
    lifeline.watch()
    slots = [_open_slot(rank, *fds) for rank, fds in enumerate(json.loads(plan))]
    signal.signal(signal.SIGTERM, partial(_terminate, slots))
    for stream in ("stdin", "stdout", "stderr"):
        setattr(sys, stream, _PerRank(stream, getattr(sys, stream)))
    program.adopt(kind, name, arguments)
    sys.modules["__main__"] = _PerRankMain("__main__")
    hub = MemoryHub(len(slots))
    threads = [
        threading.Thread(target=_run_rank, args=(slot, hub, kind, name), name=f"rank-{slot.rank}", daemon=True)
        for slot in slots
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
