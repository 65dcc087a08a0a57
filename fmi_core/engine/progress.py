"""The progress engine of one rank: it owns the transport and the matcher, and every wait is here.

Where the state lives. Operations are *pending* objects that the engine drives (:class:`Pending`):
a receive or a send of a point-to-point call, or a collective's task. Those in ``background`` are
advanced whenever any call waits, so that non-blocking operations move along. ``failure`` is set
once the job is broken (a peer is lost, ranks disagree, someone aborted); from then on every wait
raises it.

A wait that sees no progress asks the ranks it waits for (a WAIT frame): "this is what I am doing".
A rank that does something else notices the disagreement, and one that has finished says BYE. So
two ranks that each wait for the other learn that they disagree instead of waiting for the deadline.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Protocol

from fmi_core.channels.framing import Header, Kind, Sink
from fmi_core.channels.matching import Matcher
from fmi_core.channels.transport import Sending, Transport
from fmi_core.control import Control, Notice, NoticeKind, error_of
from fmi_core.engine.agreement import Agreement
from fmi_core.errors import ChannelError, DeadlineExceeded, FmiError, MismatchError, PeerLostError, RendezvousError
from fmi_core.payload import View, gather, scatter
from fmi_core.units import format_bytes

__all__ = ["Engine", "Pending"]

_SLICE_S = 0.25  # the longest single wait in the kernel
_NEWS_EVERY_S = 0.05
_ASK_AFTER_S = 0.25  # a wait without progress asks its peers after this, then ever less often
_GRACE_S = 0.3  # a lost connection waits this long for the side channel to say why
_ASK_AT_MOST = 64


class Pending(Protocol):
    """Something that a rank can wait for."""

    context: int
    tag: int
    call: bytes
    """What a WAIT frame says about it."""

    def advance(self) -> bool:
        """Take it as far as it goes without waiting; returns whether it is complete.

        Raises:
            FmiError: it failed.
        """
        ...

    def owed_by(self) -> Sequence[int]:
        """The ranks from which something must come before it can go on."""
        ...

    def describe(self) -> str:
        """What it is, for an error: ``recv(source=3, tag=7)``."""
        ...


class Engine:
    """See the module's docstring.

    Args:
        rank: this rank of the job.
        size: how many ranks the job has.
        control: the job's side channel.
        timeout_s: how long one wait may take, unless it says otherwise.
        unexpected_limit_bytes: above this much unexpected data, senders are held back.
    """

    def __init__(
        self, *, rank: int, size: int, control: Control, timeout_s: float, unexpected_limit_bytes: int
    ) -> None:
        self.rank = rank
        self.size = size
        self.control = control
        self.timeout_s = timeout_s
        self.matcher = Matcher()
        self.failure: FmiError | None = None
        self.told = False
        """Whether the program was told of the failure."""
        self.background: list[Pending] = []
        self._agreement = Agreement(rank)
        self._transport: Transport | None = None
        self._limit_bytes = unexpected_limit_bytes
        self._left: set[int] = set()
        self._suspects: dict[int, tuple[str, float]] = {}
        self._news_at = 0.0
        self._closing = False

    def attach(self, transport: Transport) -> None:
        """Use ``transport``, which delivers to this engine."""
        self._transport = transport
        if self.control.fileno() >= 0:
            transport.watch(self.control.fileno())

    @property
    def transport(self) -> Transport:
        """The transport."""
        assert self._transport is not None
        return self._transport

    # --- sending and waiting ----------------------------------------------------------------------

    def post(self, peers: Sequence[int], context: int, tag: int, descriptor: bytes, views: Sequence[View]) -> Sending:
        """Begin to send a message; see :meth:`~fmi_core.channels.transport.Transport.post`."""
        if self.rank in peers:
            self._deliver_here(context, tag, descriptor, views)
            peers = [peer for peer in peers if peer != self.rank]
        return self.transport.post(peers, Kind.DATA, context, tag, descriptor, views)

    def _deliver_here(self, context: int, tag: int, descriptor: bytes, views: Sequence[View]) -> None:
        """A message from this rank to itself needs no channel."""
        data = gather(views)
        arrival = self.matcher.arrive(self.rank, context, tag, data.nbytes, descriptor)
        scatter(data, arrival.views)
        arrival.finish()

    def enter(self, context: int, number: int, call: bytes) -> None:
        """This rank starts its ``number``-th collective on ``context``.

        Raises:
            MismatchError: another rank is known to do something else there.
            FmiError: the job is broken already.
        """
        self.check()
        mismatch = self._agreement.enter(context, number, call)
        if mismatch is not None:
            self.fail(mismatch)
            self.check()

    def check(self) -> None:
        """Raise what broke the job, if anything did."""
        if self.failure is not None:
            self.told = True
            raise copy.copy(self.failure)

    def wait(self, pending: Pending, timeout_s: float | None = None) -> None:
        """Drive ``pending`` until it is complete.

        Raises:
            DeadlineExceeded: it is not, after ``timeout_s`` seconds (default: the job's time-out).
            PeerLostError, AbortedError, MismatchError: the job broke meanwhile.
        """
        if pending.advance():
            return
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        began = time.monotonic()
        asking = _Asking(began + _ASK_AFTER_S)
        while True:
            moved = self.progress(min(_SLICE_S, max(0.0, began + limit_s - time.monotonic())), pending.owed_by())
            if pending.advance():
                return
            self.check()
            self._refuse_departed(pending)
            now = time.monotonic()
            if now - began >= limit_s:
                raise self._late(pending, limit_s)
            if moved:
                asking.at = max(asking.at, now + _ASK_AFTER_S / 2)
            elif now >= asking.at:
                self._ask(pending)
                asking.later(now)

    def progress(self, wait_s: float = 0.0, hot: Sequence[int] = ()) -> bool:
        """Move everything that can move; wait up to ``wait_s`` if nothing can. Returns whether anything did."""
        moved = self.transport.progress(wait_s, hot)
        for pending in tuple(self.background):
            if self._settled(pending):
                self.background.remove(pending)
        now = time.monotonic()
        if not moved or now >= self._news_at:
            self._news_at = now + _NEWS_EVERY_S
            self._hear_news(now)
        return moved

    @staticmethod
    def _settled(pending: Pending) -> bool:
        try:
            return pending.advance()
        except FmiError:  # it is raised where the program waits for this operation, not here
            return True

    # --- news -------------------------------------------------------------------------------------

    def fail(self, error: FmiError) -> None:
        """The job is broken by ``error``, seen here first: tell all others."""
        if self.failure is not None:
            return
        self.failure = error
        if isinstance(error, PeerLostError):
            self.control.report(Notice("lost", error.rank, error.reason))
        else:
            kind: NoticeKind = "mismatch" if isinstance(error, MismatchError) else "lost"
            self.control.report(Notice(kind, self.rank, str(error)))

    def _hear_news(self, now: float) -> None:
        for notice in self.control.poll():
            if self.failure is None:
                self.failure = error_of(notice)
        for rank, (reason, since) in tuple(self._suspects.items()):
            if now - since >= _GRACE_S:
                del self._suspects[rank]
                self.fail(PeerLostError(f"rank {rank} is lost: {reason}", rank=rank, reason=reason))

    def _ask(self, pending: Pending) -> None:
        for peer in list(pending.owed_by())[:_ASK_AT_MOST]:
            if peer != self.rank:
                self.transport.post((peer,), Kind.WAIT, pending.context, pending.tag, pending.call, ())

    def _refuse_departed(self, pending: Pending) -> None:
        owed = pending.owed_by()
        departed = [rank for rank in owed if rank in self._left]
        if departed and (pending.context & 1 or len(departed) == len(owed)):  # a receive from any needs but one
            rank, reason = departed[0], "it has finished"
            raise PeerLostError(
                f"rank {rank} is lost: {reason}, while rank {self.rank} is in {pending.describe()}; "
                "ranks must make matching calls",
                rank=rank,
                reason=reason,
            )

    def _late(self, pending: Pending, limit_s: float) -> DeadlineExceeded:
        owed = tuple(pending.owed_by())
        whom = (
            "the receiver to take the message"
            if not owed
            else f"rank{'s' * (len(owed) > 1)} " + (", ".join(map(str, owed)))
        )
        return DeadlineExceeded(
            f"rank {self.rank}: {pending.describe()} is not complete after {limit_s:g} s; still waiting for {whom} "
            "(raise FMI_TIMEOUT if that is normal)",
            seconds=limit_s,
            waiting_for=owed,
        )

    # --- the inbox of the transport ---------------------------------------------------------------

    def on_frame(self, source: int, header: Header, descriptor: bytes) -> Sink | None:
        """A frame from ``source``; see :class:`~fmi_core.channels.transport.Inbox`."""
        kind, context, tag, nbytes = header
        if kind is Kind.BYE:
            self._left.add(source)
            return None
        if context & 1:
            mismatch = self._agreement.hear(source, context, tag, descriptor)
            if mismatch is not None:
                self.fail(mismatch)
        if kind is Kind.WAIT:
            if self._closing and not self._agreement.entered(context, tag):
                self._say_bye((source,))
            return None
        return self.matcher.arrive(source, context, tag, nbytes, descriptor)

    def on_lost(self, source: int, reason: str) -> None:
        """The link to ``source`` is gone."""
        if source not in self._left and self.failure is None:
            self._suspects[source] = (reason, time.monotonic())

    def may_read(self, source: int) -> bool:
        """Whether more may be taken in from ``source``: not while too much waits that nobody wants."""
        held = self.matcher.early_bytes
        if held < self._limit_bytes:
            return True
        if not self.matcher.posted_from(source):
            return False
        if held >= 2 * self._limit_bytes:
            self.fail(
                ChannelError(
                    f"rank {self.rank} holds {format_bytes(held)} of messages that it has not received, while it "
                    f"waits for another one from rank {source}; receive in the order of sending, or raise "
                    f"FMI_UNEXPECTED_LIMIT (now {format_bytes(self._limit_bytes)})",
                    channel=self.transport.name,
                )
            )
        return True

    # --- the end ----------------------------------------------------------------------------------

    def finish(self, timeout_s: float) -> bool:
        """Say farewell and wait for the other ranks to do the same; ``False`` if some go on after ``timeout_s``.

        Raises:
            PeerLostError, AbortedError, MismatchError: the job broke before it came to its end.
        """
        self.check()
        self._closing = True
        self._say_bye([rank for rank in range(self.size) if rank != self.rank and self.transport.connected(rank)])
        try:
            self.control.fence("finish", self._turn, timeout_s)
        except RendezvousError as error:
            if not error.missing:
                raise
            return False
        while self.transport.progress(0.0, ()):
            pass
        self.check()
        return True

    def _turn(self, wait_s: float) -> None:
        self.transport.progress(wait_s, ())
        self.check()

    def _say_bye(self, peers: Sequence[int]) -> None:
        if peers:
            self.transport.post(peers, Kind.BYE, 0, 0, b"", ())

    def close(self) -> None:
        """Let go of the transport and the side channel; idempotent."""
        self.transport.close()
        self.control.close()


class _Asking:
    """When a wait without progress asks next: after a while, then ever less often."""

    def __init__(self, at: float) -> None:
        self.at = at
        self._pause_s = _ASK_AFTER_S

    def later(self, now: float) -> None:
        self._pause_s = min(2 * self._pause_s, 10.0)
        self.at = now + self._pause_s
