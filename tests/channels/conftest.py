"""An inbox that writes down what it gets, and pairs of connected things."""

from __future__ import annotations

import time

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

    def on_frame(self, source, header, descriptor):
        kind, context, tag, nbytes = header
        if kind is not Kind.DATA:
            self.controls.append((source, kind, context, tag, descriptor))
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

    def close(self):
        for rank in self.ranks:
            rank.close()


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
