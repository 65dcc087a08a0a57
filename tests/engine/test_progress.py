"""The engine of one rank, driven by hand over the in-process network."""

from __future__ import annotations

import pytest

from fmi_core.channels.framing import Header, Kind
from fmi_core.channels.memory import MemoryHub
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
    from fmi_core.channels.matching import Receive

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
