"""Operations under way: requests, their results, and what is known of a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG, Receive
from fmi_core.channels.transport import Sending
from fmi_core.engine.progress import Engine, Pending

__all__ = ["PROC_NULL", "UNDEFINED", "NullPending", "PendingReceive", "PendingSend", "Request", "Status"]

PROC_NULL: Final = -2
"""A peer that does not exist: sending to it and receiving from it does nothing."""
UNDEFINED: Final = -32766
"""An index or a count that has no value."""


class Status:
    """What is known of a message: ``source``, ``tag`` and ``nbytes``, as in MPI."""

    __slots__ = ("nbytes", "source", "tag")

    def __init__(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, nbytes: int = 0) -> None:
        self.source = source
        self.tag = tag
        self.nbytes = nbytes

    def set(self, source: int, tag: int, nbytes: int) -> None:
        """Fill in all three."""
        self.source, self.tag, self.nbytes = source, tag, nbytes

    @property
    def count(self) -> int:
        """The payload's size in bytes."""
        return self.nbytes

    def Get_source(self) -> int:
        """The rank that sent the message."""
        return self.source

    def Get_tag(self) -> int:
        """The message's tag."""
        return self.tag

    def Get_count(self, dtype: Any = None) -> int:
        """The payload's size, in bytes or in elements of ``dtype``; :data:`UNDEFINED` if they do not divide it."""
        if dtype is None:
            return self.nbytes
        import numpy as np

        size = np.dtype(dtype).itemsize
        return self.nbytes // size if self.nbytes % size == 0 else UNDEFINED

    def __repr__(self) -> str:
        return f"Status(source={self.source}, tag={self.tag}, nbytes={self.nbytes})"


class NullPending:
    """Nothing to wait for: an operation with :data:`PROC_NULL`."""

    context = 0
    tag = 0
    call = b""

    def advance(self) -> bool:
        """Complete."""
        return True

    def owed_by(self) -> Sequence[int]:
        """Nobody."""
        return ()

    def describe(self) -> str:
        """Nothing."""
        return "nothing"


class PendingReceive:
    """A point-to-point receive; see :class:`~fmi_core.engine.progress.Pending`."""

    call = b""

    def __init__(self, receive: Receive, others: Sequence[int], what: str) -> None:
        self.receive = receive
        self.context = receive.context
        self.tag = receive.tag
        self._owed = others if receive.source == ANY_SOURCE else (receive.source,)
        self._what = what

    def advance(self) -> bool:
        """Whether the message is here."""
        if self.receive.error is not None:
            raise self.receive.error
        return self.receive.done

    def owed_by(self) -> Sequence[int]:
        """The source, or all other ranks."""
        return () if self.receive.done else self._owed

    def describe(self) -> str:
        """The call, for errors."""
        return self._what


class PendingSend:
    """A point-to-point send; see :class:`~fmi_core.engine.progress.Pending`."""

    call = b""

    def __init__(self, sending: Sending, context: int, tag: int, peer: int, what: str) -> None:
        self.context = context
        self.tag = tag
        self._sending = sending
        self._peer = peer
        self._what = what

    def advance(self) -> bool:
        """Whether the caller's memory may change again."""
        return not self._sending.pending

    def owed_by(self) -> Sequence[int]:
        """The receiver, which must take the message."""
        return () if self._sending.done else (self._peer,)

    def describe(self) -> str:
        """The call, for errors."""
        return self._what


class Request:
    """An operation that was started and may not be complete.

    :meth:`wait` and :meth:`test` complete it and give its result: the object received, for ``irecv``
    and the lower-case collectives, else ``None``.
    """

    def __init__(
        self,
        engine: Engine,
        pending: Pending,
        finish: Callable[[], Any] | None = None,
        status: Callable[[Status], None] | None = None,
    ) -> None:
        self.engine = engine
        self.pending = pending
        self._finish = finish
        self._status = status
        self._complete = False
        self._result: Any = None
        if not pending.advance():
            engine.background.append(pending)

    @property
    def complete(self) -> bool:
        """Whether the operation is known to be complete."""
        return self._complete

    def wait(self, status: Status | None = None, *, timeout: float | None = None) -> Any:
        """Wait for the operation, and return its result.

        Args:
            status: filled in with the message's source, tag and size, for a receive.
            timeout: how many seconds to wait at most; default: the job's time-out.

        Raises:
            DeadlineExceeded, PeerLostError, AbortedError, MismatchError, TruncationError: it failed.
        """
        if not self._complete:
            self.engine.wait(self.pending, timeout)
            self._settle()
        return self._give(status)

    def test(self, status: Status | None = None) -> tuple[bool, Any]:
        """Whether the operation is complete, and its result (``None`` until then); never waits."""
        if not self._complete:
            self.engine.progress()
            if not self.pending.advance():
                self.engine.check()
                return False, None
            self._settle()
        return True, self._give(status)

    def Wait(self, status: Status | None = None) -> bool:
        """Wait for the operation; always true."""
        self.wait(status)
        return True

    def Test(self, status: Status | None = None) -> bool:
        """Whether the operation is complete; never waits."""
        return self.test(status)[0]

    def cancel(self) -> bool:
        """Withdraw a receive that has not been matched; returns whether it was withdrawn."""
        if self._complete or not isinstance(self.pending, PendingReceive):
            return False
        if not self.engine.matcher.cancel(self.pending.receive):
            return False
        self._complete = True
        self._forget()
        return True

    Cancel = cancel

    # --- many requests ----------------------------------------------------------------------------

    @classmethod
    def waitall(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> list[Any]:
        """Wait for all; returns their results in order."""
        results = []
        for index, request in enumerate(requests):
            status = Status()
            results.append(request.wait(status))
            _put(statuses, index, status)
        return results

    @classmethod
    def waitany(cls, requests: Sequence[Request], status: Status | None = None) -> tuple[int, Any]:
        """Wait for one of those that had not been completed; returns its index and result.

        With none left, the index is :data:`UNDEFINED`.
        """
        open_ones = [index for index, request in enumerate(requests) if not request.complete]
        if not open_ones:
            return UNDEFINED, None
        first = requests[open_ones[0]]
        any_of = _AnyOf([requests[index].pending for index in open_ones])
        first.engine.wait(any_of)
        index = open_ones[any_of.first]
        return index, requests[index].wait(status)

    @classmethod
    def testall(cls, requests: Sequence[Request]) -> tuple[bool, list[Any] | None]:
        """Whether all are complete, and then their results; never waits."""
        flags = [request.test()[0] for request in requests]
        return (True, [request.wait() for request in requests]) if all(flags) else (False, None)

    @classmethod
    def testany(cls, requests: Sequence[Request], status: Status | None = None) -> tuple[int, bool, Any]:
        """Whether one of those that had not been completed now is: index, flag, result; never waits."""
        open_ones = [index for index, request in enumerate(requests) if not request.complete]
        for index in open_ones:
            flag, result = requests[index].test(status)
            if flag:
                return index, True, result
        return UNDEFINED, not open_ones, None

    @classmethod
    def Waitall(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> bool:
        """Wait for all; always true."""
        cls.waitall(requests, statuses)
        return True

    @classmethod
    def Waitany(cls, requests: Sequence[Request], status: Status | None = None) -> int:
        """Wait for one of those that had not been completed; returns its index."""
        return cls.waitany(requests, status)[0]

    @classmethod
    def Testall(cls, requests: Sequence[Request]) -> bool:
        """Whether all are complete; never waits."""
        return cls.testall(requests)[0]

    # --- inside -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        self._complete = True
        self._forget()
        if self._finish is not None:
            self._result = self._finish()

    def _forget(self) -> None:
        if self.pending in self.engine.background:
            self.engine.background.remove(self.pending)

    def _give(self, status: Status | None) -> Any:
        if status is not None and self._status is not None:
            self._status(status)
        return self._result


class _AnyOf:
    """Complete as soon as one of several is."""

    call = b""

    def __init__(self, pendings: Sequence[Pending]) -> None:
        self._pendings = pendings
        self.context = pendings[0].context & ~1  # as for a receive from any: one of the ranks is enough
        self.tag = pendings[0].tag
        self.first = 0

    def advance(self) -> bool:
        for index, pending in enumerate(self._pendings):
            if pending.advance():
                self.first = index
                return True
        return False

    def owed_by(self) -> Sequence[int]:
        return sorted({rank for pending in self._pendings for rank in pending.owed_by()})

    def describe(self) -> str:
        return "waitany of " + ", ".join(pending.describe() for pending in self._pendings)


def _put(statuses: list[Status] | None, index: int, status: Status) -> None:
    if statuses is None:
        return
    if index < len(statuses):
        statuses[index].set(status.source, status.tag, status.nbytes)
    else:
        statuses.append(status)
