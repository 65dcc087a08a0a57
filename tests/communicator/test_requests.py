"""Requests: one operation at a time."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.communicator.requests import NO_PROC_REQUEST, REQUEST_NULL, NullPending, Prequest, Request
from fmi_core.testing import outcomes, run


def pair(first, second, **options):
    """Rank 0 does ``first``, rank 1 ``second``, and both come together after it."""

    def program(comm):
        value = (first, second)[comm.rank](comm)
        comm.barrier()
        return value

    return run(2, program, **options)


def until(what):
    deadline = time.monotonic() + 30
    while not (answer := what()):
        assert time.monotonic() < deadline
    return answer


def test_a_complete_request_is_null():
    def program(comm):
        request = comm.irecv(source=comm.rank, tag=1)
        assert request
        assert request != REQUEST_NULL
        assert request != "something else"
        comm.send("x", comm.rank, 1)
        assert request.wait() == "x"
        assert not request
        assert request == REQUEST_NULL
        assert request.wait() == "x"
        return len({request, REQUEST_NULL})

    assert run(1, program) == [2]


def test_null_requests_are_complete():
    status = fmi.Status(3, 4, 5)
    assert REQUEST_NULL.wait(status) is None
    assert (status.source, status.tag, status.count) == (fmi.ANY_SOURCE, fmi.ANY_TAG, 0)
    assert REQUEST_NULL.test() == (True, None)
    assert REQUEST_NULL.Get_status()
    assert not REQUEST_NULL.cancel()
    assert NO_PROC_REQUEST.Wait(status)
    assert status.source == fmi.PROC_NULL
    assert repr(REQUEST_NULL) == "fmi.REQUEST_NULL"
    assert pickle.loads(pickle.dumps(REQUEST_NULL)) is REQUEST_NULL


def test_get_status_leaves_the_result_to_be_taken():
    def receive(comm):
        request = comm.irecv(source=0)
        status = fmi.Status()
        assert not request.Get_status(status)
        comm.send("go", 0)
        until(lambda: request.get_status(status))
        assert (status.source, status.tag) == (0, 7)
        return request.wait()

    assert pair(lambda comm: comm.send("late", 1, comm.recv(source=1) and 7), receive)[1] == "late"


def test_a_cancelled_receive_says_so():
    def program(comm):
        request = comm.Irecv(np.empty(3), source=0, tag=9)
        request.Cancel()
        status = fmi.Status()
        assert request.Wait(status)
        assert status.Is_cancelled()
        assert status.source == fmi.ANY_SOURCE
        assert not request.cancel()
        sent = comm.isend(1, 0)
        assert not sent.cancel()
        comm.recv(None, 0, 0, status)
        return status.Is_cancelled()

    assert run(1, program) == [False]


def test_a_matched_receive_cannot_be_cancelled():
    def program(comm):
        request = comm.irecv(source=0)
        comm.send(5, 0)
        assert request.pending.advance()
        another = comm.irecv(source=0, tag=3)
        comm.send(6, 0, 3)
        another.Cancel()
        return request.wait(), another.wait()

    assert run(1, program) == [(5, 6)]


def test_a_freed_request_goes_on_by_itself():
    def send(comm):
        comm.isend(np.ones(100_000), 1).Free()
        request = comm.irecv(source=1)
        request.free()
        return bool(request)

    def receive(comm):
        got = comm.recv(source=0)
        comm.send("taken", 0)
        return got.sum()

    assert pair(send, receive, channel="unix") == [False, 100_000]


def test_an_error_is_raised_by_the_request_that_has_it():
    def receive(comm):
        small, fine = comm.Irecv(np.empty(1), 0, 1), comm.irecv(source=0, tag=2)
        assert fine.wait() == "fine"
        with pytest.raises(fmi.TruncationError):
            Request.Waitany([small])
        return True

    def send(comm):
        comm.Send(np.ones(2), 1, 1)
        comm.send("fine", 1, 2)

    assert pair(send, receive)[1]


def test_a_persistent_request_is_inactive_until_it_is_started():
    def program(comm):
        buf = np.zeros(1)
        send, receive = comm.Send_init(np.ones(1), 0), comm.Recv_init(buf, 0)
        assert receive.Wait()
        assert receive.Test()
        assert receive
        assert receive != REQUEST_NULL
        Prequest.Startall([receive, send])
        with pytest.raises(fmi.ArgumentError, match="started, and not completed"):
            receive.Start()
        assert Request.Waitall([receive, send])
        receive.Free()
        assert receive == REQUEST_NULL
        with pytest.raises(fmi.ArgumentError, match="was freed"):
            receive.Start()
        return buf[0]

    assert run(1, program) == [1]


def test_a_test_never_waits_and_gives_the_result_at_last():
    def receive(comm):
        request, status = comm.irecv(source=0, tag=3), fmi.Status()
        assert request.test(status) == (False, None)
        assert not request.Test()
        assert not request.complete
        assert status.source == fmi.ANY_SOURCE
        comm.send("go", 0)
        assert until(lambda: (answer := request.test(status))[0] and answer) == (True, ["late"])
        assert (status.source, status.tag) == (0, 3)
        assert request.complete
        assert request.test() == (True, ["late"])
        assert request.Test()
        assert request.pending not in request.engine.background
        return True

    assert pair(lambda comm: comm.recv(source=1) and comm.send(["late"], 1, 3), receive)[1]


def test_a_test_in_a_job_that_broke_says_so():
    def program(comm):
        request = comm.irecv(source=1 - comm.rank)
        if comm.rank == 0:
            comm.abort(5)
        told = []
        for check in (request.test, request.get_status):
            with pytest.raises(fmi.AbortedError, match="exit code 5"):
                until(lambda use=check: use() and None)
            told.append(check)
        assert len(told) == 2
        raise KeyError("both said so")

    aborted, told = outcomes(2, program, timeout_s=30)
    assert isinstance(aborted.error, SystemExit)
    assert isinstance(told.error, KeyError)


def test_a_wait_has_a_time_out_of_its_own_and_can_be_tried_again():
    def receive(comm):
        request = comm.irecv(source=0, tag=4)
        with pytest.raises(
            fmi.DeadlineExceeded, match=r"irecv\(source=0, tag=4\) is not complete after 0.01 s"
        ) as caught:
            request.wait(timeout=0.01)
        assert caught.value.waiting_for == (0,)
        comm.send("go", 0)
        return request.wait()

    assert pair(lambda comm: comm.recv(source=1) and comm.send("at last", 1, 4), receive)[1] == "at last"


def test_a_receive_from_any_waits_for_all_others():
    def program(comm):
        request = comm.irecv()
        others = sorted({0, 1, 2} - {comm.rank})
        assert list(request.pending.owed_by()) == others
        assert request.pending.describe() == "irecv(source=ANY_SOURCE, tag=ANY_TAG)"
        comm.send(comm.rank, (comm.rank + 1) % 3)
        value = request.wait()
        assert list(request.pending.owed_by()) == []
        return value

    assert run(3, program) == [2, 0, 1]


def test_a_synchronous_send_is_complete_when_it_is_matched_and_no_sooner():
    def send(comm):
        request = comm.issend("x", 1, 6)
        assert request.pending.describe() == "issend(dest=1, tag=6)"
        assert list(request.pending.owed_by()) == [1]
        with pytest.raises(fmi.DeadlineExceeded, match=r"issend\(dest=1, tag=6\).* still waiting for rank 1"):
            request.wait(timeout=0.01)
        comm.send("take it", 1)
        request.wait()
        return list(request.pending.owed_by())

    assert pair(send, lambda comm: comm.recv(source=0, tag=0) and comm.recv(source=0, tag=6)) == [[], "x"]


def test_a_plain_send_owes_nothing_once_the_memory_is_free():
    def program(comm):
        request = comm.isend("x", 0)
        assert request.pending.describe() == "isend(dest=0, tag=0)"
        assert list(request.pending.owed_by()) == []
        status = fmi.Status(1, 1, 1)
        assert request.wait(status) is None
        assert (status.source, status.tag, status.nbytes) == (fmi.ANY_SOURCE, fmi.ANY_TAG, 0)
        return comm.recv(source=0)

    assert run(1, program) == ["x"]


def test_with_no_process_everything_is_complete_and_nothing_is_touched():
    def program(comm):
        buf, status = np.array([1.0]), fmi.Status()
        receive = comm.Irecv(buf, fmi.PROC_NULL, 3)
        assert receive.Wait(status)
        assert (status.source, status.tag, status.nbytes) == (fmi.PROC_NULL, fmi.ANY_TAG, 0)
        assert comm.irecv(source=fmi.PROC_NULL).test() == (True, None)
        assert comm.isend(object(), fmi.PROC_NULL).test() == (True, None)
        assert Request.waitall([comm.irecv(source=fmi.PROC_NULL), comm.isend(1, fmi.PROC_NULL)]) == [None, None]
        assert not comm.irecv(source=fmi.PROC_NULL).cancel()
        return buf.tolist()

    assert run(2, program) == [[1.0]] * 2
    assert (NullPending().owed_by(), NullPending().describe(), NullPending().advance()) == ((), "nothing", True)


def test_a_withdrawn_receive_leaves_its_message_to_the_next():
    def receive(comm):
        withdrawn, kept = comm.irecv(source=0, tag=1), comm.irecv(source=0, tag=1)
        assert withdrawn.cancel()
        assert withdrawn.pending not in withdrawn.engine.background
        comm.send("go", 0)
        return kept.wait(), withdrawn.wait(), withdrawn.test()

    assert pair(lambda comm: comm.recv(source=1) and comm.send("m", 1, 1), receive)[1] == ("m", None, (True, None))


def test_a_status_that_was_of_a_cancelled_one_can_be_used_again():
    def program(comm):
        status = fmi.Status()
        withdrawn = comm.irecv(source=0)
        withdrawn.cancel()
        withdrawn.get_status(status)
        assert status.Is_cancelled()
        request = comm.irecv(source=0)
        comm.send("m", 0, 2)
        request.wait(status)
        return status.Is_cancelled(), status.tag

    assert run(1, program) == [(False, 2)]


def test_a_collective_is_no_receive_that_could_be_withdrawn():
    def program(comm):
        request = comm.iallreduce(comm.rank + 1)
        assert not request.cancel()
        assert request != REQUEST_NULL
        return request.wait()

    assert run(3, program) == [6, 6, 6]


def test_operations_that_are_complete_from_the_start_are_not_driven():
    def program(comm):
        sent = comm.isend("x", comm.rank)
        assert sent.pending not in sent.engine.background
        waiting = comm.irecv(source=comm.rank, tag=5)
        assert waiting.pending in waiting.engine.background
        comm.send("y", comm.rank, 5)
        assert waiting.wait() == "y"
        return comm.recv(source=comm.rank), len(waiting.engine.background)

    assert run(1, program) == [("x", 0)]


def test_a_persistent_receive_can_be_withdrawn_and_started_again():
    def program(comm):
        buf = np.zeros(1)
        receive = comm.Recv_init(buf, 0)
        assert not receive.cancel()
        receive.Start()
        assert receive.cancel()
        status = fmi.Status()
        assert receive.Wait(status)
        assert status.Is_cancelled()
        assert receive
        for value in (1.0, 2.0):
            receive.Start()
            comm.Send(np.array([value]), 0)
            assert receive.Wait(status)
            assert (buf[0], status.source, status.Is_cancelled()) == (value, 0, False)
        return True

    assert run(1, program) == [True]


def test_a_freed_receive_takes_its_message_and_is_null():
    def program(comm):
        taken, left = np.zeros(1), np.zeros(1)
        for buf, let_go in ((taken, Request.Free), (left, Request.free)):
            request = comm.Irecv(buf, source=comm.rank)
            let_go(request)
            assert not request
            assert request.complete
            comm.Send(np.ones(1), comm.rank)
        return taken[0], left[0]

    assert run(1, program) == [(1, 1)]
