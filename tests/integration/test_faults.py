"""A rank that raises, exits, is killed or goes early: the others learn it, soon, and by name."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import outcomes

WITHIN_S = 5.0


def timed(work):
    """Run ``work``; its error and how long it took to come."""
    began = time.monotonic()
    with pytest.raises(fmi.PeerLostError) as caught:
        work()
    return caught.value.rank, str(caught.value), time.monotonic() - began


def raises(comm):
    raise KeyError("the cause")


def exits(comm):
    raise SystemExit(3)


def vanishes(comm):
    os._exit(4)


def is_killed(comm):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("channel", ["tcp", "unix"])
@pytest.mark.parametrize("death", [raises, exits, vanishes, is_killed])
@pytest.mark.parametrize("connected", [True, False])
def test_all_others_raise_peer_lost_in_the_middle_of_a_collective(channel, death, connected):
    def program(comm):
        if connected:
            comm.Allreduce(fmi.IN_PLACE, np.zeros(1000))
            comm.gather(None, root=1)  # all others are past the first collective
        if comm.rank == 1:
            death(comm)
        return timed(lambda: comm.Allreduce(fmi.IN_PLACE, np.zeros(100_000)))

    ended = outcomes(4, program, channel=channel)
    assert ended[1].error is not None
    for outcome in (ended[0], ended[2], ended[3]):
        assert outcome.error is None
        rank, text, seconds = outcome.value
        assert rank == 1
        assert "rank 1" in text
        assert seconds < WITHIN_S
    if death is raises:
        assert "KeyError" in ended[0].value[1]


def test_a_rank_that_is_waited_for_and_has_finished_is_named():
    def program(comm):
        if comm.rank == 1:
            return None
        return timed(lambda: comm.recv(source=1))

    ended = outcomes(3, program, channel="tcp", settings={"timeout_s": 30})
    for outcome in (ended[0], ended[2]):
        rank, _, seconds = outcome.value
        assert rank in (0, 1, 2)
        assert seconds < WITHIN_S
    assert any("it has finished" in outcome.value[1] for outcome in (ended[0], ended[2]))


def test_a_rank_that_leaves_early_and_is_not_needed_harms_nobody():
    def program(comm):
        if comm.rank == 2:
            comm.send("bye", dest=0)
            return None
        if comm.rank == 0:
            assert comm.recv(source=2) == "bye"
        other = 1 - comm.rank
        return [comm.sendrecv(number, dest=other, source=other) for number in range(50)][-1]

    assert [outcome.value for outcome in outcomes(3, program, channel="tcp")] == [49, 49, None]


def test_abort_reaches_every_rank():
    def program(comm):
        if comm.rank == 2:
            comm.abort(7, "enough")
        with pytest.raises(fmi.AbortedError, match="rank 2 aborted the job with exit code 7: enough") as caught:
            comm.barrier()
        return caught.value.code

    ended = outcomes(3, program, channel="tcp")
    assert [outcome.value for outcome in ended[:2]] == [7, 7], ended
    assert isinstance(ended[2].error, SystemExit)


def test_missing_ranks_are_named_when_the_job_does_not_come_together():
    from fmi_core.broker.server import Broker
    from fmi_core.secret import Secret
    from fmi_core.startup import init

    secret = Secret.generate()
    with Broker(secret) as broker:
        settings = fmi.Settings(rank=1, size=4, secret=secret, broker=broker.address, join_timeout_s=0.5)
        with pytest.raises(fmi.RendezvousError, match="ranks 0, 2, 3 of 4") as caught:
            init(settings)
    assert caught.value.missing == (0, 2, 3)


def test_a_wrong_secret_is_told_at_once():
    from fmi_core.broker.server import Broker
    from fmi_core.secret import Secret
    from fmi_core.startup import init

    with Broker(Secret.generate()) as broker:
        mine = Secret.generate()
        settings = fmi.Settings(rank=0, size=2, secret=mine, broker=broker.address, join_timeout_s=30)
        began = time.monotonic()
        with pytest.raises(fmi.RendezvousError, match="FMI_SECRET") as caught:
            init(settings)
    assert time.monotonic() - began < WITHIN_S
    assert mine.reveal() not in str(caught.value)


def test_a_stopped_rank_that_goes_on_is_not_lost():
    def program(comm):
        comm.barrier()
        if comm.rank == 1:
            child = os.fork()
            if not child:  # wakes its parent up again
                time.sleep(1.0)
                os.kill(os.getppid(), signal.SIGCONT)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.waitpid(child, 0)
        return comm.allreduce(comm.rank)

    assert [outcome.value for outcome in outcomes(3, program, channel="tcp")] == [3, 3, 3]
