"""Matched probes: a message is found and taken at once, and received later."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.communicator.matched import MESSAGE_NO_PROC, MESSAGE_NULL, Message
from fmi_core.testing import run

CHANNELS = ["memory", "tcp"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_probed_message_is_taken_out_of_the_queue(channel):
    def program(comm):
        if comm.rank == 0:
            for number in range(2):
                comm.send(number, 1, 3)
            comm.Send(np.arange(4.0), 1, 4)
            comm.Send(np.arange(4.0), 1, 4)
            comm.ssend("matched", 1, 5)
            return None
        status = fmi.Status()
        first = comm.mprobe(0, 3, status)
        assert (status.source, status.tag) == (0, 3)
        assert "from rank 0 with tag 3" in repr(first)
        assert comm.recv(source=0, tag=3) == 1  # the second one: the first is taken
        assert first
        assert first.recv() == 0
        assert not first
        assert first == MESSAGE_NULL
        assert first != MESSAGE_NO_PROC
        assert first != "something else"
        assert len({first, MESSAGE_NULL}) == 2
        with pytest.raises(fmi.ArgumentError, match="cannot be received"):
            first.recv()
        buf = np.empty(5)
        comm.Mprobe(0, 4).Recv([buf, 4, "d"], status)
        assert status.Get_count("d") == 4
        request = Message.Probe(comm, 0, 4).Irecv(buf[1:])
        request.wait()
        assert Message.probe(comm, 0, 5).irecv().wait() == "matched"
        return buf.tolist()

    assert run(2, program, channel=channel)[1] == [0, 0, 1, 2, 3]


def test_a_matched_probe_that_does_not_wait():
    def program(comm):
        assert comm.improbe(0) is None
        assert comm.Improbe(0) is None
        assert Message.iprobe(comm, 0) is None
        comm.send("x", 0, 8)
        status = fmi.Status()
        message = Message.Iprobe(comm, 0, fmi.ANY_TAG, status)
        assert comm.iprobe() is False
        return status.tag, message.recv(status), status.source

    assert run(1, program) == [(8, "x", 0)]


def test_a_probed_message_must_fit_and_be_of_the_right_kind():
    def program(comm):
        for tag in range(3):
            comm.Send(np.arange(4.0), 0, tag)
        with pytest.raises(fmi.TruncationError, match=r"32 bytes .* 8 bytes"):
            comm.mprobe(0, 0).Recv(np.empty(1))
        with pytest.raises(fmi.MismatchError, match="receives an object"):
            comm.mprobe(0, 1).recv()
        with pytest.raises(fmi.MismatchError, match="int32"):
            comm.mprobe(0, 2).Recv(np.empty(8, "i4"))

    run(1, program)


def test_a_probed_column_is_unpacked():
    def program(comm):
        comm.Send(np.ones(3), 0)
        matrix = np.zeros((3, 2))
        comm.mprobe(0).Recv([matrix, 1, datatypes.DOUBLE.Create_vector(3, 1, 2)])
        return matrix.tolist()

    assert run(1, program) == [[[1, 0], [1, 0], [1, 0]]]


def test_a_matched_probe_of_nobody():
    def program(comm):
        status = fmi.Status()
        for message in (comm.mprobe(fmi.PROC_NULL, 1, status), comm.improbe(fmi.PROC_NULL)):
            assert message is MESSAGE_NO_PROC
            assert message
            assert message.recv(status) is None
            message.Recv(np.empty(1))
        return status.source, bool(MESSAGE_NULL)

    assert run(1, program) == [(fmi.PROC_NULL, False)]
