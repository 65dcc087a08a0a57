"""Which message goes to which receive: MPI's matching rules, without any input or output.

Where the state lives. A receive that was *posted* before its message arrived waits in one of two
places: ``_exact`` (source and tag given), or ``_wild`` (one of them open). A message that arrived
*unexpected*, before its receive, waits in ``_early``, per context and per (source, tag), in order
of arrival. Every receive and every arrival carries a number; the lowest number that matches
wins, which is MPI's rule that messages between two ranks do not overtake one another.

A message need not be complete to be matched: a transport announces it when its header is there
(:meth:`Matcher.arrive`), is told where the payload goes, and says when it is complete
(:meth:`Arrival.finish`). So payloads land in the caller's memory whenever the receive came first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fmi_core.errors import FmiError, TruncationError
from fmi_core.payload import View, allocate, scatter

__all__ = ["ANY_SOURCE", "ANY_TAG", "Arrival", "Matcher", "Receive"]

ANY_SOURCE = -1
"""Matches a message from any rank."""
ANY_TAG = -1
"""Matches a message with any tag."""


class Receive:
    """A receive: what it takes, where it goes, and, once ``done``, what came.

    Attributes:
        context: the communicator's context.
        source, tag: what to take; :data:`ANY_SOURCE` and :data:`ANY_TAG` take all.
        views: where the payload goes, or ``None``: memory is allocated to fit.
        arrival: the message, once matched.
        done: whether the payload is complete.
        error: why it failed, if it did.
    """

    __slots__ = ("arrival", "capacity", "context", "done", "error", "order", "source", "tag", "views")

    def __init__(self, context: int, source: int, tag: int, views: Sequence[View] | None) -> None:
        self.context = context
        self.source = source
        self.tag = tag
        self.views = views
        self.capacity = sum(view.nbytes for view in views) if views is not None else -1
        self.arrival: Arrival | None = None
        self.done = False
        self.error: FmiError | None = None
        self.order = 0

    @property
    def data(self) -> View:
        """The payload of a receive that was done into allocated memory."""
        assert self.arrival is not None
        return self.arrival.data

    def _truncated(self, arrival: Arrival) -> TruncationError:
        return TruncationError(
            f"a message of {arrival.nbytes} bytes from rank {arrival.source} with tag {arrival.tag} does not "
            f"fit the receive buffer of {self.capacity} bytes; give a buffer of at least the message's size",
            source=arrival.source,
            tag=arrival.tag,
            message_bytes=arrival.nbytes,
            buffer_bytes=self.capacity,
        )


class Arrival:
    """A message that is arriving or has arrived; the transport fills ``views`` in order."""

    __slots__ = (
        "_matcher", "complete", "context", "data", "descriptor", "nbytes", "order", "receive", "source", "tag",
        "views",
    )  # fmt: skip

    def __init__(self, matcher: Matcher, source: int, context: int, tag: int, nbytes: int, descriptor: bytes) -> None:
        self._matcher = matcher
        self.source = source
        self.context = context
        self.tag = tag
        self.nbytes = nbytes
        self.descriptor = descriptor
        self.order = 0
        self.receive: Receive | None = None
        self.complete = False
        self.data: View = memoryview(b"")
        self.views: Sequence[View] = ()

    def finish(self) -> None:
        """All of the payload is in ``views``."""
        self.complete = True
        if self.receive is not None:
            self._matcher.deliver(self.receive, self)


class Matcher:
    """Posted receives and unexpected messages of one rank, over all of its communicators."""

    def __init__(self) -> None:
        self._exact: dict[tuple[int, int, int], deque[Receive]] = {}
        self._wild: dict[int, list[Receive]] = {}
        self._early: dict[int, dict[tuple[int, int], deque[Arrival]]] = {}
        self._count = 0
        self.early_bytes = 0
        """How many bytes of unexpected messages are held; the transport keeps this bounded."""

    # --- receives ---------------------------------------------------------------------------------

    def post(self, receive: Receive) -> None:
        """Take a waiting message that matches, or wait for one."""
        early = self._early.get(receive.context)
        queue = self._find_early(early, receive.source, receive.tag) if early else None
        if queue:
            self.take(queue[0], receive)
            return
        self._count += 1
        receive.order = self._count
        if receive.source == ANY_SOURCE or receive.tag == ANY_TAG:
            self._wild.setdefault(receive.context, []).append(receive)
        else:
            key = (receive.context, receive.source, receive.tag)
            self._exact.setdefault(key, deque()).append(receive)

    def cancel(self, receive: Receive) -> bool:
        """Withdraw a receive that has not been matched; ``False`` if it has."""
        if receive.arrival is not None:
            return False
        if receive.source == ANY_SOURCE or receive.tag == ANY_TAG:
            self._wild[receive.context].remove(receive)
        else:
            self._pop_exact((receive.context, receive.source, receive.tag), receive)
        return True

    def probe(self, context: int, source: int, tag: int) -> Arrival | None:
        """The message that a receive with these arguments would take now, left where it is."""
        early = self._early.get(context)
        queue = self._find_early(early, source, tag) if early else None
        return queue[0] if queue else None

    def take(self, arrival: Arrival, receive: Receive) -> None:
        """Give the unexpected message ``arrival`` to ``receive``."""
        self._drop_early(arrival)
        receive.arrival = arrival
        arrival.receive = receive
        if arrival.complete:
            self.deliver(receive, arrival)

    # --- messages ---------------------------------------------------------------------------------

    def arrive(self, source: int, context: int, tag: int, nbytes: int, descriptor: bytes) -> Arrival:
        """A message's header is here; the answer's ``views`` say where its payload goes."""
        arrival = Arrival(self, source, context, tag, nbytes, descriptor)
        receive = self._match(context, source, tag)
        if receive is not None:
            receive.arrival = arrival
            arrival.receive = receive
            if receive.views is not None and nbytes <= receive.capacity:
                arrival.views = receive.views
                return arrival
        else:
            self._count += 1
            arrival.order = self._count
            queues = self._early.setdefault(context, {})
            queues.setdefault((source, tag), deque()).append(arrival)
            self.early_bytes += nbytes
        arrival.data = allocate(nbytes)
        arrival.views = (arrival.data,)
        return arrival

    def deliver(self, receive: Receive, arrival: Arrival) -> None:
        """``arrival`` is complete and belongs to ``receive``: put it in place and say so."""
        if receive.views is not None and arrival.views is not receive.views:
            if arrival.nbytes > receive.capacity:
                receive.error = receive._truncated(arrival)  # noqa: SLF001  # one state machine, two classes
            else:
                scatter(arrival.data, receive.views)
            arrival.data = memoryview(b"")
        receive.done = True

    def unexpected(self) -> list[Arrival]:
        """The messages that nobody has received, in order of arrival."""
        waiting = (a for queues in self._early.values() for queue in queues.values() for a in queue)
        return sorted(waiting, key=lambda arrival: arrival.order)

    def posted_from(self, source: int) -> bool:
        """Whether a receive waits that a message from ``source`` could match."""
        return any(key[1] == source for key in self._exact) or any(
            receive.source in (ANY_SOURCE, source) for wild in self._wild.values() for receive in wild
        )

    # --- inside -----------------------------------------------------------------------------------

    def _match(self, context: int, source: int, tag: int) -> Receive | None:
        key = (context, source, tag)
        queue = self._exact.get(key)
        exact = queue[0] if queue else None
        wild = self._wild.get(context)
        if wild:
            for receive in wild:
                if exact is not None and exact.order < receive.order:
                    break
                if receive.source in (ANY_SOURCE, source) and receive.tag in (ANY_TAG, tag):
                    wild.remove(receive)
                    return receive
        if exact is not None:
            self._pop_exact(key, exact)
        return exact

    def _pop_exact(self, key: tuple[int, int, int], receive: Receive) -> None:
        queue = self._exact[key]
        queue.remove(receive)
        if not queue:
            del self._exact[key]

    @staticmethod
    def _find_early(queues: dict[tuple[int, int], deque[Arrival]], source: int, tag: int) -> deque[Arrival] | None:
        if source != ANY_SOURCE and tag != ANY_TAG:
            return queues.get((source, tag))
        fits = [
            queue
            for (from_rank, with_tag), queue in queues.items()
            if source in (ANY_SOURCE, from_rank) and tag in (ANY_TAG, with_tag)
        ]
        return min(fits, key=lambda queue: queue[0].order) if fits else None

    def _drop_early(self, arrival: Arrival) -> None:
        queues = self._early[arrival.context]
        key = (arrival.source, arrival.tag)
        queues[key].remove(arrival)
        self.early_bytes -= arrival.nbytes
        if not queues[key]:
            del queues[key]
            if not queues:
                del self._early[arrival.context]
