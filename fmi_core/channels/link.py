"""One open connection to one rank: frames out, frames in, never blocking."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Sequence

from fmi_core.channels.framing import FrameReader
from fmi_core.channels.transport import Sending
from fmi_core.payload import View

__all__ = ["Link", "LinkClosed", "Outgoing"]

_MAX_VIEWS = 512  # below IOV_MAX (1024 on Linux)
_READS_PER_CALL = 16


class LinkClosed(Exception):  # noqa: N818  # a signal between two files, never seen outside
    """The connection is at its end; the text says how it ended."""


class Outgoing:
    """One frame on its way out: what is left of it, and whom to tell."""

    __slots__ = ("sending", "views")

    def __init__(self, views: list[View], sending: Sending) -> None:
        self.views = views
        self.sending = sending


class Link:
    """A connected, authenticated socket to rank ``peer``.

    Attributes:
        unsent: whether frames wait for the socket to take them.
    """

    __slots__ = ("_queue", "_reader", "peer", "sock")

    def __init__(self, sock: socket.socket, peer: int, reader: FrameReader) -> None:
        self.sock = sock
        self.peer = peer
        self._reader = reader
        self._queue: deque[Outgoing] = deque()

    @property
    def unsent(self) -> bool:
        """Whether frames wait for the socket to take them."""
        return bool(self._queue)

    @property
    def middle(self) -> bool:
        """Whether a frame from the peer has begun and is not complete."""
        return self._reader.middle

    def send(self, frame: Outgoing) -> None:
        """Send a frame, now as far as the socket takes it, the rest by :meth:`write`.

        Raises:
            LinkClosed: the peer is gone.
        """
        self._queue.append(frame)
        if len(self._queue) == 1:
            self.write()

    def write(self) -> bool:
        """Send what the socket takes; returns whether it took anything.

        Raises:
            LinkClosed: the peer is gone.
        """
        moved = False
        while self._queue:
            frame = self._queue[0]
            try:
                count = self.sock.sendmsg(frame.views[:_MAX_VIEWS])
            except BlockingIOError:
                return moved
            except OSError as error:
                raise LinkClosed(os.strerror(error.errno or 0)) from None
            moved = True
            frame.views = _after(frame.views, count)
            if not frame.views:
                self._queue.popleft()
                frame.sending.pending -= 1
        return moved

    def read(self) -> bool:
        """Take in what has arrived; returns whether there was anything.

        Raises:
            LinkClosed: the peer is gone.
            IntegrityError: what arrived is not a frame.
        """
        moved = False
        for _ in range(_READS_PER_CALL):
            buffer = self._reader.buffer()
            try:
                count = self.sock.recv_into(buffer)
            except BlockingIOError:
                return moved
            except OSError as error:
                raise LinkClosed(os.strerror(error.errno or 0)) from None
            if not count:
                raise LinkClosed("in the middle of a message" if self._reader.middle else "connection closed")
            self._reader.received(count)
            moved = True
            if count < buffer.nbytes or not self._reader.middle:  # between frames, the caller may hold the peer back
                return True
        return True

    def close(self) -> None:
        """Close the socket; idempotent."""
        self.sock.close()


def _after(views: Sequence[View], count: int) -> list[View]:
    """What is left of ``views`` after their first ``count`` bytes."""
    for index, view in enumerate(views):
        if count < view.nbytes:
            return [view[count:], *views[index + 1 :]]
        count -= view.nbytes
    return []
