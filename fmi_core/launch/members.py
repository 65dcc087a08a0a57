"""One rank, as its launcher sees it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from fmi_core.errors import IntegrityError
from fmi_core.launch.failures import Ending, Failure, from_status

if TYPE_CHECKING:
    from fmi_core.launch.processes import Process

__all__ = ["Member"]

_READ_BYTES = 64 * 1024


class Member:
    """Rank ``number``, which runs in ``process``, alone or with others.

    Attributes:
        over: the program has ended.
        failure: how it failed, as soon as that is known; ``None`` so far, or if it went well.
        ledger: what it put on record, if that came over the report pipe.
        report_fd: the read end of the report pipe, non-blocking; -1 if there is none.
    """

    def __init__(self, number: int, process: Process, report_fd: int, *, alone: bool) -> None:
        self.number = number
        self.process = process
        self.report_fd = report_fd
        self.over = False
        self.failure: Failure | None = None
        self.ledger = ""
        self._alone = alone
        self._said = bytearray()
        self._silent = report_fd < 0

    def read_report(self) -> bool:
        """Take what the rank has to say; ``False`` when it will say no more."""
        while not self._silent:
            try:
                data = os.read(self.report_fd, _READ_BYTES)
            except BlockingIOError:
                break
            self._said += data
            if not data or b"\n" in data:
                self._silent = True
                self._understand(bytes(self._said))
        return not self._silent

    def _understand(self, said: bytes) -> None:
        if not said:
            return
        # What cannot be read was written by somebody else, or cut short: the exit code will have to do.
        with suppress(IntegrityError):
            ending = Ending.decode(said)
            self.failure = ending.failure
            self.ledger = ending.ledger
            # Alone in its process, the rank still has exit functions to run, and output to write.
            self.over = not self._alone

    def check(self) -> None:
        """Find out whether the rank is over by now."""
        if self.over:
            return
        status = self.process.status()
        if status is None:
            return
        self.read_report()  # once more: it may have come between the last look and the end
        if not self.over:
            self.over = True
            if self.failure is None and status != 0:
                self.failure = from_status(self.number, status)

    def close(self) -> None:
        """Let go of the report pipe; idempotent."""
        if self.report_fd >= 0:
            os.close(self.report_fd)
            self.report_fd = -1
            self._silent = True
