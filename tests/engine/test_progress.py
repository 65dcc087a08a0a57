"""The engine of one rank, driven by hand over the in-process network."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.channels.framing import Header, Kind
from fmi_core.channels.matching import Receive
from fmi_core.channels.memory import MemoryControl, MemoryHub, MemoryTransport
from fmi_core.control import Notice
from fmi_core.engine.agreement import call_text
from fmi_core.engine.progress import Engine
from fmi_core.errors import (
    AbortedError,
    ChannelError,
    DeadlineExceeded,
    IntegrityError,
    MismatchError,
    PeerLostError,
    RendezvousError,
)
from fmi_core.testing import outcomes, run

CALL = call_text("barrier", -1, "", -1, "", "flat")


class Wanted:
    """Something that never comes, from some ranks."""

    call = CALL

    def __init__(self, *owed, context=0, after=None):
        self.context = context
        self.tag = 0
        self._owed = owed
        self._left = after

    def advance(self):
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0

    def owed_by(self):
        return self._owed

    def describe(self):
        return "a wait"


@pytest.fixture
def engines():
    hub = MemoryHub(3)
    made = []
    for rank in range(3):
        engine = Engine(rank=rank, size=3, control=hub.control(rank), timeout_s=20, unexpected_limit_bytes=100)
        engine.attach(hub.transport(rank, engine))
        made.append(engine)
    return made


def test_a_wait_ends_when_what_it_waits_for_is_complete(engines):
    engines[0].wait(Wanted(after=0))
    engines[0].wait(Wanted(1, after=3))


def test_a_wait_ends_at_its_deadline_and_says_for_whom(engines):
    with pytest.raises(DeadlineExceeded, match=r"not complete after 0\.01 s; still waiting for ranks 1, 2") as caught:
        engines[0].wait(Wanted(1, 2), 0.01)
    assert (caught.value.seconds, caught.value.waiting_for) == (0.01, (1, 2))
    with pytest.raises(DeadlineExceeded, match="still waiting for the receiver"):
        engines[0].wait(Wanted(), 0.01)


def test_a_wait_without_progress_asks_whom_it_waits_for(engines):
    with pytest.raises(DeadlineExceeded):
        engines[0].wait(Wanted(0, 1, context=1), 0.6)
    heard = []
    engines[1].on_frame = lambda source, header, text: heard.append((source, header.kind, text))
    engines[1].transport.progress(0.0, ())
    assert heard[0] == (0, Kind.WAIT, CALL)
    assert 1 <= len(heard) <= 2


def test_a_rank_that_does_something_else_learns_it_from_the_question(engines):
    engines[1].enter(1, 0, call_text("bcast", 0, "object", -1, "", "flat"))
    engines[1].on_frame(0, Header(Kind.WAIT, 1, 0, 0), CALL)
    with pytest.raises(MismatchError, match=r"rank 0 calls barrier.*rank 1 calls bcast"):
        engines[1].check()
    engines[0].progress()
    with pytest.raises(MismatchError, match="barrier"):
        engines[0].check()


def test_a_rank_that_has_finished_says_bye_when_asked(engines):
    assert engines[1].finish(0.01) is False
    engines[1].on_frame(0, Header(Kind.WAIT, 0, 7, 0), b"")
    with pytest.raises(PeerLostError, match="rank 1 is lost: it has finished, while rank 0 is in a wait"):
        engines[0].wait(Wanted(1))


def test_a_wait_for_any_goes_on_while_one_is_left(engines):
    engines[0].on_frame(1, Header(Kind.BYE, 0, 0, 0), b"")
    with pytest.raises(DeadlineExceeded):
        engines[0].wait(Wanted(1, 2), 0.01)
    with pytest.raises(PeerLostError):
        engines[0].wait(Wanted(1, 2, context=1), 0.01)


def test_a_lost_connection_is_told_to_all_after_a_moment(engines):
    engines[0].on_lost(1, "it broke")
    with pytest.raises(PeerLostError, match="rank 1 is lost: it broke") as caught:
        engines[0].wait(Wanted(2))
    assert (caught.value.rank, caught.value.reason) == (1, "it broke")
    assert engines[2].control.poll() == [Notice("lost", 1, "it broke")]
    engines[0].on_lost(2, "later")
    assert engines[0].failure is not None
    assert engines[0].failure.rank == 1


def test_the_reason_that_the_rank_gave_itself_comes_first(engines):
    engines[0].on_lost(1, "connection closed")
    engines[1].control.report(Notice("lost", 1, "it failed: KeyError"))
    with pytest.raises(PeerLostError, match="it failed: KeyError"):
        engines[0].wait(Wanted(2))


def test_a_rank_that_said_bye_may_close_its_connection(engines):
    engines[0].on_frame(1, Header(Kind.BYE, 0, 0, 0), b"")
    engines[0].on_lost(1, "connection closed")
    with pytest.raises(DeadlineExceeded):
        engines[0].wait(Wanted(2), 0.5)


def test_an_abort_ends_every_wait(engines):
    engines[2].control.report(Notice("abort", 2, "enough", 9))
    with pytest.raises(AbortedError, match="exit code 9"):
        engines[0].wait(Wanted(1))
    assert engines[0].told


def test_the_first_failure_stays_and_others_than_losses_are_told_as_such(engines):
    engines[0].fail(IntegrityError("bad bytes"))
    engines[0].fail(MismatchError("later"))
    with pytest.raises(IntegrityError):
        engines[0].check()
    assert engines[1].control.poll() == [Notice("lost", 0, "bad bytes")]
    with pytest.raises(IntegrityError):
        engines[0].enter(1, 0, CALL)


def test_messages_that_nobody_wants_are_bounded(engines):
    engine = engines[0]
    assert engine.may_read(1)
    engine.matcher.arrive(1, 0, 5, 150, b"").finish()
    assert not engine.may_read(1)
    engine.matcher.post(_receive(1, 6))
    assert engine.may_read(1)
    engine.matcher.arrive(1, 0, 5, 150, b"").finish()
    assert engine.may_read(1)
    with pytest.raises(ChannelError, match="holds 300 B of messages that it has not received"):
        engine.check()


def _receive(source, tag):
    return Receive(0, source, tag, None)


def test_a_message_to_oneself_and_to_others_is_one_post(engines):
    mine, theirs = _receive(0, 1), _receive(0, 1)
    engines[0].matcher.post(mine)
    engines[1].matcher.post(theirs)
    engines[0].post((0, 1), 0, 1, b"", [memoryview(b"ab"), memoryview(b"c")])
    engines[1].progress()
    assert bytes(mine.data) == bytes(theirs.data) == b"abc"


def test_what_runs_in_the_background_moves_and_its_errors_wait_for_whoever_asks(engines):
    class Fails(Wanted):
        def advance(self):
            raise IntegrityError("for its own request")

    slow = Wanted(after=2)
    engines[0].background += [slow, Fails()]
    engines[0].progress()
    assert engines[0].background == [slow]
    engines[0].progress()
    engines[0].progress()
    assert engines[0].background == []


def test_all_ranks_finish_together_or_one_leaves_alone(engines):
    assert engines[0].finish(0.01) is False
    engines[1].control.fence = lambda *_: (_ for _ in ()).throw(RendezvousError("no broker"))
    with pytest.raises(RendezvousError, match="no broker"):
        engines[1].finish(0.01)
    for engine in engines:
        engine.close()


def test_the_transport_watches_the_side_channel():
    class Audible(MemoryControl):
        def fileno(self):
            return 42

    class Watching(MemoryTransport):
        watched = None

        def watch(self, fd):
            self.watched = fd

    hub = MemoryHub(1)
    for control, want in ((Audible(hub, 0), 42), (hub.control(0), None)):
        engine = Engine(rank=0, size=1, control=control, timeout_s=20, unexpected_limit_bytes=100)
        engine.attach(Watching(hub, 0, engine))
        assert engine.transport.watched == want


def test_a_call_that_others_are_known_to_make_otherwise_fails_at_once_and_is_told(engines):
    engines[0].on_frame(1, Header(Kind.DATA, 1, 0, 0), call_text("bcast", 0, "object", -1, "", "flat"))
    assert engines[0].failure is None
    with pytest.raises(MismatchError, match=r"rank 0 calls barrier.*rank 1 calls bcast") as caught:
        engines[0].enter(1, 0, CALL)
    assert caught.value.calls == {0: "barrier()", 1: "bcast(root=0, dtype=object)"}
    assert caught.value is not engines[0].failure
    for other in engines[1:]:
        (notice,) = other.control.poll()
        assert (notice.kind, notice.rank, notice.reason) == ("mismatch", 0, str(caught.value))


def test_a_failure_stays_whatever_is_heard_or_done_later(engines):
    engines[0].fail(PeerLostError("rank 1 is lost: gone", rank=1, reason="gone"))
    engines[2].control.report(Notice("abort", 2, "later"))
    engines[0].on_lost(2, "later still")
    for _ in range(2):
        engines[0].progress()
        with pytest.raises(PeerLostError, match="rank 1 is lost: gone"):
            engines[0].wait(Wanted(2))
    for use in (engines[0].check, lambda: engines[0].enter(1, 0, CALL), lambda: engines[0].finish(1)):
        with pytest.raises(PeerLostError, match="rank 1 is lost: gone"):
            use()
    assert engines[1].control.poll()[0] == Notice("lost", 1, "gone")


def test_what_is_complete_already_is_not_refused_for_a_failure(engines):
    engines[0].fail(IntegrityError("bad"))
    engines[0].wait(Wanted(after=0))


def test_a_deadline_says_which_rank_waits_for_what_and_which_setting_helps(engines):
    with pytest.raises(DeadlineExceeded) as caught:
        engines[2].wait(Wanted(1), 0)
    assert str(caught.value) == (
        "rank 2: a wait is not complete after 0 s; still waiting for rank 1 (raise FMI_TIMEOUT if that is normal)"
    )
    engines[2].timeout_s = 0.02
    with pytest.raises(DeadlineExceeded, match=r"after 0\.02 s"):
        engines[2].wait(Wanted(1))
    assert engines[2].failure is None


def test_a_wait_that_moves_asks_nobody(engines):
    """Rank 1 goes on sending other messages while rank 0 waits: there is no reason to ask it."""

    class Busy(Wanted):
        def advance(self):
            engines[1].post((0,), 0, 99, b"", [memoryview(b"x")])
            return False

    with pytest.raises(DeadlineExceeded):
        engines[0].wait(Busy(1), 0.6)
    heard = []
    engines[1].on_frame = lambda source, header, text: heard.append(header.kind)
    engines[1].transport.progress(0.0, ())
    assert heard == []


def test_a_question_is_no_reason_to_say_bye_before_the_end_or_in_a_call_that_was_made(engines):
    engines[1].on_frame(0, Header(Kind.WAIT, 0, 7, 0), b"")
    assert not engines[0].transport.progress(0.0, ())
    engines[1].enter(1, 0, CALL)
    assert engines[1].finish(0.01) is False
    engines[0].transport.progress(0.0, ())  # the BYE of the end itself
    assert engines[0]._left == {1}
    heard = []
    engines[0].on_frame = lambda source, header, text: heard.append(header.kind)
    engines[1].on_frame(0, Header(Kind.WAIT, 1, 0, 0), CALL)
    engines[0].transport.progress(0.0, ())
    assert heard == []
    engines[1].on_frame(0, Header(Kind.WAIT, 1, 1, 0), CALL)
    engines[0].transport.progress(0.0, ())
    assert heard == [Kind.BYE]


def test_messages_in_flight_are_taken_before_the_end(engines):
    """The last ones may come while the others are met, and among them may be a disagreement."""
    for rank in (1, 2):
        engines[rank].control.fence = lambda *_: None
        engines[rank].finish(1)
    engines[0].control.fence = lambda *_: engines[1].post(
        (0,), 1, 0, call_text("bcast", 0, "object", -1, "", "flat"), [memoryview(b"")]
    )
    engines[0].enter(1, 0, CALL)
    with pytest.raises(MismatchError, match="rank 1 calls bcast"):
        engines[0].finish(1)


def test_a_message_to_oneself_that_is_not_wanted_yet_is_kept_as_it_was(engines):
    memory = bytearray(b"before")
    sending = engines[0].post((0,), 0, 3, b"d", [memoryview(memory)])
    assert sending.done
    memory[:] = b"after!"
    receive = _receive(0, 3)
    engines[0].matcher.post(receive)
    assert bytes(receive.data) == b"before"
    assert receive.arrival.descriptor == b"d"


# --- several ranks as threads ----------------------------------------------------------------------


def errors_of(ranks, program):
    return [outcome.error for outcome in outcomes(ranks, program, timeout_s=30)]


def test_two_ranks_that_wait_for_each_other_in_different_collectives_learn_that_they_disagree():
    """Neither sends anything: only the questions tell."""

    def program(comm):
        if comm.rank == 0:
            comm.gather("x", root=0)
        else:
            comm.bcast(None, root=0)

    for error in errors_of(2, program):
        assert type(error) is MismatchError
        assert "gather(root=0" in str(error)
        assert "bcast(root=0" in str(error)


def test_arguments_that_differ_are_a_mismatch_on_every_rank():
    def program(comm):
        comm.Allreduce(np.ones(3), np.empty(3), op=fmi.MAX if comm.rank == 1 else fmi.SUM)

    for error in errors_of(3, program):
        assert type(error) is MismatchError
        assert "disagree on op" in str(error)


def test_a_rank_that_waits_for_one_that_has_finished_is_told_so():
    def program(comm):
        if comm.rank == 0:
            comm.recv(source=1)

    first, second = errors_of(2, program)
    assert type(first) is PeerLostError
    assert "rank 1 is lost: it has finished, while rank 0 is in recv(source=1, tag=ANY_TAG)" in str(first)
    assert second is None or isinstance(second, PeerLostError)


def test_a_collective_in_the_background_moves_while_its_rank_waits_for_something_else():
    def program(comm):
        data = np.array([5, 6]) if comm.rank == 0 else np.zeros(2, "i8")
        request = comm.Ibcast(data, root=0)
        if comm.rank == 1:  # the middle of the chain passes the data on while it waits for rank 2, which has it then
            assert comm.recv(source=2) == "I have it"
        request.wait()
        if comm.rank == 2:
            comm.send("I have it", 1)
        return data.tolist()

    assert run(3, program, settings={"tune": {"bcast": "chain/1"}}) == [[5, 6]] * 3


def test_a_lost_connection_is_no_failure_until_the_side_channel_had_time_to_say_why(engines):
    engines[0].on_lost(1, "connection closed")
    engines[0].progress()
    assert engines[0].failure is None
    engines[1].control.report(Notice("lost", 1, "it failed: KeyError"))
    engines[0].wait(Wanted(2, after=1))
    with pytest.raises(PeerLostError, match="it failed: KeyError"):
        engines[0].check()
