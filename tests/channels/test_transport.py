"""What every channel promises to the engine, asked of each of them through the interface alone."""

from __future__ import annotations

import time

import pytest

from fmi_core.channels.address import Listener
from fmi_core.channels.framing import Kind
from fmi_core.channels.matching import Receive
from fmi_core.channels.memory import MemoryHub
from fmi_core.channels.stream import StreamTransport
from fmi_core.channels.transport import Sending

SIZE = 3


def test_a_sending_is_done_when_every_peer_is_served():
    sending = Sending(2)
    assert sending.error is None
    assert not sending.done
    sending.pending -= 1
    assert not sending.done
    sending.pending -= 1
    assert sending.done
    assert Sending(0).done


class Job:
    """Three ranks on one channel, moved by hand."""

    def __init__(self, name, inboxes):
        self.inboxes = inboxes
        if name == "memory":
            hub = MemoryHub(SIZE)
            self.ranks = [hub.transport(rank, inbox) for rank, inbox in enumerate(inboxes)]
        else:
            listeners = [Listener("127.0.0.1") for _ in inboxes]
            cards = {rank: listener.card(rank) for rank, listener in enumerate(listeners)}
            self.ranks = [
                StreamTransport(name, rank, cards, listeners[rank], b"k" * 32, inbox)
                for rank, inbox in enumerate(inboxes)
            ]

    def until(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "nothing comes of it"
            for rank in self.ranks:
                rank.progress(0.0, ())

    def post(self, source, peers, *parts, kind=Kind.DATA, context=0, tag=0, descriptor=b""):
        return self.ranks[source].post(peers, kind, context, tag, descriptor, [memoryview(part) for part in parts])

    def receive(self, rank, source, tag, *views, context=0):
        receive = Receive(context, source, tag, [memoryview(view) for view in views] or None)
        self.inboxes[rank].matcher.post(receive)
        return receive


@pytest.fixture(params=["memory", "tcp", "unix"])
def job(request, recorder):
    made = Job(request.param, [recorder() for _ in range(SIZE)])
    assert {rank.name for rank in made.ranks} == {request.param}
    yield made
    for rank in made.ranks * 2:
        rank.close()


def test_messages_to_one_peer_keep_their_order_whatever_their_sizes(job):
    sizes = [0, 1, 100_000, 0, 300_000, 5, 70_000, 2, 0]
    payloads = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    sends = [job.post(0, (1,), payload, tag=tag) for tag, payload in enumerate(payloads)]
    receives = [job.receive(1, 0, -1) for _ in sizes]
    job.until(lambda: all(receive.done for receive in receives) and all(send.done for send in sends))
    assert [receive.arrival.tag for receive in receives] == list(range(len(sizes)))
    assert [bytes(receive.data) for receive in receives] == payloads


def test_a_posted_receive_gets_the_bytes_in_its_own_memory(job):
    head, tail = bytearray(2), bytearray(100_010)
    receive = job.receive(2, 1, 9, head, tail, context=4)
    payload = bytes(range(256)) * 390 + b"end"
    sending = job.post(1, (2,), payload[:7], b"", payload[7:], context=4, tag=9, descriptor=b"what")
    job.until(lambda: receive.done and sending.done)
    assert receive.error is None
    assert (receive.arrival.nbytes, receive.arrival.descriptor) == (len(payload), b"what")
    assert (head + tail)[: len(payload)] == payload
    assert not any(tail[len(payload) - 2 :])


def test_one_post_serves_many(job):
    receives = [job.receive(rank, 0, 3) for rank in (1, 2)]
    sending = job.post(0, (1, 2), b"a", b"ll", tag=3)
    job.until(lambda: sending.done and all(receive.done for receive in receives))
    assert [bytes(receive.data) for receive in receives] == [b"all", b"all"]
    assert job.post(0, (), b"nobody").done


def test_memory_may_change_once_the_sending_is_done(job):
    memory = bytearray(b"then")
    receive = job.receive(1, 0, 0)
    sending = job.post(0, (1,), memory)
    job.until(lambda: sending.done)
    memory[:] = b"now!"
    job.until(lambda: receive.done)
    assert bytes(receive.data) == b"then"


@pytest.mark.parametrize("kind", [Kind.WAIT, Kind.BYE])
def test_a_frame_without_payload_carries_its_numbers_and_text(job, kind):
    numbers = {"context": 2**32 - 1, "tag": -(2**63)}
    job.post(1, (0,), kind=kind, descriptor=b"x" * 4096, **numbers)
    job.until(lambda: job.inboxes[0].controls)
    assert job.inboxes[0].controls == [(1, kind, 2**32 - 1, -(2**63), b"x" * 4096)]


def test_a_peer_that_sent_something_is_connected_both_ways(job):
    receive = job.receive(1, 0, 0)
    job.post(0, (1,), b"x")
    job.until(lambda: receive.done)
    assert job.ranks[0].connected(1)
    assert job.ranks[1].connected(0)


def test_without_work_there_is_no_progress(job):
    assert not job.ranks[0].progress(0.0, ())
    assert not job.ranks[0].progress(0.001, (1, 2))
    receive = job.receive(1, 0, 0)
    job.post(0, (1,), b"x")
    job.until(lambda: receive.done)
    job.until(lambda: not any(rank.progress(0.0, (0, 1, 2)) for rank in job.ranks))
    assert not any(inbox.lost for inbox in job.inboxes)


def test_nothing_is_read_from_hot_ranks_that_have_sent_nothing(job):
    receive = job.receive(1, 0, 0)
    job.post(0, (1,), b"x")
    job.until(lambda: receive.done)
    assert not job.ranks[1].progress(0.001, (0, 2))
