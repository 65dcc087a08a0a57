"""One connection: frames out as far as the socket takes them, frames in as far as they have come."""

from __future__ import annotations

import os
import select
import socket
import struct

import pytest

from fmi_core.channels.framing import FrameReader, Kind, pack_header
from fmi_core.channels.link import Link, LinkClosed, Outgoing
from fmi_core.channels.transport import Sending
from fmi_core.errors import IntegrityError
from fmi_core.payload import allocate

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Collector:
    """Takes every frame; payloads go to pieces of memory of ``piece`` bytes each."""

    def __init__(self, piece=None):
        self.piece = piece
        self.got = []
        self.begun = 0

    def on_frame(self, header, descriptor):
        self.begun += 1
        memory = allocate(header.nbytes)
        step = self.piece or max(1, header.nbytes)
        return Into(self, header, memory, [memory[at : at + step] for at in range(0, header.nbytes, step)])


class Into:
    def __init__(self, collector, header, memory, views):
        self.collector, self.header, self.memory, self.views = collector, header, memory, views

    def finish(self):
        self.collector.got.append((self.header.tag, bytes(self.memory)))


@pytest.fixture
def link(sockets):
    """Makes a link and the raw socket at its other end."""

    def make(kind="unix", piece=None):
        ours, theirs = sockets(kind)
        ours.setblocking(False)
        theirs.settimeout(20)
        collector = Collector(piece)
        return Link(ours, 1, FrameReader(collector.on_frame)), theirs, collector

    return make


def frame(payload=b"", tag=0):
    return pack_header(Kind.DATA, 0, tag, len(payload), b"") + payload


def outgoing(*parts):
    return Outgoing([memoryview(part) for part in parts], Sending(1))


def readable(link):
    assert select.select([link.sock], [], [], 20)[0]
    return link


def pull(theirs, link, size):
    """``size`` bytes from the other end, while ``link`` writes."""
    got = bytearray()
    while len(got) < size:
        link.write()
        got += theirs.recv(size - len(got))
    return bytes(got)


def test_a_small_frame_leaves_at_once(link):
    one, theirs, _ = link()
    out = outgoing(b"head", b"", b"body")
    one.send(out)
    assert out.sending.done
    assert not one.unsent
    assert theirs.recv(100) == b"headbody"
    assert not one.write()


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_what_the_socket_does_not_take_waits_its_turn(link, kind):
    one, theirs, _ = link(kind)
    large = os.urandom(16 * 2**20)
    first, second = outgoing(b"<", large), outgoing(b">")
    one.send(first)
    assert one.unsent
    one.send(second)
    assert not one.write()
    assert (first.sending.pending, second.sending.pending) == (1, 1)
    assert pull(theirs, one, len(large) + 2) == b"<" + large + b">"
    assert (first.sending.pending, second.sending.pending) == (0, 0)
    assert not one.unsent


@pytest.mark.parametrize(
    "parts",
    [
        [bytes([number % 251]) for number in range(3000)],
        [b"a", *[b""] * 1500, b"b"],
        [b"a", *[b""] * 1500],
        [b"", b"a"],
        [b""],
    ],
    ids=["many", "hole", "empty end", "empty beginning", "nothing"],
)
def test_more_views_than_one_call_takes_and_empty_ones(link, parts):
    one, theirs, _ = link()
    out = outgoing(*parts)
    one.send(out)
    one.send(outgoing(b"!"))
    assert out.sending.done
    assert not one.unsent
    assert theirs.recv(10_000) == b"".join(parts) + b"!"


def test_the_caller_s_views_are_not_touched(link):
    one, theirs, _ = link()
    views = [memoryview(b"h"), memoryview(bytes(8 * 2**20))]
    one.send(Outgoing(list(views), Sending(1)))
    pull(theirs, one, 1 + 8 * 2**20)
    assert [view.nbytes for view in views] == [1, 8 * 2**20]


def test_sending_to_who_is_gone_says_why(link):
    one, theirs, _ = link()
    theirs.close()
    out = outgoing(b"x")
    with pytest.raises(LinkClosed, match="Broken pipe"):
        one.send(out)
    assert not out.sending.done


def test_nothing_to_read_is_nothing(link):
    one, _, collector = link()
    assert not one.read()
    assert collector.begun == 0


def test_many_small_frames_are_read_in_one_go(link):
    one, theirs, collector = link()
    theirs.sendall(b"".join(frame(bytes([n]), n) for n in range(100)))
    assert readable(one).read()
    assert collector.got == [(n, bytes([n])) for n in range(100)]
    assert not one.middle


def test_a_frame_in_pieces_is_known_to_be_in_the_middle(link):
    one, theirs, collector = link()
    whole = frame(b"payload", 3)
    for position in range(len(whole)):
        assert one.middle == (position > 0)
        theirs.sendall(whole[position : position + 1])
        assert readable(one).read()
    assert not one.middle
    assert collector.got == [(3, b"payload")]


def test_one_call_reads_a_bounded_number_of_pieces(link):
    """So that one busy peer does not keep all others waiting."""
    piece = 1000
    one, theirs, collector = link(piece=piece)
    payload = os.urandom(150 * piece)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    theirs.sendall(frame(payload))
    assert readable(one).read()
    left = one._reader.payload_left
    assert left > 60 * piece
    assert one.read()
    assert left - one._reader.payload_left == 16 * piece
    while not collector.got:
        assert readable(one).read()
    assert collector.got == [(0, payload)]


def test_reading_stops_between_frames_so_that_the_peer_can_be_held_back(link):
    one, theirs, collector = link()
    first = frame(bytes(64 * 1024 - 24), 1)  # it fills the staging buffer to the last byte
    theirs.sendall(first + frame(b"next", 2))
    calls = 0
    while not collector.got:
        assert readable(one).read()
        calls += 1
    assert [tag for tag, _ in collector.got] == [1]
    assert not one.middle
    assert readable(one).read()
    assert [tag for tag, _ in collector.got] == [1, 2]


@pytest.mark.parametrize("sent", [b"", frame(b"whole")])
def test_an_end_between_frames(link, sent):
    one, theirs, collector = link()
    theirs.sendall(sent)
    theirs.close()
    if sent:
        assert one.read()
    with pytest.raises(LinkClosed, match=r"^connection closed$"):
        one.read()
    assert len(collector.got) == bool(sent)


@pytest.mark.parametrize("length", [1, 23, 24, 26])
def test_an_end_in_the_middle_of_a_frame(link, length):
    one, theirs, _ = link()
    theirs.sendall(frame(b"abc")[:length])
    theirs.close()
    assert one.read()
    with pytest.raises(LinkClosed, match=r"^in the middle of a message$"):
        one.read()


def test_a_reset_says_so(link):
    one, theirs, _ = link("tcp")
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    theirs.close()
    with pytest.raises(LinkClosed, match="reset by peer"):
        readable(one).read()


def test_garbage_is_said(link):
    one, theirs, _ = link()
    theirs.sendall(b"\xff" * 30)
    with pytest.raises(IntegrityError, match="not a frame"):
        readable(one).read()


def test_close_is_idempotent(link):
    one, theirs, _ = link()
    assert one.peer == 1
    one.close()
    one.close()
    assert theirs.recv(1) == b""
