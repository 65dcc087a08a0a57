"""Wrong use is told at once, by name, and no rank hangs: every case on threads and on processes."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import outcomes

CHANNELS = ["memory", "tcp"]
SOON_S = 20  # far below the time-out of an operation, far above what any case needs


def ended(channel, ranks, program, *args):
    return outcomes(ranks, program, *args, channel=channel, timeout_s=60, settings={"timeout_s": 50})


def other_operation(comm):
    return comm.allreduce(1) if comm.rank == 2 else comm.barrier()


def other_root(comm):
    comm.Bcast(np.zeros(3), root=0 if comm.rank < 2 else 1)


def each_its_own_root(comm):
    comm.bcast("x", root=comm.rank)


def nobody_is_root(comm):
    comm.bcast("x", root=(comm.rank + 1) % comm.size)


def other_dtype(comm):
    comm.Allreduce(fmi.IN_PLACE, np.zeros(4, "f4" if comm.rank == 1 else "f8"))


def other_count(comm):
    comm.Allreduce(fmi.IN_PLACE, np.zeros(11 if comm.rank == 1 else 10))


def other_large_count(comm):
    comm.Bcast(np.zeros(300_000 if comm.rank == 1 else 10), root=0)


def other_operator(comm):
    comm.Allreduce(fmi.IN_PLACE, np.zeros(4), op=fmi.MAX if comm.rank == 1 else fmi.SUM)


def object_and_buffer(comm):
    return comm.bcast(1) if comm.rank == 1 else comm.Bcast(np.zeros(1))


def other_number_of_calls(comm):
    for _ in range(1 + (comm.rank == 0)):
        comm.gather(comm.rank, root=0)
    comm.barrier()


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    ("program", "words"),
    [
        (other_operation, ("collective", "allreduce", "barrier")),
        (other_root, ("root", "root=0", "root=1")),
        (each_its_own_root, ("root", "root=")),
        (nobody_is_root, ("root", "root=")),
        (other_dtype, ("dtype", "<f4", "<f8")),
        (other_count, ("count", "count=11", "count=10")),
        (other_large_count, ("count", "count=300000", "count=10")),
        (other_operator, ("op", "MAX", "SUM")),
        (object_and_buffer, ("dtype", "object", "<f8")),
        (other_number_of_calls, ("collective", "gather", "barrier")),
    ],
)
def test_ranks_that_disagree_all_learn_it(channel, program, words):
    errors = [outcome.error for outcome in ended(channel, 4, program)]
    assert all(isinstance(error, fmi.MismatchError | fmi.PeerLostError) for error in errors), errors
    mismatches = [error for error in errors if isinstance(error, fmi.MismatchError)]
    assert mismatches
    for word in ("rank", *words):
        assert word in str(mismatches[0])


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_mismatch_names_both_ranks_and_their_calls(channel):
    first = next(o.error for o in ended(channel, 2, other_count) if o.error and o.error.calls)
    assert first.calls == {
        0: "allreduce(dtype=<f8, count=10, op=SUM)",
        1: "allreduce(dtype=<f8, count=11, op=SUM)",
    }


@pytest.mark.parametrize(
    ("call", "argument", "text"),
    [
        (lambda comm: comm.send(1, dest=4), "dest", "dest is 4; expected a rank from 0 to 3"),
        (lambda comm: comm.send(1, dest=-3), "dest", "dest is -3"),
        (lambda comm: comm.recv(source=9), "source", "source is 9"),
        (lambda comm: comm.send(1, dest=1, tag=-5), "tag", "tag is -5; expected a whole number from 0"),
        (lambda comm: comm.send(1, dest=1, tag="x"), "tag", "tag is 'x'"),
        (lambda comm: comm.bcast(1, root=7), "root", "root is 7"),
        (lambda comm: comm.bcast(1, root="a"), "root", "root is 'a'"),
        (lambda comm: comm.reduce(1, op=3), "op", "op is 3"),
        (lambda comm: comm.scatter([1, 2], root=comm.rank), "sendobj", "sendobj is 2 items; expected a sequence of 4"),
        (lambda comm: comm.alltoall(5), "sendobj", "sendobj is int; expected a sequence of 4 items"),
        (lambda comm: comm.Send(np.zeros((4, 4))[:, 1], dest=1), "buf", "not contiguous"),
        (lambda comm: comm.Send([1, 2], dest=1), "buf", "buf is list; expected a NumPy array"),
        (lambda comm: comm.Send(np.array([None]), dest=1), "buf", "Python objects"),
        (lambda comm: comm.Recv(b"abc", source=1), "buf", "read-only"),
        (lambda comm: comm.Allreduce(np.zeros(3), np.zeros(4)), "recvbuf", "4 elements of float64; expected 3"),
        (lambda comm: comm.Allreduce(np.zeros(3), np.zeros(3, "f4")), "recvbuf", "float32; expected 3 of float64"),
        (lambda comm: comm.Allreduce(np.zeros(3), np.zeros(3), op=fmi.BAND), "op", "BAND is not defined for float64"),
        (lambda comm: comm.Gather(np.zeros(3), np.zeros(11), root=comm.rank), "recvbuf", "a multiple of 4"),
        (lambda comm: comm.Allgather(np.zeros(2), np.zeros(12)), "sendbuf", "one of 4 parts of recvbuf"),
        (lambda comm: comm.Reduce_scatter(np.zeros(4), np.zeros(1), [1, 1, 1, 2]), "recvcounts", "add up to the 4"),
        (lambda comm: comm.Reduce_scatter_block(np.zeros(8), np.zeros(1)), "recvbuf", "1 elements"),
    ],
)
def test_a_bad_argument_is_named_by_the_rank_that_passed_it(call, argument, text):
    def program(comm):
        if comm.rank == 3:
            with pytest.raises(fmi.ArgumentError) as caught:
                call(comm)
            assert caught.value.argument == argument
            assert text in str(caught.value)
        return comm.allreduce(1)  # the job goes on

    assert [outcome.value for outcome in ended("memory", 4, program)] == [4] * 4


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_bad_argument_that_is_not_handled_ends_the_others(channel):
    def program(comm):
        comm.Bcast(np.zeros(3), root=0 if comm.rank else 17)

    first, *others = [outcome.error for outcome in ended(channel, 3, program)]
    assert isinstance(first, fmi.ArgumentError)
    for error in others:
        assert isinstance(error, fmi.PeerLostError)
        assert error.rank == 0
        assert "root is 17" in str(error)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_that_does_not_fit_is_told_to_the_receiver(channel):
    def program(comm):
        if comm.rank == 0:
            comm.Send(np.arange(10.0), dest=1, tag=5)
            comm.Send(np.arange(10.0), dest=1, tag=6)
        else:
            with pytest.raises(fmi.TruncationError) as caught:
                comm.Recv(np.zeros(9), source=0, tag=5)
            assert (caught.value.message_bytes, caught.value.buffer_bytes) == (80, 72)
            assert (caught.value.source, caught.value.tag) == (0, 5)
            whole = np.zeros(12)
            comm.Recv(whole, source=0, tag=6)
            assert whole.tolist() == [*range(10), 0, 0]

    assert [outcome.error for outcome in ended(channel, 2, program)] == [None, None]


def test_an_object_is_not_received_as_a_buffer_nor_an_array_as_another_dtype():
    def program(comm):
        if comm.rank == 0:
            comm.send("text", dest=1)
            comm.Send(np.zeros(2), dest=1)
            comm.Send(np.zeros(2), dest=1)
            comm.Send(np.arange(2.0), dest=1)
            return None
        with pytest.raises(fmi.MismatchError, match="rank 0 sent an object with tag 0, rank 1 receives an array of"):
            comm.Recv(np.zeros(1000, "u1").view("f8"), source=0)
        with pytest.raises(fmi.MismatchError, match=r"sent an array of float64 .* receives an object"):
            comm.recv(source=0)
        with pytest.raises(fmi.MismatchError, match=r"sent an array of float64 .* receives an array of int64"):
            comm.Recv(np.zeros(2, "i8"), source=0)
        raw = bytearray(16)
        comm.Recv(raw, source=0)
        return bytes(raw)

    assert ended("memory", 2, program)[1].value == np.arange(2.0).tobytes()


def test_a_receive_that_nobody_answers_ends_at_the_deadline_and_says_what_it_waited_for():
    def program(comm):
        if comm.rank == 1:
            return comm.recv(source=0, tag=9)
        comm.timeout_s = 0.3
        with pytest.raises(fmi.DeadlineExceeded, match=r"recv\(source=1, tag=4\) .* waiting for rank 1") as caught:
            comm.recv(source=1, tag=4)
        assert caught.value.waiting_for == (1,)
        comm.send("still here", dest=1, tag=9)
        comm.timeout_s = 30
        return None

    assert outcomes(2, program)[1].value == "still here"


def test_messages_that_nobody_received_are_told_at_the_end():
    def program(comm):
        if comm.rank == 0:
            comm.send("lost?", dest=1, tag=3)
        comm.barrier()
        if comm.rank == 1:
            with pytest.warns(RuntimeWarning, match="1 message that it never received, .* from rank 0 with tag 3"):
                comm.close()

    assert [outcome.error for outcome in outcomes(2, program)] == [None, None]


def test_a_closed_communicator_says_so():
    def program(comm):
        comm.close()
        with pytest.raises(fmi.FmiError, match="communicator world is closed"):
            comm.barrier()
        with pytest.raises(fmi.FmiError, match="is closed"):
            comm.send(1, dest=0)

    assert [outcome.error for outcome in outcomes(2, program)] == [None, None]
