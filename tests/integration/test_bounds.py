"""Messages that nobody has asked for yet: they wait, within bounds; where that cannot end well, it is said."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import outcomes, run

MIB = 2**20
LIMIT = {"unexpected_limit_bytes": 4 * MIB, "timeout_s": 60}


@pytest.mark.parametrize("channel", ["tcp", "unix"])
def test_a_sender_far_ahead_is_held_back_and_everything_arrives_in_order(channel):
    def program(comm):
        if comm.rank == 0:
            requests = [comm.Isend(np.full(MIB, number, "u1"), dest=1, tag=1) for number in range(40)]
            comm.send("all posted", dest=2)
            fmi.Request.Waitall(requests)
            return None
        if comm.rank == 2:
            comm.recv(source=0)
            comm.send("go", dest=1)
            return None
        comm.recv(source=2)
        held = comm._engine.matcher.early_bytes
        got = np.empty(MIB, "u1")
        seen = []
        for _ in range(40):
            comm.Recv(got, source=0, tag=1)
            seen.append(int(got[0]))
        return held, seen

    held, seen = run(3, program, channel=channel, settings=LIMIT)[1]
    assert held <= 6 * MIB
    assert seen == list(range(40))


@pytest.mark.parametrize("channel", ["tcp", "unix"])
def test_waiting_for_a_message_behind_too_many_others_is_an_error_that_says_what_to_do(channel):
    def program(comm):
        if comm.rank == 0:
            for number in range(40):
                comm.Send(np.full(MIB, number, "u1"), dest=1, tag=1)
            comm.send("the one", dest=1, tag=2)
            return None
        return comm.recv(source=0, tag=2)

    error = outcomes(2, program, channel=channel, settings=LIMIT)[1].error
    assert isinstance(error, fmi.ChannelError)
    assert "receive in the order of sending, or raise FMI_UNEXPECTED_LIMIT (now 4.0 MiB)" in str(error)
