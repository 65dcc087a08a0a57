"""Frames on a byte stream, cut into any pieces."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmi_core.channels.framing import (
    MAX_DESCRIPTOR_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameReader,
    Header,
    Kind,
    pack_header,
)
from fmi_core.errors import IntegrityError


class Collected:
    """A sink of several views, some of them empty, larger than the message by ``spare`` bytes."""

    def __init__(self, nbytes, cuts, spare):
        self.memory = bytearray(nbytes + spare)
        self.nbytes = nbytes
        bounds = [0, *sorted(cut % (nbytes + spare + 1) for cut in cuts), nbytes + spare]
        whole = memoryview(self.memory)
        self.views = [whole[lo:hi] for lo, hi in itertools.pairwise(bounds)]
        self.finished = 0

    def finish(self):
        self.finished += 1

    def __bytes__(self):
        return bytes(self.memory[: self.nbytes])


def read(stream, pieces, cuts=(), spare=0):
    """The frames in ``stream``, fed in pieces of the given sizes, over and over."""
    frames = []

    def on_frame(header, descriptor):
        sink = Collected(header.nbytes, cuts, spare) if header.kind is Kind.DATA else None
        frames.append((header, descriptor, sink))
        return sink

    reader = FrameReader(on_frame)
    at = turn = 0
    while at < len(stream):
        buffer = reader.buffer()
        assert buffer.nbytes > 0
        count = min(pieces[turn % len(pieces)], buffer.nbytes, len(stream) - at)
        buffer[:count] = stream[at : at + count]
        reader.received(count)
        at += count
        turn += 1
    return reader, frames


FRAMES = st.lists(
    st.tuples(
        st.sampled_from(Kind),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.binary(max_size=60),
        st.one_of(st.integers(0, 300), st.integers(30_000, 140_000)),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(
    frames=FRAMES,
    pieces=st.lists(st.one_of(st.integers(1, 50), st.integers(1000, 200_000)), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 200_000), max_size=4),
    spare=st.sampled_from([0, 0, 17]),
)
def test_any_frames_in_any_pieces_arrive_as_they_were_sent(frames, pieces, cuts, spare):
    stream = b""
    expected = []
    for number, (kind, context, tag, descriptor, size) in enumerate(frames):
        payload = bytes([number + 1]) * size if kind is Kind.DATA else b""
        stream += pack_header(kind, context, tag, len(payload), descriptor) + payload
        expected.append((Header(kind, context, tag, len(payload)), descriptor, payload))
    pieces = [max(piece, 1 + len(stream) // 3000) for piece in pieces]
    reader, got = read(stream, pieces, cuts, spare)
    assert [(header, text, bytes(sink) if sink else b"") for header, text, sink in got] == expected
    assert all(sink.finished == 1 for _, _, sink in got if sink is not None)
    assert not reader.middle


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_frame_or_an_integrity_error(garbage):
    with contextlib.suppress(IntegrityError):
        read(garbage, [7])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": 9}, "kind 9"),
        ({"kind": 0}, "kind 0"),
        ({"nbytes": MAX_PAYLOAD_BYTES + 1}, "payload of"),
        ({"descriptor": b"x" * (MAX_DESCRIPTOR_BYTES + 1)}, "descriptor of 4097 bytes"),
        ({"kind": Kind.BYE, "nbytes": 5}, "a BYE frame has a payload of 5 bytes, expected none"),
    ],
)
def test_what_is_out_of_bounds_is_refused(change, text):
    fields = {"kind": Kind.DATA, "context": 0, "tag": 0, "nbytes": 0, "descriptor": b"", **change}
    with pytest.raises(IntegrityError, match=text):
        read(pack_header(**fields), [10_000])


def test_the_second_byte_must_be_zero():
    frame = bytearray(pack_header(Kind.BYE, 0, 0, 0, b""))
    frame[1] = 1
    with pytest.raises(IntegrityError, match="not a frame"):
        read(bytes(frame), [100])


def test_a_reader_knows_that_it_is_in_the_middle_of_a_frame():
    stream = pack_header(Kind.DATA, 0, 0, 10, b"") + b"0123456789"
    for length in range(1, len(stream)):
        assert read(stream[:length], [1])[0].middle
    assert not read(stream, [1])[0].middle


def test_large_payloads_are_read_straight_into_their_place():
    sink = Collected(300_000, [], 0)
    reader = FrameReader(lambda _header, _text: sink)
    head = pack_header(Kind.DATA, 0, 0, 300_000, b"")
    reader.buffer()[: len(head)] = head
    reader.received(len(head))
    assert reader.payload_left == 300_000
    assert reader.buffer().obj is sink.memory
    assert reader.buffer().nbytes == 300_000
