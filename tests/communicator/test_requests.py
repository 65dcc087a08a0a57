"""Requests: one operation at a time."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.communicator.requests import NO_PROC_REQUEST, REQUEST_NULL, Prequest, Request
from fmi_core.testing import run


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
