"""Messages between two ranks: objects and buffers, order, wildcards, probes, PROC_NULL."""

from __future__ import annotations

import array
import ctypes

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import run

CHANNELS = ["memory", "unix"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_objects_of_every_kind_arrive_equal_and_independent(channel):
    values = [None, 1, "text", b"\0bytes", {"a": [1, 2]}, np.arange(5.0), {"big": np.ones((300, 300))}, [], (1, (2,))]

    def program(comm):
        if comm.rank == 0:
            for value in values:
                comm.send(value, dest=1)
            return None
        return [comm.recv(source=0) for _ in values]

    for sent, got in zip(values, run(2, program, channel=channel)[1], strict=True):
        np.testing.assert_equal(got, sent)


def test_a_received_array_can_be_written_and_is_not_the_senders():
    def program(comm):
        mine = np.arange(3.0)
        if comm.rank == 0:
            comm.send({"x": mine}, dest=1)
            comm.recv(source=1)
            return mine.tolist()
        got = comm.recv(source=0)["x"]
        got += 1
        comm.send(None, dest=0)
        return got.tolist()

    assert run(2, program) == [[0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(6, dtype="f4").reshape(2, 3),
        lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        lambda: np.array(7),
        lambda: bytearray(b"abcdef"),
        lambda: array.array("d", [1, 2, 3]),
        lambda: memoryview(bytearray(b"xyz")),
        lambda: (ctypes.c_int * 4)(1, 2, 3, 4),
        lambda: np.zeros(0),
    ],
)
def test_buffers_of_every_kind_are_sent_and_filled(channel, make):
    def program(comm):
        sent = make()
        if comm.rank == 0:
            comm.Send(sent, dest=1, tag=2)
            return None
        got = np.zeros_like(np.asarray(sent))
        status = fmi.Status()
        comm.Recv(got, source=0, tag=2, status=status)
        return np.asarray(got).tolist() == np.asarray(sent).tolist(), status.nbytes == got.nbytes

    assert run(2, program, channel=channel)[1] == (True, True)


def test_messages_with_one_tag_keep_their_order_and_tags_may_be_taken_in_any():
    def program(comm):
        if comm.rank == 0:
            for number in range(5):
                comm.send(("a", number), dest=1, tag=1)
                comm.send(("b", number), dest=1, tag=2)
            return None
        second = [comm.recv(source=0, tag=2) for _ in range(5)]
        first = [comm.recv(source=0, tag=1) for _ in range(5)]
        return first, second

    first, second = run(2, program)[1]
    assert first == [("a", number) for number in range(5)]
    assert second == [("b", number) for number in range(5)]


def test_wildcards_take_from_anyone_and_the_status_says_from_whom():
    def program(comm):
        if comm.rank:
            comm.send(comm.rank * 10, dest=0, tag=comm.rank)
            return None
        seen = {}
        for _ in range(comm.size - 1):
            status = fmi.Status()
            got = comm.recv(source=fmi.ANY_SOURCE, tag=fmi.ANY_TAG, status=status)
            seen[got] = (status.source, status.tag)
        return seen

    assert run(4, program)[0] == {10: (1, 1), 20: (2, 2), 30: (3, 3)}


@pytest.mark.parametrize("channel", CHANNELS)
def test_everyone_sends_sixteen_mebibytes_before_anyone_receives(channel):
    def program(comm):
        right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        out = np.full(2**21, comm.rank, dtype="f8")
        comm.Send(out, dest=right)
        got = np.empty_like(out)
        comm.Recv(got, source=left)
        return bool((got == left).all())

    assert run(3, program, channel=channel) == [True] * 3


def test_a_rank_can_send_to_itself():
    def program(comm):
        comm.send("me", dest=comm.rank, tag=1)
        request = comm.irecv(source=comm.rank, tag=2)
        comm.send("later", dest=comm.rank, tag=2)
        return comm.recv(source=comm.rank, tag=1), request.wait()

    assert run(1, program) == [("me", "later")]
    assert run(2, program, channel="unix") == [("me", "later")] * 2


def test_sendrecv_and_its_upper_case_form_go_both_ways_at_once():
    def program(comm):
        right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        status = fmi.Status()
        name = comm.sendrecv(f"from {comm.rank}", dest=right, sendtag=3, source=left, recvtag=3, status=status)
        got = np.empty(2)
        comm.Sendrecv(np.full(2, comm.rank), right, 4, got.view("i8"), left, 4)
        return name, status.source, got.view("i8").tolist()

    for rank, result in enumerate(run(3, program)):
        left = (rank - 1) % 3
        assert result == (f"from {left}", left, [left, left])


def test_probe_tells_of_a_message_and_leaves_it_there():
    def program(comm):
        if comm.rank == 1:
            assert not comm.iprobe(source=0, tag=8)
            comm.send("go", dest=0)
            status = fmi.Status()
            assert comm.probe(source=fmi.ANY_SOURCE, tag=fmi.ANY_TAG, status=status)
            assert (status.source, status.tag) == (0, 7)
            got = np.empty(status.Get_count("f8"))
            assert comm.Iprobe(source=0, tag=7, status=status)
            comm.Recv(got, source=0, tag=7)
            assert not comm.Iprobe(source=0, tag=7)
            return got.tolist()
        comm.recv(source=1)
        comm.Send(np.arange(3.0), dest=1, tag=7)
        return None

    assert run(2, program)[1] == [0, 1, 2]


def test_proc_null_is_nobody():
    def program(comm):
        status = fmi.Status()
        comm.send("x", dest=fmi.PROC_NULL)
        assert comm.recv(source=fmi.PROC_NULL, status=status) is None
        assert (status.source, status.tag, status.nbytes) == (fmi.PROC_NULL, fmi.ANY_TAG, 0)
        untouched = np.ones(2)
        comm.Recv(untouched, source=fmi.PROC_NULL)
        assert comm.Probe(source=fmi.PROC_NULL, status=status)
        assert not comm.iprobe(source=fmi.PROC_NULL)
        assert comm.isend("x", dest=fmi.PROC_NULL).test() == (True, None)
        return comm.sendrecv("x", dest=fmi.PROC_NULL, source=fmi.PROC_NULL), untouched.tolist()

    assert run(1, program) == [(None, [1, 1])]


def test_requests_in_flight_complete_in_any_order():
    def program(comm):
        other = 1 - comm.rank
        numbers = range(20)
        arrays = [np.empty(number * 100) for number in numbers]
        receives = [comm.Irecv(arrays[number], source=other, tag=number) for number in reversed(numbers)]
        sends = [comm.Isend(np.full(number * 100, float(number)), dest=other, tag=number) for number in numbers]
        fmi.Request.Waitall(sends)
        fmi.Request.Waitall(receives)
        return all((arrays[number] == number).all() for number in numbers)

    assert run(2, program) == [True, True]
    assert run(2, program, channel="unix") == [True, True]


def test_the_ledger_counts_calls_and_bytes():
    def program(comm):
        if comm.rank == 0:
            comm.Send(np.zeros(100), dest=1)
            comm.Send(np.zeros(100), dest=1)
        else:
            comm.Recv(np.zeros(100), source=0)
            comm.Recv(np.zeros(100), source=0)
        return [(e.operation, e.channel, e.calls, e.bytes) for e in comm.ledger.entries]

    assert run(2, program) == [[("Send", "memory", 2, 1600)], [("Recv", "memory", 2, 0)]]
