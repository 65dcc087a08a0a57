"""Starting the ranks: one process each, or all in one; pipes for their output and their last words."""

from __future__ import annotations

import json
import os
import selectors
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from fmi_core.launch.members import Member
from fmi_core.launch.processes import Process

if TYPE_CHECKING:
    from fmi_core.launch.command import Program
    from fmi_core.launch.output import Output

__all__ = ["start_processes", "start_threads"]


class _Pipes(ExitStack):
    """The write ends that one child inherits; the block's end closes them here."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def writer(self, rank: int, name: str) -> int:
        """The write end of a pipe for ``rank``'s ``stdout`` or ``stderr``."""
        reader, writer = os.pipe()
        self.callback(os.close, writer)
        self._output.attach(reader, rank, name)
        return writer

    def report(self) -> tuple[int, int]:
        """Both ends of a pipe for a rank's last words; the read end is the caller's to close."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self.callback(os.close, writer)
        return reader, writer


def start_processes(
    program: Program, ranks: int, common: Mapping[str, str], output: Output, selector: selectors.BaseSelector
) -> Iterator[Member]:
    """Start each rank in a process of its own; yields every rank as soon as it runs.

    Raises:
        OSError: a process cannot be started; those that were yielded run.
    """
    for rank in range(ranks):
        environment = {**common, "FMI_RANK": str(rank)}
        with _Pipes(output) as pipes:
            stdout, stderr = pipes.writer(rank, "stdout"), pipes.writer(rank, "stderr")
            reader, inherited = -1, []
            if program.kind == "executable":
                argv = [program.name]
                # A Python that runs as "an executable" would keep its lines back until its buffer is full.
                environment.setdefault("PYTHONUNBUFFERED", "1")
            else:
                reader, writer = pipes.report()
                inherited = [writer]
                argv = _python("fmi_core.launch.bootstrap", str(writer), str(rank), program.kind, program.name)
            try:
                process = Process(
                    [*argv, *program.arguments],
                    environment,
                    stdin=_stdin() if rank == 0 else None,
                    stdout=stdout,
                    stderr=stderr,
                    inherited=inherited,
                    watches=program.kind != "executable",
                )
            except OSError:
                _close(reader)
                raise
        member = Member(rank, process, reader, alone=True)
        _listen(selector, member)
        yield member


def start_threads(
    program: Program, ranks: int, common: Mapping[str, str], output: Output, selector: selectors.BaseSelector
) -> Iterator[Member]:
    """Start all ranks as threads of one process.

    Raises:
        OSError: the process cannot be started.
    """
    readers: list[int] = []
    try:
        with _Pipes(output) as pipes:
            plan = []
            for rank in range(ranks):
                reader, writer = pipes.report()
                readers.append(reader)
                plan.append([writer, pipes.writer(rank, "stdout"), pipes.writer(rank, "stderr")])
            process = Process(
                [
                    *_python("fmi_core.launch.threads", json.dumps(plan), program.kind, program.name),
                    *program.arguments,
                ],
                common,
                stdin=_stdin(),
                stdout=pipes.writer(-1, "stdout"),
                stderr=pipes.writer(-1, "stderr"),
                inherited=[fd for fds in plan for fd in fds],
                watches=True,
            )
    except OSError:
        for reader in readers:
            _close(reader)
        raise
    members = [Member(rank, process, reader, alone=False) for rank, reader in enumerate(readers)]
    for member in members:
        _listen(selector, member)
    yield from members


def _listen(selector: selectors.BaseSelector, member: Member) -> None:
    fd = member.report_fd
    if fd < 0:
        return

    def read(_mask: int) -> None:
        if not member.read_report():
            selector.unregister(fd)

    selector.register(fd, selectors.EVENT_READ, read)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _stdin() -> int | None:
    """The launcher's standard input, if it has one; if not, descriptor 0 may be something else by now."""
    return None if sys.stdin is None else 0


def _close(fd: int) -> None:
    with suppress(OSError):
        os.close(fd)
