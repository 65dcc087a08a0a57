"""Frames on a byte stream, cut into any pieces."""

from __future__ import annotations

import contextlib
import itertools
import random

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


class Bottomless:
    """A sink for payloads of any size, which keeps nothing: what garbage announces may not fit the memory."""

    def __init__(self):
        self.chunk = memoryview(bytearray(1000))
        self.views = self

    def __getitem__(self, _index):
        return self.chunk

    def finish(self):
        pass


def swallow(stream, piece):
    """How many frames a reader takes ``stream`` for; only an IntegrityError ends it early."""
    headers = []

    def on_frame(header, descriptor):
        headers.append(header)
        assert len(descriptor) <= MAX_DESCRIPTOR_BYTES
        assert 0 <= header.nbytes <= MAX_PAYLOAD_BYTES
        return Bottomless() if header.kind is Kind.DATA else None

    reader = FrameReader(on_frame)
    at = 0
    with contextlib.suppress(IntegrityError):
        while at < len(stream):
            buffer = reader.buffer()
            count = min(piece, buffer.nbytes, len(stream) - at)
            buffer[:count] = stream[at : at + count]
            at += count
            reader.received(count)
    return len(headers)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 100))
def test_garbage_is_a_frame_or_an_integrity_error(garbage, piece):
    swallow(garbage, piece)


def test_thousands_of_random_byte_strings():
    """Half of them begin as a frame does, so that they come past the first byte."""
    order = random.Random(1)
    frames = 0
    for number in range(6000):
        garbage = order.randbytes(order.randrange(1, 120))
        if number % 2:
            begin = bytes([order.randrange(1, 4), 0, order.randrange(40), order.choice((0, 0, 15, 16, 17))])
            sizes = [0, 0, 5, 2**31, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 2**64 - 1]
            garbage = begin + garbage[:12].ljust(12, b"?") + order.choice(sizes).to_bytes(8, "little") + garbage
        frames += swallow(garbage, order.choice((1, 7, 1000)))
    assert frames > 100


def test_a_good_stream_with_a_changed_bit_is_frames_or_an_integrity_error():
    head = pack_header(Kind.DATA, 7, 8, 40_000, b"what")
    stream = head + bytes(40_000) + pack_header(Kind.WAIT, 1, 2, 0, b"x" * 30) + pack_header(Kind.BYE, 0, 0, 0, b"")
    tail = range(len(head) + 40_000, len(stream))
    for position in (*range(len(head)), *tail):
        for bit in range(8):
            changed = bytearray(stream)
            changed[position] ^= 1 << bit
            swallow(bytes(changed), 50_000)
    assert swallow(stream, 50_000) == 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": 9}, "kind 9"),
        ({"kind": 0}, "kind 0"),
        ({"nbytes": MAX_PAYLOAD_BYTES + 1}, f"payload of {MAX_PAYLOAD_BYTES + 1} bytes"),
        ({"nbytes": 2**64 - 1}, f"payload of {2**64 - 1} bytes"),
        ({"descriptor": b"x" * 65_535}, "descriptor of 65535 bytes"),
        ({"kind": Kind.WAIT, "nbytes": 1}, "a WAIT frame has a payload of 1 bytes, expected none"),
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


def test_the_largest_descriptor_is_taken():
    frame = pack_header(Kind.WAIT, 0, 0, 0, b"x" * MAX_DESCRIPTOR_BYTES)
    for piece in (1, 100, 10_000):
        _, [(header, descriptor, _)] = read(frame, [piece])
        assert header == Header(Kind.WAIT, 0, 0, 0)
        assert descriptor == b"x" * MAX_DESCRIPTOR_BYTES


@pytest.mark.parametrize("size", [0, 1, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("piece", [999, 10**6])
@pytest.mark.parametrize("cuts", [(), (0, 0), (0, 70_000, 70_000, 140_000), (1, 2, 3, 40_000, 199_999)], ids=str)
def test_payloads_of_every_size_class_into_several_views(size, piece, cuts):
    payload = random.Random(size).randbytes(size)
    stream = pack_header(Kind.DATA, 0, 0, size, b"") + payload + pack_header(Kind.BYE, 0, 0, 0, b"")
    reader, [(_, _, sink), (last, _, _)] = read(stream, [piece], cuts, spare=17)
    assert bytes(sink) == payload
    assert sink.memory[size:] == bytes(17)
    assert last.kind is Kind.BYE
    assert not reader.middle


def test_a_frame_across_the_end_of_the_staging_buffer_is_moved_to_its_beginning():
    one = pack_header(Kind.WAIT, 0, 0, 0, b"x" * 1001)
    reader, frames = read(one * 200, [10**6])
    assert [text for _, text, _ in frames] == [b"x" * 1001] * 200
    assert not reader.middle


def test_what_the_last_view_has_too_much_is_not_offered_to_a_straight_read():
    sink = Collected(300_000, [100_000, 100_000], 50)
    reader = FrameReader(lambda _header, _text: sink)
    head = pack_header(Kind.DATA, 0, 0, 300_000, b"")
    reader.buffer()[: len(head)] = head
    reader.received(len(head))
    for size in (100_000, 200_000):  # the empty view between them is passed over
        assert not sink.finished
        assert reader.buffer().nbytes == size
        reader.received(size)
    assert sink.finished == 1
    assert not reader.middle


def test_large_payloads_are_read_straight_into_their_place():
    sink = Collected(300_000, [], 0)
    reader = FrameReader(lambda _header, _text: sink)
    head = pack_header(Kind.DATA, 0, 0, 300_000, b"")
    reader.buffer()[: len(head)] = head
    reader.received(len(head))
    assert reader.payload_left == 300_000
    assert reader.buffer().obj is sink.memory
    assert reader.buffer().nbytes == 300_000
