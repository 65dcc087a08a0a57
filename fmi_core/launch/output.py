"""The ranks' output: whole lines, labelled, in order, and no faster than they are read.

Theory of operation. Each rank has a pipe for its standard output and one for its standard error. What is read
from a pipe goes through a :class:`LineSplitter`; whole lines, labelled, go to the :class:`Sink` of the
launcher's own output, which writes only when that output can take more. When a sink has too much waiting, its
pipes are not read any more; they fill, and the ranks block in their writes: that is the back-pressure.
If both outputs are one file (a terminal, ``2>&1``), they share a sink, so that no line is cut by another.
"""

from __future__ import annotations

import array
import fcntl
import os
import selectors
import termios
from collections.abc import Callable, Mapping

__all__ = ["LineSplitter", "Output", "Sink", "label"]

_LINE_LIMIT_BYTES = 16 * 2**20
_READ_BYTES = 64 * 1024
_FULL_BYTES = 2**20
# A pipe that poll(2) calls writable takes this much without blocking (PIPE_BUF of Linux; POSIX grants 512).
_WRITE_BYTES = 4096
_COLOURS = (36, 33, 32, 35, 34, 31)


def label(rank: int, ranks: int, *, colour: bool) -> bytes:
    """What stands before a line of ``rank``: ``[ 3] `` for 11 ranks or more; -1 stands for all of them."""
    text = f"[{'*' if rank < 0 else rank:>{len(str(ranks - 1))}}]"
    return (f"\x1b[{_COLOURS[rank % len(_COLOURS)]}m{text}\x1b[0m " if colour else text + " ").encode()


class LineSplitter:
    """Cuts a stream of bytes into lines, however it arrives; does no input or output itself.

    A line longer than ``limit_bytes`` is cut, so that a program that never ends its line is seen after all,
    and cannot fill the launcher's memory.
    """

    def __init__(self, limit_bytes: int = _LINE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, each with its newline."""
        first, *others = data.split(b"\n")
        self._held += first
        lines = []
        for other in others:
            lines.append(bytes(self._held) + b"\n")
            self._held = bytearray(other)
        if len(self._held) >= self._limit_bytes:
            lines += self.close()
        return lines

    def close(self) -> list[bytes]:
        """The last line, if it has no newline yet: it gets one."""
        last = [bytes(self._held) + b"\n"] if self._held else []
        self._held.clear()
        return last


class Sink:
    """One output of the launcher, and the bytes that still wait for it.

    Attributes:
        error: why it takes nothing any more (nobody reads it, the disk is full), or ``None``.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.error: OSError | None = None
        self._waiting = bytearray()

    @property
    def waiting_bytes(self) -> int:
        """How much is still to be written."""
        return len(self._waiting)

    def push(self, data: bytes) -> None:
        """Add ``data`` to what waits; nothing is kept for a sink that failed."""
        if self.error is None:
            self._waiting += data

    def write_some(self) -> None:
        """Write a little; does not block if poll(2) said that the output is writable."""
        try:
            del self._waiting[: os.write(self.fd, self._waiting[:_WRITE_BYTES])]
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = error
            self._waiting.clear()


class _Stream:
    """One pipe from a rank."""

    def __init__(self, fd: int, prefix: bytes, sink: Sink) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.sink = sink
        self.left_bytes = -1  # read no more than this; -1: until the end of the file
        self._prefix = prefix
        self._lines = LineSplitter()

    def read_some(self) -> bool:
        """Hand a piece of what is there to the sink; ``False`` at the end."""
        want = _READ_BYTES if self.left_bytes < 0 else min(_READ_BYTES, self.left_bytes)
        try:
            data = os.read(self.fd, want)
        except BlockingIOError:
            return True
        lines = self._lines.feed(data) if data else self._lines.close()
        if self.left_bytes >= 0:
            self.left_bytes -= len(data)
        self.sink.push(b"".join(self._prefix + line for line in lines))
        return bool(data)


class Output:
    """All pipes from the ranks, and the way out.

    Descriptors are registered with ``selector``, with a function of the event mask as their data.
    """

    def __init__(self, selector: selectors.BaseSelector, *, stdout: int, stderr: int, ranks: int, labels: bool) -> None:
        self._selector = selector
        self._ranks = ranks
        self._labels = labels
        out = Sink(stdout)
        same = os.path.samestat(os.fstat(stdout), os.fstat(stderr))
        self._sinks = {"stdout": out, "stderr": out if same else Sink(stderr)}
        self._streams: dict[Sink, set[_Stream]] = {sink: set() for sink in self._sinks.values()}
        self._paused: set[Sink] = set()

    @property
    def open(self) -> int:
        """How many pipes are not at their end."""
        return sum(map(len, self._streams.values()))

    @property
    def error(self) -> OSError | None:
        """Why one of the outputs takes nothing any more, if so."""
        return next((sink.error for sink in self._streams if sink.error), None)

    def attach(self, fd: int, rank: int, name: str, environ: Mapping[str, str] = os.environ) -> None:
        """Read ``fd``, the ``stdout`` or ``stderr`` of ``rank``, from now on; it is closed at its end."""
        sink = self._sinks[name]
        colour = os.isatty(sink.fd) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        stream = _Stream(fd, label(rank, self._ranks, colour=colour) if self._labels else b"", sink)
        self._streams[sink].add(stream)
        if sink not in self._paused:
            self._selector.register(fd, selectors.EVENT_READ, self._reader(stream))

    def say(self, text: str) -> None:
        """A message of the launcher's own, on the standard error."""
        lines = [f"{'' if number else 'fmi: '}{line}\n" for number, line in enumerate(text.splitlines())]
        self._sinks["stderr"].push("".join(lines).encode("utf-8", "backslashreplace"))
        self._settle(self._sinks["stderr"])

    def _reader(self, stream: _Stream) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            if stream.fd >= 0 and stream.sink not in self._paused:
                self._read(stream)
                self._settle(stream.sink)

        return read

    def _read(self, stream: _Stream) -> None:
        if not stream.read_some():
            if stream.fd in self._selector.get_map():
                self._selector.unregister(stream.fd)
            os.close(stream.fd)
            stream.fd = -1
            self._streams[stream.sink].discard(stream)

    def _settle(self, sink: Sink) -> None:
        """Wait for the sink while something waits for it; read its pipes while it has not too much."""
        listening = sink.fd in self._selector.get_map()
        if sink.waiting_bytes and not listening:
            self._selector.register(sink.fd, selectors.EVENT_WRITE, self._writer(sink))
        elif not sink.waiting_bytes and listening:
            self._selector.unregister(sink.fd)
        if sink.waiting_bytes >= _FULL_BYTES and sink not in self._paused:
            self._paused.add(sink)
            for stream in self._streams[sink]:
                self._selector.unregister(stream.fd)
        elif sink.waiting_bytes < _FULL_BYTES // 2 and sink in self._paused:
            self._paused.discard(sink)
            for stream in self._streams[sink]:
                self._selector.register(stream.fd, selectors.EVENT_READ, self._reader(stream))

    def _writer(self, sink: Sink) -> Callable[[int], None]:
        def write(_mask: int) -> None:
            sink.write_some()
            self._settle(sink)

        return write

    def cut(self) -> None:
        """End every pipe behind what it holds now: who may still write to it is none of the ranks."""
        for streams in self._streams.values():
            for stream in tuple(streams):
                held = array.array("i", [0])
                fcntl.ioctl(stream.fd, termios.FIONREAD, held)
                stream.left_bytes = held[0]

    def finish(self, give_up: Callable[[], bool]) -> None:
        """Write all that waits, and all that is left in pipes after :meth:`cut`; then close them.

        ``give_up`` is asked now and then, and what could not be written until it is true is dropped.
        """
        while (self.open or any(sink.waiting_bytes for sink in self._streams)) and not give_up():
            for sink in set(self._streams) - self._paused:
                for stream in tuple(self._streams[sink]):
                    self._read(stream)
                self._settle(sink)
            for key, mask in self._selector.select(0.05):
                key.data(mask)
        self.close()

    def close(self) -> None:
        """Drop what is left; idempotent."""
        for sink, streams in self._streams.items():
            for stream in tuple(streams):
                stream.left_bytes = 0
                self._read(stream)
            if sink.fd in self._selector.get_map():
                self._selector.unregister(sink.fd)
