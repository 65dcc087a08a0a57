"""What the engine asks of a channel: post a message, move everything along, say who is gone.

The primitive behind every operation is an *exchange*: all transfers of one round, full duplex,
free of deadlock. It comes in two halves, so that operations can also run in the background:
:meth:`Transport.post` begins a send (receives are posted with the :class:`~fmi_core.channels.matching.Matcher`),
and :meth:`Transport.progress` moves whatever can move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fmi_core.channels.framing import Header, Kind, Sink
from fmi_core.errors import FmiError
from fmi_core.payload import View

__all__ = ["Inbox", "Sending", "Transport"]


class Sending:
    """A send under way; ``done`` once the caller's memory may change again.

    ``pending`` counts the peers that have not been served: one post serves many.
    """

    __slots__ = ("error", "pending")

    def __init__(self, pending: int) -> None:
        self.pending = pending
        self.error: FmiError | None = None

    @property
    def done(self) -> bool:
        """Whether every peer has been served."""
        return not self.pending


class Inbox(Protocol):
    """Where a transport delivers to; the engine is one."""

    def on_frame(self, source: int, header: Header, descriptor: bytes) -> Sink | None:
        """A frame from rank ``source``; answers where its payload goes (``None``: it has none)."""
        ...

    def on_lost(self, source: int, reason: str) -> None:
        """Rank ``source`` cannot be reached any more."""
        ...

    def may_read(self, source: int) -> bool:
        """Whether another message from ``source`` may be taken in; ``False`` holds the sender back."""
        ...


class Transport(Protocol):
    """A channel, as one rank uses it; ranks are ranks of the whole job."""

    @property
    def name(self) -> str:
        """The channel's name, for tables and errors."""
        ...

    def post(
        self,
        peers: Sequence[int],
        kind: Kind,
        context: int,
        tag: int,
        descriptor: bytes,
        views: Sequence[View],
    ) -> Sending:
        """Begin to send one message to each of ``peers``; ``views`` must not change until it is done.

        Messages to one peer arrive in the order of their posts.
        """
        ...

    def progress(self, wait_s: float, hot: Sequence[int]) -> bool:
        """Move what can move; wait up to ``wait_s`` seconds for something if nothing can.

        ``hot`` are the ranks from which messages are awaited: they are tried first.
        Returns whether anything moved.
        """
        ...

    def connected(self, peer: int) -> bool:
        """Whether a message to ``peer`` needs no new connection."""
        ...

    def watch(self, fd: int) -> None:
        """Let :meth:`progress` also wake when ``fd`` becomes readable."""
        ...

    def close(self) -> None:
        """Let go of everything at once; idempotent."""
        ...
