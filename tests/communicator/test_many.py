"""Many requests at once."""

from __future__ import annotations

import time

import fmi_core as fmi
from fmi_core.communicator.requests import REQUEST_NULL, Request
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


def messages(comm):
    """Rank 0 sends 0 … 3 with tags 0 … 3, the last two only when told."""
    for tag in (0, 1):
        comm.send(tag, 1, tag)
    comm.recv(source=1)
    for tag in (2, 3):
        comm.send(tag, 1, tag)


def receives(comm):
    return [comm.irecv(source=0, tag=tag) for tag in range(4)]


def test_wait_and_test_for_some():
    def receive(comm):
        requests = receives(comm)
        seen = []
        statuses = []
        while len(seen) < 2:
            indices, values = Request.waitsome(requests, statuses)
            assert indices == values
            seen += indices
        assert sorted(seen) == [0, 1]
        assert Request.testsome(requests) == ([], [])
        assert Request.Testsome(requests) == []
        assert Request.testall(requests) == (False, None)
        assert not Request.Testall(requests)
        assert Request.testany(requests) == (fmi.UNDEFINED, False, None)
        assert Request.Testany(requests) == (fmi.UNDEFINED, False)
        comm.send("go on", 0)
        while any(not request.complete for request in requests):
            seen += Request.Waitsome(requests)
        assert Request.waitsome(requests) == (None, None)
        assert Request.testsome(requests) == (None, None)
        assert Request.Waitsome(requests) is None
        assert Request.Testsome(requests) is None
        return sorted(seen)

    assert pair(messages, receive)[1] == [0, 1, 2, 3]


def test_wait_and_test_for_any():
    def receive(comm):
        requests = [REQUEST_NULL, *receives(comm)]
        status = fmi.Status()
        index, value = Request.waitany(requests, status)
        assert (index, status.source, status.tag) == (value + 1, 0, value)
        second = Request.Waitany(requests)
        comm.send("go on", 0)
        third = until(lambda: (answer := Request.testany(requests, status))[1] and answer)
        assert third[0] == third[2] + 1
        last = Request.Waitany(requests, status)
        assert Request.Waitany(requests, status) == fmi.UNDEFINED
        assert (status.source, status.tag) == (fmi.ANY_SOURCE, fmi.ANY_TAG)
        assert Request.waitany([]) == (fmi.UNDEFINED, None)
        assert Request.Testany(requests, status) == (fmi.UNDEFINED, True)
        return sorted([index, second, third[0], last])

    assert pair(messages, receive)[1] == [1, 2, 3, 4]


def test_wait_and_test_for_all():
    def receive(comm):
        comm.send("go on", 0)
        requests = receives(comm)
        statuses = [fmi.Status()]
        assert until(lambda: (answer := Request.testall(requests, statuses))[0] and answer) == (True, [0, 1, 2, 3])
        assert [status.tag for status in statuses] == [0, 1, 2, 3]
        assert Request.Testall(requests)
        assert Request.Waitall(requests)
        assert Request.waitall([]) == []
        return Request.waitall(requests)

    assert pair(messages, receive)[1] == [0, 1, 2, 3]
