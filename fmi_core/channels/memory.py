"""The reference channel: ranks are threads of one process, and the network is perfect.

A :class:`MemoryHub` holds one inbox per rank; :meth:`MemoryHub.transport` and
:meth:`MemoryHub.control` give a rank its view of it. A post copies the bytes, so it is done at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from fmi_core.channels.framing import Header, Kind
from fmi_core.channels.transport import Inbox, Sending
from fmi_core.control import Notice, error_of
from fmi_core.errors import RendezvousError
from fmi_core.payload import View, scatter

__all__ = ["MemoryControl", "MemoryHub", "MemoryTransport"]

_FENCE_SLICE_S = 0.05


class _Mailbox:
    """One rank's inbox: frames and notices, and the condition on which the rank waits."""

    def __init__(self) -> None:
        self.frames: deque[tuple[int, Header, bytes, bytes]] = deque()
        self.notices: deque[Notice] = deque()
        self.arrived = threading.Condition()
        self.woken = False  # a fence has opened


class MemoryHub:
    """The whole network of a job of ``size`` ranks in one process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: dict[str, bytes] = {}
        self.fences: dict[str, set[int]] = {}
        self.lock = threading.Lock()
        self.boxes = [_Mailbox() for _ in range(size)]

    def transport(self, rank: int, inbox: Inbox) -> MemoryTransport:
        """Rank ``rank``'s transport, which delivers to ``inbox``."""
        return MemoryTransport(self, rank, inbox)

    def control(self, rank: int) -> MemoryControl:
        """Rank ``rank``'s side channel."""
        return MemoryControl(self, rank)

    def publish(self, notice: Notice, *, to: Sequence[int] | None = None) -> None:
        """Tell the ranks in ``to`` (default: all)."""
        for rank in range(self.size) if to is None else to:
            box = self.boxes[rank]
            with box.arrived:
                box.notices.append(notice)
                box.arrived.notify()


class MemoryTransport:
    """Messages by way of another thread's inbox."""

    name = "memory"

    def __init__(self, hub: MemoryHub, rank: int, inbox: Inbox) -> None:
        self._hub = hub
        self._rank = rank
        self._inbox = inbox
        self._box = hub.boxes[rank]

    def post(
        self,
        peers: Sequence[int],
        kind: Kind,
        context: int,
        tag: int,
        descriptor: bytes,
        views: Sequence[View],
    ) -> Sending:
        """Copy the message into each peer's inbox."""
        payload = b"".join(views)
        frame = (self._rank, Header(kind, context, tag, len(payload)), descriptor, payload)
        for peer in peers:
            box = self._hub.boxes[peer]
            with box.arrived:
                box.frames.append(frame)
                box.arrived.notify()
        return Sending(0)

    def progress(self, wait_s: float, hot: Sequence[int]) -> bool:  # noqa: ARG002  # one inbox: all are hot
        """Deliver what has arrived."""
        box = self._box
        if not box.frames:
            if wait_s <= 0:
                return False
            with box.arrived:
                box.arrived.wait_for(lambda: box.frames or box.notices or box.woken, wait_s)
                box.woken = False
        moved = False
        while box.frames:
            source, header, descriptor, payload = box.frames.popleft()
            sink = self._inbox.on_frame(source, header, descriptor)
            moved = True
            if sink is not None:
                scatter(memoryview(payload), sink.views)
                sink.finish()
        return moved

    def connected(self, peer: int) -> bool:  # noqa: ARG002  # all are
        """Always."""
        return True

    def watch(self, fd: int) -> None:
        """Nothing to do: notices wake :meth:`progress` by the same condition."""

    def close(self) -> None:
        """Nothing is held."""


class MemoryControl:
    """The side channel of one rank in the hub."""

    def __init__(self, hub: MemoryHub, rank: int) -> None:
        self._hub = hub
        self._rank = rank
        self._box = hub.boxes[rank]

    def fileno(self) -> int:
        """No descriptor: a notice wakes the transport itself."""
        return -1

    def poll(self) -> list[Notice]:
        """The notices since the last call."""
        notices = []
        while self._box.notices:
            notices.append(self._box.notices.popleft())
        return notices

    def report(self, notice: Notice) -> None:
        """Tell every other rank."""
        self._hub.publish(notice, to=[rank for rank in range(self._hub.size) if rank != self._rank])

    def put(self, key: str, value: bytes) -> None:
        """Publish a value."""
        with self._hub.lock:
            self._hub.values[key] = value

    def fence(self, name: str, progress: Callable[[float], None], timeout_s: float) -> None:
        """Wait for every rank to come here; see :class:`~fmi_core.control.Control`."""
        deadline = time.monotonic() + timeout_s
        with self._hub.lock:
            present = self._hub.fences.setdefault(name, set())
            present.add(self._rank)
            complete = len(present) == self._hub.size
        if complete:
            self._wake_all()
        while len(present) < self._hub.size:
            for notice in self.poll():
                raise error_of(notice)
            left = deadline - time.monotonic()
            if left <= 0:
                missing = sorted(set(range(self._hub.size)) - present)
                raise RendezvousError(
                    f"ranks {', '.join(map(str, missing))} of {self._hub.size} did not reach {name!r} within "
                    f"{timeout_s:g} s",
                    missing=missing,
                )
            progress(min(left, _FENCE_SLICE_S))

    def _wake_all(self) -> None:
        for box in self._hub.boxes:
            with box.arrived:
                box.woken = True
                box.arrived.notify()

    def leave(self) -> None:
        """Nothing to tell: the hub lives as long as its threads."""

    def close(self) -> None:
        """Nothing is held."""
