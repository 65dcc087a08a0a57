"""Messages from one rank to another: of objects (lower case) and of buffers (upper case)."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG, Arrival, Receive
from fmi_core.communicator.base import TAG_UB, CommunicatorBase
from fmi_core.communicator.requests import (
    PROC_NULL,
    NullPending,
    PendingReceive,
    PendingSend,
    PendingSynchronous,
    Request,
    Status,
)
from fmi_core.communicator.specs import array_of, strided_of
from fmi_core.errors import ArgumentError, MismatchError
from fmi_core.payload import Array, View, as_bytes, decode, encode

__all__ = ["OBJECT", "PointToPoint"]

OBJECT = b"object"
"""What a message says of itself that carries a pickle."""
_RAW = frozenset({b"|u1", b"|i1", b"|S1", b"|V1"})
"""Types of single bytes, which match any type."""
_SYNCHRONOUS = b"\x1e"
"""After the type of a message whose sender waits to hear that it was matched; its number follows."""
_INTERNAL = 2
"""Added to a communicator's context: that of the messages which tell of a match."""


class PointToPoint(CommunicatorBase):
    """Send, receive, probe; blocking and not."""

    # --- objects ----------------------------------------------------------------------------------

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send any picklable object to rank ``dest``; returns once ``obj`` may change again.

        Raises:
            ArgumentError: ``dest`` or ``tag`` is out of range.
            DeadlineExceeded, PeerLostError, AbortedError, MismatchError: see :mod:`fmi_core.errors`.
        """
        self._send("send", dest, tag, OBJECT, lambda: encode(obj))

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Begin to send an object; it must not change before the request is complete."""
        return self._isend("isend", dest, tag, OBJECT, lambda: encode(obj))

    def recv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> Any:
        """Receive an object; its size need not be known.

        Args:
            buf: ignored (mpi4py has it).
            source: the sender's rank, or :data:`ANY_SOURCE`.
            tag: the message's tag, or :data:`ANY_TAG`.
            status: filled in with source, tag and size.

        Raises:
            MismatchError: the message was sent by an upper-case method.
            ArgumentError, DeadlineExceeded, PeerLostError, AbortedError: see :mod:`fmi_core.errors`.
        """
        del buf
        began = time.perf_counter()
        request = self._irecv("recv", source, tag, None, OBJECT)
        value = request.wait(status)
        self.ledger.record("recv", self.channel, "", 0, time.perf_counter() - began)
        return value

    def irecv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive an object, which the request's ``wait`` returns."""
        del buf
        return self._irecv("irecv", source, tag, None, OBJECT)

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Any:
        """Send one object and receive another at the same time."""
        request = self.irecv(recvbuf, source, recvtag)
        self._send("sendrecv", dest, sendtag, OBJECT, lambda: encode(sendobj))
        return request.wait(status)

    # --- buffers ----------------------------------------------------------------------------------

    def Send(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer to rank ``dest``, without a copy; returns once it may change again.

        Args:
            buf: a contiguous NumPy array or another buffer, of any shape; or a list of it and more
                (see :mod:`fmi_core.communicator.specs`).
            dest: the receiver's rank.
            tag: a number from 0 to :data:`TAG_UB`.

        Raises:
            ArgumentError: the buffer, ``dest`` or ``tag`` is not usable; says why.
            DeadlineExceeded, PeerLostError, AbortedError, MismatchError: see :mod:`fmi_core.errors`.
        """
        array = self._outgoing(buf, dest)
        self._send("Send", dest, tag, array.dtype.str.encode(), lambda: [as_bytes(array)])

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Begin to send a buffer; it must not change before the request is complete."""
        array = self._outgoing(buf, dest)
        return self._isend("Isend", dest, tag, array.dtype.str.encode(), lambda: [as_bytes(array)])

    def Recv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> None:
        """Receive into a buffer, which may be larger than the message.

        Raises:
            TruncationError: the message is larger than ``buf``.
            MismatchError: the message is an object, or an array of another dtype.
            ArgumentError, DeadlineExceeded, PeerLostError, AbortedError: see :mod:`fmi_core.errors`.
        """
        began = time.perf_counter()
        self.Irecv(buf, source, tag).wait(status)
        self.ledger.record("Recv", self.channel, "", 0, time.perf_counter() - began)

    def Irecv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive into a buffer."""
        if source == PROC_NULL:
            return self._irecv("Recv", source, tag, None, b"")
        array, unpack = strided_of(buf, name="buf", writable=True)
        return self._irecv("Recv", source, tag, [as_bytes(array)], array.dtype.str.encode(), _then(unpack, array))

    def Sendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> None:
        """Send one buffer and receive into another at the same time."""
        request = self.Irecv(recvbuf, source, recvtag)
        self.Send(sendbuf, dest, sendtag)
        request.wait(status)

    def Sendrecv_replace(
        self,
        buf: Any,
        dest: int,
        sendtag: int = 0,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> None:
        """Send a buffer, and receive another message into it."""
        array = self._outgoing(buf, dest)
        sent = array.copy()
        request = self.Irecv(buf, source, recvtag)
        self._send("Sendrecv_replace", dest, sendtag, array.dtype.str.encode(), lambda: [as_bytes(sent)])
        request.wait(status)

    # --- probing ----------------------------------------------------------------------------------

    def iprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> bool:
        """Whether a message that matches has arrived; it stays to be received."""
        where = self._where(source, tag)
        self._engine.check()
        if where is None:
            return False
        self._engine.progress()
        return self._probed(self._engine.matcher.probe(*where), status)

    def probe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> bool:
        """Wait until a message that matches has arrived; it stays to be received. Always true."""
        where = self._where(source, tag)
        if where is None:
            self._status_null(status)
            return True
        return self._probed(self._await_arrival(where), status)

    def Probe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> bool:
        """As :meth:`probe`."""
        return self.probe(source, tag, status)

    def Iprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> bool:
        """As :meth:`iprobe`."""
        return self.iprobe(source, tag, status)

    # --- inside -----------------------------------------------------------------------------------

    def _await_arrival(self, where: tuple[int, int, int]) -> Arrival:
        """Wait until a message has arrived that a receive with these arguments would take."""
        probing = _Probing(lambda: self._engine.matcher.probe(*where), self._others, *where)
        self._engine.wait(probing)
        assert probing.found is not None
        return probing.found

    @staticmethod
    def _outgoing(buf: Any, dest: int) -> Array:
        """The array to send; what goes nowhere need not be a buffer."""
        return array_of([None, 0] if dest == PROC_NULL else buf, name="buf")

    def _send(self, what: str, dest: int, tag: int, descriptor: bytes, payload: Callable[[], Sequence[View]]) -> None:
        began = time.perf_counter()
        self._isend(what, dest, tag, descriptor, payload, began).wait()

    def _isend(
        self,
        what: str,
        dest: int,
        tag: int,
        descriptor: bytes,
        payload: Callable[[], Sequence[View]],
        began: float | None = None,
        *,
        synchronous: bool = False,
    ) -> Request:
        self._check_open()
        self._check_tag(tag)
        if dest == PROC_NULL:
            return Request(self._engine, NullPending())
        peer = self._ranks[self._check_rank(dest, "dest")]
        self._engine.check()
        since = time.perf_counter() if began is None else began
        views = payload()
        nbytes = sum(view.nbytes for view in views)
        text = f"{what}(dest={dest}, tag={tag})"
        if synchronous:
            self._synchronous += 1
            matched = Receive(self._context | _INTERNAL, peer, self._synchronous, [])
            self._engine.matcher.post(matched)
            descriptor += _SYNCHRONOUS + b"%d" % self._synchronous
            sending = self._engine.post((peer,), self._context, tag, descriptor, views)
            pending: PendingSend = PendingSynchronous(sending, matched, self._context, tag, peer, text)
        else:
            sending = self._engine.post((peer,), self._context, tag, descriptor, views)
            pending = PendingSend(sending, self._context, tag, peer, text)

        def finish() -> None:
            self.ledger.record(what, self.channel, "", nbytes, time.perf_counter() - since)

        return Request(self._engine, pending, finish)

    def _irecv(
        self,
        what: str,
        source: int,
        tag: int,
        views: Sequence[View] | None,
        descriptor: bytes,
        then: Callable[[Arrival], None] | None = None,
    ) -> Request:
        where = self._where(source, tag)
        if where is None:
            return Request(self._engine, NullPending(), status=self._status_null)
        self._engine.check()
        receive = Receive(*where, views)
        self._engine.matcher.post(receive)
        pending = PendingReceive(receive, self._others, _text(what, source, tag), self._matched)

        def finish() -> Any:
            arrival = receive.arrival
            assert arrival is not None
            self._check_kind(arrival, descriptor)
            if then is not None:
                then(arrival)
            return decode(receive.data) if descriptor == OBJECT else None

        return Request(self._engine, pending, finish, lambda status: self._fill(status, receive.arrival))

    def _where(self, source: int, tag: int) -> tuple[int, int, int] | None:
        """Context, source in the job and tag of a receive; ``None`` from :data:`PROC_NULL`."""
        self._check_open()
        if tag != ANY_TAG:
            self._check_tag(tag)
        if source == PROC_NULL:
            return None
        if source == ANY_SOURCE:
            return self._context, ANY_SOURCE, tag
        return self._context, self._ranks[self._check_rank(source, "source")], tag

    def _check_tag(self, tag: int) -> None:
        try:
            number = operator.index(tag)
        except TypeError:
            number = -1
        if not 0 <= number <= TAG_UB:
            raise ArgumentError(
                f"tag is {tag!r}; expected a whole number from 0 to {TAG_UB}", argument="tag", value=tag
            )

    def _matched(self, arrival: Arrival) -> None:
        """A receive has taken ``arrival``: tell its sender, if that waits for it."""
        _, synchronous, number = arrival.descriptor.partition(_SYNCHRONOUS)
        if synchronous:
            self._engine.post((arrival.source,), self._context | _INTERNAL, int(number), b"", ())

    def _check_kind(self, arrival: Arrival, mine: bytes) -> None:
        theirs = arrival.descriptor.partition(_SYNCHRONOUS)[0]
        if theirs == mine or (OBJECT not in (theirs, mine) and (theirs in _RAW or mine in _RAW)):
            return
        source = self._index[arrival.source]
        sent, wanted = _kind(theirs), _kind(mine)
        raise MismatchError(
            f"rank {source} sent {sent} with tag {arrival.tag}, rank {self.rank} receives {wanted}; "
            "lower-case methods match lower-case ones, upper-case ones need the same dtype on both sides",
            calls={source: f"sends {sent}", self.rank: f"receives {wanted}"},
        )

    def _fill(self, status: Status, arrival: Arrival | None) -> None:
        if arrival is not None:
            status.set(self._index[arrival.source], arrival.tag, arrival.nbytes)

    @staticmethod
    def _status_null(status: Status | None) -> None:
        if status is not None:
            status.set(PROC_NULL, ANY_TAG, 0)

    def _probed(self, arrival: Arrival | None, status: Status | None) -> bool:
        if arrival is not None and status is not None:
            self._fill(status, arrival)
        return arrival is not None


class _Probing:
    """A wait for a message to arrive; see :class:`~fmi_core.engine.progress.Pending`."""

    call = b""

    def __init__(
        self, look: Callable[[], Arrival | None], others: Sequence[int], context: int, source: int, tag: int
    ) -> None:
        self.context = context
        self.tag = tag
        self.found: Arrival | None = None
        self._look = look
        self._owed = others if source == ANY_SOURCE else (source,)
        self._what = _text("probe", source, tag)

    def advance(self) -> bool:
        self.found = self._look()
        return self.found is not None

    def owed_by(self) -> Sequence[int]:
        return self._owed

    def describe(self) -> str:
        return self._what


def _then(unpack: Callable[[int], None] | None, array: Array) -> Callable[[Arrival], None] | None:
    """What is to be done with a message once it is complete in ``array``."""
    if unpack is None:
        return None
    return lambda arrival: unpack(arrival.nbytes // array.itemsize)


def _text(what: str, source: int, tag: int) -> str:
    whom = "ANY_SOURCE" if source == ANY_SOURCE else source
    which = "ANY_TAG" if tag == ANY_TAG else tag
    return f"{what}(source={whom}, tag={which})"


def _kind(descriptor: bytes) -> str:
    if descriptor == OBJECT:
        return "an object"
    import numpy as np

    try:
        return f"an array of {np.dtype(descriptor.decode())}"
    except TypeError:
        return f"an array of {descriptor.decode()}"
