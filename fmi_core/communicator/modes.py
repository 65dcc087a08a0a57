"""The other modes of sending: synchronous, buffered, ready.

A synchronous send is complete when a receive has taken its message. The message says so and has a
number; the receiver answers with an empty message of that number on an internal context. A buffered
or a ready send is a plain one here: a plain send may buffer, and never needs the receive to be there.
"""

from __future__ import annotations

import time
from typing import Any

from fmi_core.communicator.point_to_point import OBJECT, PointToPoint
from fmi_core.communicator.requests import Request
from fmi_core.payload import as_bytes, encode

__all__ = ["SendModes"]


class SendModes(PointToPoint):
    """Ssend, Bsend, Rsend and their non-blocking and lower-case forms; arguments are those of ``send``."""

    def ssend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object; returns once a receive has taken it."""
        self._ssend("ssend", obj, dest, tag, time.perf_counter()).wait()

    def issend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Begin to send an object; the request is complete once a receive has taken it."""
        return self._ssend("issend", obj, dest, tag, None)

    def Ssend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer; returns once a receive has taken it."""
        self._Ssend("Ssend", buf, dest, tag, time.perf_counter()).wait()

    def Issend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Begin to send a buffer; the request is complete once a receive has taken it."""
        return self._Ssend("Issend", buf, dest, tag, None)

    def bsend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """As ``send``."""
        self.send(obj, dest, tag)

    def ibsend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """As ``isend``."""
        return self.isend(obj, dest, tag)

    def rsend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """As ``send``."""
        self.send(obj, dest, tag)

    def irsend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """As ``isend``."""
        return self.isend(obj, dest, tag)

    def Bsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """As ``Send``."""
        self.Send(buf, dest, tag)

    def Ibsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """As ``Isend``."""
        return self.Isend(buf, dest, tag)

    def Rsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """As ``Send``."""
        self.Send(buf, dest, tag)

    def Irsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """As ``Isend``."""
        return self.Isend(buf, dest, tag)

    def _ssend(self, what: str, obj: Any, dest: int, tag: int, began: float | None) -> Request:
        return self._isend(what, dest, tag, OBJECT, lambda: encode(obj), began, synchronous=True)

    def _Ssend(self, what: str, buf: Any, dest: int, tag: int, began: float | None) -> Request:
        array = self._outgoing(buf, dest)
        descriptor = array.dtype.str.encode()
        return self._isend(what, dest, tag, descriptor, lambda: [as_bytes(array)], began, synchronous=True)
