"""The signals that a launcher listens to, turned into something a selector can wait for."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from fmi_core.errors import UnsupportedError

__all__ = ["Signals"]

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Catches the signals that ask to stop, and SIGCHLD, for the length of a ``with`` block.

    Attributes:
        stops: the signals that asked to stop, in order of arrival.

    Raises:
        UnsupportedError: entered in a thread that is not the main thread.
    """

    def __init__(self) -> None:
        self.stops: list[int] = []
        self._previous: dict[int, Any] = {}
        self._reader = self._writer = self._previous_wakeup = -1

    def fileno(self) -> int:
        """Readable once a signal has come."""
        return self._reader

    def drain(self, _mask: int = 0) -> None:
        """Make :meth:`fileno` wait for the next signal."""
        with suppress(BlockingIOError):
            while os.read(self._reader, 512):
                pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stops.append(number)

    def __enter__(self) -> Signals:
        if threading.current_thread() is not threading.main_thread():
            raise UnsupportedError(
                "a job is started from the main thread only, since it handles signals; "
                "in another thread start 'fmi run' as a subprocess",
                feature="launch from a thread",
            )
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._previous_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGCHLD):
            # nohup ignores SIGHUP for its command, and that is to stay so.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            # A handler that was not set from Python (None) cannot be set back from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self._reader)
        os.close(self._writer)
