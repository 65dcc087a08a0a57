"""An inbox that writes down what it gets, and pairs of connected things."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

import pytest

from fmi_core.channels.address import Listener
from fmi_core.channels.framing import Kind
from fmi_core.channels.matching import Matcher, Receive
from fmi_core.channels.stream import StreamTransport
from fmi_core.payload import gather

KEY = b"k" * 32


class Recorder:
    """What a transport delivers to: messages, farewells and losses, in order."""

    def __init__(self):
        self.matcher = Matcher()
        self.lost = []
        self.controls = []
        self.open = True
        self.react = lambda source, kind: None
        """Called within the delivery of a frame that is no message, as an engine may answer one."""

    def on_frame(self, source, header, descriptor):
        kind, context, tag, nbytes = header
        if kind is not Kind.DATA:
            self.controls.append((source, kind, context, tag, descriptor))
            self.react(source, kind)
            return None
        return self.matcher.arrive(source, context, tag, nbytes, descriptor)

    def on_lost(self, source, reason):
        self.lost.append((source, reason))

    def may_read(self, source):
        return self.open

    def messages(self):
        """Everything that has arrived completely, taken out: (source, tag, bytes)."""
        taken = []
        for arrival in self.matcher.unexpected():
            if arrival.complete:
                receive = Receive(arrival.context, arrival.source, arrival.tag, None)
                self.matcher.post(receive)
                taken.append((receive.arrival.source, receive.arrival.tag, bytes(gather([receive.data]))))
        return taken


class OneAtATime:
    """A ``poll`` object that reports one ready descriptor at a time, whichever: what a slow network may do."""

    def __init__(self, poll, order: random.Random):
        self._poll = poll
        self._order = order
        self.register, self.modify, self.unregister = poll.register, poll.modify, poll.unregister

    def poll(self, _timeout_ms):
        ready = self._poll.poll(0)
        return [self._order.choice(ready)] if ready else []


class Net:
    """Some ranks' stream transports in one thread, moved by hand."""

    def __init__(self, kind, size, keys=None):
        self.inboxes = [Recorder() for _ in range(size)]
        self.listeners = [Listener("127.0.0.1") for _ in range(size)]
        cards = {rank: listener.card(rank) for rank, listener in enumerate(self.listeners)}
        keys = keys or [KEY] * size
        self.ranks = [
            StreamTransport(kind, rank, cards, self.listeners[rank], keys[rank], self.inboxes[rank])
            for rank in range(size)
        ]

    def send(self, source, peers, payload=b"", tag=0, kind=Kind.DATA, views=None):
        return self.ranks[source].post(peers, kind, 0, tag, b"text", [memoryview(payload)] if views is None else views)

    def until(self, condition, ranks=None):
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "nothing comes of it"
            for rank in self.ranks if ranks is None else ranks:
                rank.progress(0.001, ())

    def opened(self):
        """Rank 0 has a link to rank 1; answers the net."""
        hello = self.send(0, (1,), b"hello")
        self.until(lambda: hello.done and self.inboxes[1].messages())
        return self

    def slow(self, order):
        """From now on each step of a rank handles one ready descriptor only."""
        for rank in self.ranks:
            rank._poll = OneAtATime(rank._poll, order)

    def assert_settled(self):
        """Nothing is under way, and each rank has its listeners and at most one socket for each peer."""
        for number, rank in enumerate(self.ranks):
            assert not any(map(len, (rank._opening, rank._callers, rank._accepting, rank._waiting, rank._unsent)))
            assert len(rank._handlers) == len(self.listeners[number].sockets) + len(rank._links)
            for peer, other in enumerate(self.ranks):
                assert rank.connected(peer) == other.connected(number)

    def close(self):
        for rank in self.ranks:
            rank.close()


def count_descriptors():
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def no_descriptor_is_left():
    """Every test here closes what it opened."""
    before = count_descriptors()
    yield
    assert count_descriptors() == before


@pytest.fixture
def descriptors():
    """Counts this process's open descriptors."""
    return count_descriptors


@pytest.fixture
def sockets():
    """Makes pairs of connected sockets, ``tcp`` or ``unix``, that are closed at the end of the test."""
    made = []

    def make(kind="unix"):
        if kind == "unix":
            pair = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as server:
                one = socket.create_connection(server.getsockname(), timeout=20)
                pair = (one, server.accept()[0])
        made.extend(pair)
        return pair

    yield make
    for sock in made:
        sock.close()


@pytest.fixture(params=["tcp", "unix"])
def net(request):
    """Makes nets that are closed at the end of the test."""
    made = []

    def make(size, **more):
        made.append(Net(request.param, size, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def recorder():
    """The class of an inbox."""
    return Recorder
