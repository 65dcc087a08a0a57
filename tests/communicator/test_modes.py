"""Synchronous, buffered and ready sends; replacing; datatypes with gaps in messages."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.testing import outcomes, run

CHANNELS = ["memory", "tcp"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_synchronous_send_is_complete_only_when_it_is_received(channel):
    def program(comm):
        if comm.rank == 0:
            requests = [comm.issend("object", 1, 1), comm.Issend(np.arange(3.0), 1, 2)]
            comm.send("look", 1)
            assert comm.recv(source=1) == "looked"
            before = [request.test()[0] for request in requests]
            comm.barrier()
            fmi.Request.waitall(requests)
            comm.ssend("again", 1, 3)
            comm.Ssend(np.ones(1), 1, 4)
            return before
        assert comm.recv(source=0, tag=0) == "look"
        comm.probe(0, 1)
        comm.send("looked", 0)
        comm.barrier()
        buf = np.empty(3)
        status = fmi.Status()
        assert comm.recv(source=0, tag=1, status=status) == "object"
        comm.Recv(buf, 0, 2, status)
        assert comm.recv(source=0, tag=3) == "again"
        comm.Recv(buf[:1], 0, 4)
        return status.Get_count("d"), buf.tolist()

    assert run(2, program, channel=channel) == [[False, False], (3, [1, 1, 2])]


def test_a_synchronous_send_whose_receive_was_posted_first():
    def program(comm):
        if comm.rank == 0:
            comm.recv(source=1)
            comm.ssend("x", 1)
            return None
        request = comm.irecv(source=0)
        comm.send("posted", 0)
        return request.wait()

    assert run(2, program)[1] == "x"


def test_a_synchronous_send_to_nobody_and_to_oneself():
    def program(comm):
        comm.ssend("x", fmi.PROC_NULL)
        comm.Ssend(None, fmi.PROC_NULL)
        request = comm.issend("self", 0)
        assert not request.Test()
        value = comm.recv(source=0)
        request.wait()
        return value

    assert run(1, program) == ["self"]


def test_a_synchronous_send_that_nobody_receives_reaches_the_deadline():
    def program(comm):
        if comm.rank == 0:
            with pytest.raises(fmi.DeadlineExceeded, match=r"ssend\(dest=1, tag=5\)") as caught:
                comm.issend("x", 1, 5).wait(timeout=0.2)
            comm.send(caught.value.waiting_for, 1)
            return None
        waiting = comm.recv(source=0, tag=0)
        comm.recv(source=0, tag=5)
        return waiting

    assert run(2, program)[1] == (1,)


def test_a_synchronous_send_to_a_rank_that_ends_fails():
    def program(comm):
        if comm.rank == 0:
            comm.ssend("x", 1)

    ended = outcomes(2, program, timeout_s=20)
    assert isinstance(ended[0].error, fmi.PeerLostError)


def test_buffered_and_ready_sends_are_sends():
    def program(comm):
        data = np.ones(1)
        for send in (comm.bsend, comm.rsend):
            send("x", 0)
        for send in (comm.Bsend, comm.Rsend):
            send(data, 0, 1)
        requests = [comm.ibsend("x", 0), comm.irsend("x", 0), comm.Ibsend(data, 0, 1), comm.Irsend(data, 0, 1)]
        fmi.Request.Waitall(requests)
        buf = np.empty(1)
        for _ in range(4):
            comm.Recv(buf, 0, 1)
        return [comm.recv(source=0) for _ in range(4)]

    assert run(1, program) == [["x"] * 4]


# --- buffers --------------------------------------------------------------------------------------


def test_sendrecv_replace():
    def program(comm):
        buf = np.full(3, float(comm.rank))
        status = fmi.Status()
        comm.Sendrecv_replace(buf, (comm.rank + 1) % 3, 1, (comm.rank - 1) % 3, 1, status)
        comm.Sendrecv_replace([buf, 2, "d"], fmi.PROC_NULL, 0, fmi.PROC_NULL)
        return status.source, buf.tolist()

    assert run(3, program) == [(2, [2] * 3), (0, [0] * 3), (1, [1] * 3)]


def test_nothing_is_asked_of_buffers_that_go_nowhere():
    def program(comm):
        comm.Send(None, fmi.PROC_NULL)
        comm.Isend(None, fmi.PROC_NULL).wait()
        status = fmi.Status()
        comm.Recv(None, fmi.PROC_NULL, status=status)
        comm.Sendrecv(None, fmi.PROC_NULL, 0, None, fmi.PROC_NULL)
        return status.source

    assert run(1, program) == [fmi.PROC_NULL]


@pytest.mark.parametrize("channel", CHANNELS)
def test_columns_travel(channel):
    def program(comm):
        matrix = np.arange(12.0).reshape(3, 4) * (comm.rank + 1)
        column = datatypes.DOUBLE.Create_vector(3, 1, 4).Commit()
        if comm.rank == 0:
            comm.Send([matrix, 1, column], 1)
            comm.Send(np.full(2, -1.0), 1)
            return None
        comm.Recv([matrix[0, 3:].base.reshape(-1)[3:], 1, column], 0)
        comm.Recv([matrix, 1, column], 0)  # a message of two elements only
        return matrix.tolist()

    assert run(2, program, channel=channel)[1] == [[-1, 2, 4, 0], [-1, 10, 12, 4], [16, 18, 20, 8]]
