"""Matched probes: find a message and take it out of the queue at once, to be received later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG, Arrival, Receive
from fmi_core.communicator.modes import SendModes
from fmi_core.communicator.point_to_point import OBJECT
from fmi_core.communicator.requests import NO_PROC_REQUEST, PendingReceive, Request
from fmi_core.communicator.specs import strided_of
from fmi_core.communicator.status import Status
from fmi_core.errors import ArgumentError, TruncationError
from fmi_core.payload import as_bytes, decode, scatter

__all__ = ["MESSAGE_NO_PROC", "MESSAGE_NULL", "MatchedProbes", "Message"]


class Message:
    """A message that a matched probe found: nobody else can receive it. It can be received once.

    Args:
        start: begins to receive it; ``None``: there is no message (any more).
        name: for people.
    """

    def __init__(self, start: Callable[[Any, bool], Request] | None, name: str = "a message") -> None:
        self._start = start
        self._name = name

    @classmethod
    def probe(
        cls, comm: MatchedProbes, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None
    ) -> Message:
        """As :meth:`MatchedProbes.mprobe` of ``comm``."""
        return comm.mprobe(source, tag, status)

    @classmethod
    def iprobe(
        cls, comm: MatchedProbes, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None
    ) -> Message | None:
        """As :meth:`MatchedProbes.improbe` of ``comm``."""
        return comm.improbe(source, tag, status)

    Probe = probe
    Iprobe = iprobe

    def recv(self, status: Status | None = None) -> Any:
        """Receive the message, an object."""
        return self.irecv().wait(status)

    def irecv(self) -> Request:
        """Begin to receive the message, an object, which the request's ``wait`` returns."""
        return self._begin(None, wants_object=True)

    def Recv(self, buf: Any, status: Status | None = None) -> None:
        """Receive the message into a buffer, which may be larger."""
        self.Irecv(buf).wait(status)

    def Irecv(self, buf: Any) -> Request:
        """Begin to receive the message into a buffer."""
        return self._begin(buf, wants_object=False)

    def _begin(self, buf: Any, *, wants_object: bool) -> Request:
        if self is MESSAGE_NO_PROC:
            return NO_PROC_REQUEST
        if self._start is None:
            raise ArgumentError(f"{self._name} cannot be received: it was, or there is none", argument="message")
        start, self._start = self._start, None
        return start(buf, wants_object)

    def __bool__(self) -> bool:
        return self._start is not None or self is MESSAGE_NO_PROC

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self is other or not (self or other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<fmi {self._name}>"

    def __reduce__(self) -> str:
        return self._name  # right for the two constants; pickling fails for all others, as it must


MESSAGE_NULL = Message(None, "MESSAGE_NULL")
"""No message; one that was received is equal to it."""
MESSAGE_NO_PROC = Message(None, "MESSAGE_NO_PROC")
"""What a matched probe of :data:`PROC_NULL` finds; receiving it does nothing."""


class MatchedProbes(SendModes):
    """Probes whose message is taken out of the queue at once."""

    def improbe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> Message | None:
        """The first message that matches and has arrived, for this caller alone; ``None`` if there is none."""
        where = self._where(source, tag)
        if where is None:
            self._status_null(status)
            return MESSAGE_NO_PROC
        self._engine.check()
        self._engine.progress()
        arrival = self._engine.matcher.probe(*where)
        return None if arrival is None else self._taken(arrival, status)

    def mprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> Message:
        """Wait for a message that matches, and take it for this caller alone."""
        where = self._where(source, tag)
        if where is None:
            self._status_null(status)
            return MESSAGE_NO_PROC
        return self._taken(self._await_arrival(where), status)

    def Improbe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> Message | None:
        """As :meth:`improbe`."""
        return self.improbe(source, tag, status)

    def Mprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Status | None = None) -> Message:
        """As :meth:`mprobe`."""
        return self.mprobe(source, tag, status)

    def _taken(self, arrival: Arrival, status: Status | None) -> Message:
        if status is not None:
            self._fill(status, arrival)
        receive = Receive(arrival.context, arrival.source, arrival.tag, None)
        self._engine.matcher.take(arrival, receive)
        source = self._index[arrival.source]

        def start(buf: Any, wants_object: bool) -> Request:  # noqa: FBT001  # as Message calls it
            what = f"{'recv' if wants_object else 'Recv'} of a probed message(source={source}, tag={arrival.tag})"
            pending = PendingReceive(receive, self._others, what, self._matched)
            finish = self._finish_object(arrival) if wants_object else self._finish_buffer(arrival, buf)
            return Request(self._engine, pending, finish, lambda status: self._fill(status, arrival))

        return Message(start, f"message of {arrival.nbytes} bytes from rank {source} with tag {arrival.tag}")

    def _finish_object(self, arrival: Arrival) -> Callable[[], Any]:
        def finish() -> Any:
            self._check_kind(arrival, OBJECT)
            return decode(arrival.data)

        return finish

    def _finish_buffer(self, arrival: Arrival, buf: Any) -> Callable[[], Any]:
        array, unpack = strided_of(buf, name="buf", writable=True)

        def finish() -> None:
            self._check_kind(arrival, array.dtype.str.encode())
            if arrival.nbytes > array.nbytes:
                source = self._index[arrival.source]
                raise TruncationError(
                    f"a message of {arrival.nbytes} bytes from rank {source} with tag {arrival.tag} does not fit the "
                    f"receive buffer of {array.nbytes} bytes; give a buffer of at least the message's size",
                    source=source,
                    tag=arrival.tag,
                    message_bytes=arrival.nbytes,
                    buffer_bytes=array.nbytes,
                )
            scatter(arrival.data, [as_bytes(array)])
            if unpack is not None:
                unpack(arrival.nbytes // array.itemsize)

        return finish
