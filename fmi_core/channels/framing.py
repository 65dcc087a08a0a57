"""Frames on a byte stream, without the stream: how messages are cut, told apart and reassembled.

A frame is a fixed header, a *descriptor* (what the sender is doing, compared on arrival), and the
payload::

    kind u8 | zero u8 | descriptor bytes u16 | context u32 | tag i64 | payload bytes u64     24 bytes

all little-endian. :class:`FrameReader` is fed by whoever reads the socket: :meth:`~FrameReader.buffer`
says where the next bytes go and :meth:`~FrameReader.received` how many came. Large payloads are
read straight into their final place, small frames by the dozen through one staging buffer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from fmi_core.errors import IntegrityError
from fmi_core.payload import View

__all__ = ["MAX_DESCRIPTOR_BYTES", "MAX_PAYLOAD_BYTES", "FrameReader", "Header", "Kind", "Sink", "pack_header"]

MAX_DESCRIPTOR_BYTES = 4096
MAX_PAYLOAD_BYTES = 2**40
_HEADER = struct.Struct("<BBHIqQ")
_STAGING_BYTES = 64 * 1024


class Kind(IntEnum):
    """What a frame is."""

    DATA = 1  # a message
    WAIT = 2  # "I wait for you": context, tag (a collective's number) and descriptor say for what
    BYE = 3  # the sender will send nothing more


class Header(NamedTuple):
    """A frame's header, checked."""

    kind: Kind
    context: int
    tag: int
    nbytes: int


class Sink(Protocol):
    """Where a payload goes: ``views`` are filled in order, then :meth:`finish` is called."""

    views: Sequence[View]

    def finish(self) -> None:
        """The payload is complete."""
        ...


_KINDS = {int(kind): kind for kind in Kind}


def pack_header(kind: Kind, context: int, tag: int, nbytes: int, descriptor: bytes) -> bytes:
    """The bytes that open a frame: its header and its descriptor."""
    return _HEADER.pack(kind, 0, len(descriptor), context, tag, nbytes) + descriptor


class FrameReader:
    """Cuts a byte stream into frames.

    Args:
        on_frame: called with each header and descriptor; answers where the payload goes, or
            ``None`` for a frame without one.
    """

    def __init__(self, on_frame: Callable[[Header, bytes], Sink | None]) -> None:
        self._on_frame = on_frame
        self._staging = memoryview(bytearray(_STAGING_BYTES))
        self._start = 0  # parsed so far
        self._end = 0  # filled so far
        self._sink: Sink | None = None
        self._views: Sequence[View] = ()
        self._view = 0  # index of the view being filled
        self._offset = 0  # bytes of it that are filled
        self._left = 0  # payload bytes still to come
        self._direct = False

    @property
    def middle(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._left > 0 or self._end > self._start

    @property
    def payload_left(self) -> int:
        """How many bytes of the present payload are still to come."""
        return self._left

    def buffer(self) -> View:
        """Where the next bytes of the stream go; never empty."""
        if self._left > _STAGING_BYTES // 2:
            self._direct = True
            view = self._views[self._view]
            while self._offset == view.nbytes:
                self._view += 1
                self._offset = 0
                view = self._views[self._view]
            end = min(view.nbytes, self._offset + self._left)
            return view[self._offset : end]
        self._direct = False
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == _STAGING_BYTES:
            rest = self._end - self._start
            self._staging[:rest] = bytes(self._staging[self._start : self._end])
            self._start, self._end = 0, rest
        return self._staging[self._end :]

    def received(self, count: int) -> None:
        """``count`` bytes were put at the start of the last :meth:`buffer`.

        Raises:
            IntegrityError: the bytes are not a frame.
        """
        if self._direct:
            self._offset += count
            self._left -= count
            if not self._left:
                self._finish()
            return
        self._end += count
        while self._parse():
            pass

    def _parse(self) -> bool:
        """One step over the staged bytes; ``False`` when more are needed."""
        if self._sink is not None:
            return self._fill()
        if self._end - self._start < _HEADER.size:
            return False
        kind, zero, described, context, tag, nbytes = _HEADER.unpack_from(self._staging, self._start)
        if kind not in _KINDS or zero or described > MAX_DESCRIPTOR_BYTES or nbytes > MAX_PAYLOAD_BYTES:
            raise IntegrityError(
                f"not a frame: kind {kind}, descriptor of {described} bytes, payload of {nbytes} bytes"
            )
        body = self._start + _HEADER.size
        if self._end - body < described:
            return False
        descriptor = bytes(self._staging[body : body + described])
        self._start = body + described
        sink = self._on_frame(Header(_KINDS[kind], context, tag, nbytes), descriptor)
        if sink is None:
            if nbytes:
                raise IntegrityError(f"a {_KINDS[kind].name} frame has a payload of {nbytes} bytes, expected none")
            return True
        self._sink = sink
        self._views = sink.views
        self._view = self._offset = 0
        self._left = nbytes
        if not nbytes:
            self._finish()
        return True

    def _fill(self) -> bool:
        staged = min(self._end - self._start, self._left)
        if not staged:
            return False
        view = self._views[self._view]
        count = min(staged, view.nbytes - self._offset)
        view[self._offset : self._offset + count] = self._staging[self._start : self._start + count]
        self._start += count
        self._offset += count
        self._left -= count
        if not self._left:
            self._finish()
        elif self._offset == view.nbytes:
            self._view += 1
            self._offset = 0
        return True

    def _finish(self) -> None:
        sink, self._sink, self._views = self._sink, None, ()
        assert sink is not None
        sink.finish()
