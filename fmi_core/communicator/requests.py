"""Operations under way: requests, their results, and what is known of a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG, Arrival, Receive
from fmi_core.channels.transport import Sending
from fmi_core.communicator.many import ManyRequests
from fmi_core.communicator.status import PROC_NULL, UNDEFINED, Status
from fmi_core.engine.progress import Engine, Pending
from fmi_core.errors import ArgumentError

__all__ = [
    "NO_PROC_REQUEST",
    "PROC_NULL",
    "REQUEST_NULL",
    "UNDEFINED",
    "NullPending",
    "PendingReceive",
    "PendingSend",
    "PendingSynchronous",
    "Prequest",
    "Request",
    "Status",
]


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

    def __init__(
        self, receive: Receive, others: Sequence[int], what: str, matched: Callable[[Arrival], None] | None = None
    ) -> None:
        self.receive = receive
        self.context = receive.context
        self.tag = receive.tag
        self._owed = others if receive.source == ANY_SOURCE else (receive.source,)
        self._what = what
        self._matched = matched

    def advance(self) -> bool:
        """Whether the message is here; ``matched`` is called, once, as soon as there is one."""
        if self._matched is not None and self.receive.arrival is not None:
            matched, self._matched = self._matched, None
            matched(self.receive.arrival)
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


class PendingSynchronous(PendingSend):
    """A send that is complete only when the receiver has matched it, which a message from there says."""

    def __init__(self, sending: Sending, matched: Receive, context: int, tag: int, peer: int, what: str) -> None:
        super().__init__(sending, context, tag, peer, what)
        self._matched = matched

    def advance(self) -> bool:
        """Whether the message is matched, and the caller's memory may change again."""
        return self._matched.done and super().advance()

    def owed_by(self) -> Sequence[int]:
        """The receiver."""
        return () if self._matched.done else (self._peer,)


class Request(ManyRequests):
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
        self._cancelled = False
        self._result: Any = None
        if not pending.advance():
            engine.background.append(pending)

    @property
    def complete(self) -> bool:
        """Whether the operation is known to be complete (or there is none)."""
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

    def get_status(self, status: Status | None = None) -> bool:
        """Whether the operation is complete; it stays to be waited for, and its result to be taken."""
        if not self._complete:
            self.engine.progress()
            if not self.pending.advance():
                self.engine.check()
                return False
        self._tell(status)
        return True

    Get_status = get_status

    def cancel(self) -> bool:
        """Withdraw a receive that has not been matched; returns whether it was withdrawn."""
        if self._complete or not isinstance(self.pending, PendingReceive):
            return False
        if not self.engine.matcher.cancel(self.pending.receive):
            return False
        self._complete = self._cancelled = True
        self._forget()
        return True

    def Cancel(self) -> None:
        """As :meth:`cancel`; whether it was is told by the status."""
        self.cancel()

    def Free(self) -> None:
        """Let go of the operation, which goes on by itself; its result is lost."""
        self._complete = True

    def free(self) -> None:
        """As :meth:`Free`."""
        self.Free()

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
        self._tell(status)
        return self._result

    def _tell(self, status: Status | None) -> None:
        if status is None:
            return
        if self._status is None or self._cancelled:
            status.set(ANY_SOURCE, ANY_TAG, 0)
            status.cancelled = self._cancelled
        else:
            self._status(status)

    @property
    def _null(self) -> bool:
        """Whether nothing is left of the operation."""
        return self._complete

    def __bool__(self) -> bool:
        return not self._null

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return self is other or (self._null and other._null)

    __hash__ = object.__hash__


class _NullRequest(Request):
    """No operation at all."""

    def __init__(self, name: str, status: Callable[[Status], None] | None = None) -> None:
        self._complete = True
        self._cancelled = False
        self._result = None
        self._status = status
        self._name = name

    def __repr__(self) -> str:
        return f"fmi.{self._name}"

    def __reduce__(self) -> str:
        return self._name


REQUEST_NULL = _NullRequest("REQUEST_NULL")
"""A request for nothing; every request that is complete is equal to it."""
NO_PROC_REQUEST = _NullRequest("NO_PROC_REQUEST", lambda status: status.set(PROC_NULL, ANY_TAG, 0))
"""A receive from :data:`PROC_NULL`, complete from the start."""


class Prequest(Request):
    """An operation that can be started again and again, with the same arguments; inactive in between.

    Args:
        begin: starts the operation once.
    """

    def __init__(self, engine: Engine, begin: Callable[[], Request]) -> None:
        super().__init__(engine, NullPending())
        self._begin = begin
        self._complete = True
        self._freed = False

    def Start(self) -> None:
        """Start the operation.

        Raises:
            ArgumentError: it was started before and not completed, or it was freed.
        """
        if self._freed or not self._complete:
            state = "freed" if self._freed else "started, and not completed yet"
            raise ArgumentError(f"the persistent request was {state}; wait for it before it is started again")
        started = self._begin()
        self.pending = started.pending
        self._finish, self._status = started._finish, started._status  # noqa: SLF001  # one class of objects
        self._complete, self._cancelled, self._result = False, False, None

    @classmethod
    def Startall(cls, requests: Sequence[Prequest]) -> None:
        """Start all of them, in order."""
        for request in requests:
            request.Start()

    def Free(self) -> None:
        """Let go of the request; an operation that was started goes on by itself."""
        self._complete = self._freed = True

    @property
    def _null(self) -> bool:
        return self._freed
