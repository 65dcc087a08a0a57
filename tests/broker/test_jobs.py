"""Who may take which place, and when a job is over; and that nothing said in any order breaks the rules."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fmi_core.broker.job import Limits
from fmi_core.broker.jobs import LATE_S, Jobs
from fmi_core.broker.messages import (
    Cancel,
    Claim,
    Done,
    Failed,
    Fence,
    Get,
    Granted,
    Leave,
    Missing,
    News,
    Put,
    Refused,
    Report,
    Values,
    Wait,
)
from fmi_core.control import Notice

A, B, C, D = b"a", b"b", b"c", b"d"
LOST = Notice("lost", 1, "it fell")


class Table(Jobs):
    """Jobs with nonces that count, and a clock that stands still."""

    def __init__(self, **options):
        self.now_s = 0.0
        super().__init__(new_nonce=map("run {}".format, itertools.count(1)).__next__, **options)

    def say(self, member, request):
        return self.handle(member, request, self.now_s)

    def claim(self, member, rank=0, size=2, attempt=0, job="job"):
        return self.say(member, Claim(1, job, rank, size, attempt))

    def come(self, member, *arguments, **options):
        """Claims, which must work; the run's nonce."""
        out = self.claim(member, *arguments, **options)
        return next(reply.nonce for whom, reply in out if whom == member and isinstance(reply, Granted))

    def refuse(self, member, *arguments, **options):
        """Claims, which must not work; why."""
        ((whom, reply),) = self.claim(member, *arguments, **options)
        assert whom == member
        assert isinstance(reply, Refused)
        return reply.reason

    def meet(self, *members):
        for member in members:
            out = self.say(member, Fence(99, "meet"))
        assert out == [(member, Done(99)) for member in members]


def test_all_ranks_of_a_run_get_its_nonce_and_the_limit():
    table = Table(limits=Limits(max_value_bytes=77))
    assert table.claim(A, 0) == [(A, Granted(1, "run 1", 77))]
    assert table.claim(B, 1) == [(B, Granted(1, "run 1", 77))]
    assert table.claim(C, job="another") == [(C, Granted(1, "run 2", 77))]


def test_a_nonce_is_random_unless_told_otherwise():
    nonces = set()
    for _ in range(2):
        ((_, granted),) = Jobs().handle(A, Claim(1, "job", 0, 1, 0), 0.0)
        nonces.add(granted.nonce)
    assert len(nonces) == 2
    assert all(len(bytes.fromhex(nonce)) == 16 for nonce in nonces)


@pytest.mark.parametrize("attempt", [0, 3])
def test_an_equal_or_lower_attempt_is_refused(attempt):
    table = Table()
    table.come(A, attempt=3)
    reason = table.refuse(B, attempt=attempt)
    for part in ("rank 0", "job 'job'", "attempt 3", f"attempt {attempt}", "FMI_ATTEMPT=4"):
        assert part in reason
    assert table.say(A, Get(2, "k")) == [(A, Values(2, (None,)))]


def test_a_higher_attempt_takes_the_place_of_one_that_nobody_has_met():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.say(A, Put(2, "card/0", b"old"))
    table.say(A, Wait(3, ("card/1",)))
    out = table.claim(C, 0, attempt=1)
    fenced = Notice("fenced", 0, "attempt 1 took the place of attempt 0 at rank 0 of job 'job'")
    assert out == [(A, News(fenced)), (A, Failed(3, fenced)), (C, Granted(1, "run 1", Limits.max_value_bytes))]
    assert table.say(B, Get(2, "card/0")) == [(B, Values(2, (None,)))]
    table.meet(B, C)


def test_who_was_fenced_off_is_refused_whatever_it_asks():
    table = Table()
    table.come(A)
    table.claim(B, attempt=1)
    for request in (Get(2, "k"), Put(2, "k", b""), Leave(2), Fence(2, "f"), Report(2, LOST)):
        ((_, refused),) = table.say(A, request)
        assert refused.reason.startswith("attempt 1 took the place of attempt 0")
    assert "claimed a rank already" in table.refuse(A, attempt=2)
    assert table.knows(A)
    assert table.disconnected(A, 0.0) == []
    assert not table.knows(A)
    assert table.next_due_s() is None
    assert table.say(B, Get(2, "k")) == [(B, Values(2, (None,)))]


def test_a_higher_attempt_for_a_rank_that_others_have_met_begins_a_new_run():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.say(B, Wait(5, ("x",)))
    table.say(A, Wait(5, ("x",)))
    out = table.claim(C, 1, attempt=1)
    fenced = Notice("fenced", 1, "attempt 1 took the place of attempt 0 at rank 1 of job 'job'")
    lost = Notice("lost", 1, "attempt 1 took its place, after the job had begun")
    assert out == [
        (C, Granted(1, "run 2", Limits.max_value_bytes)),
        (B, News(fenced)),
        (B, Failed(5, fenced)),
        (A, News(lost)),
        (A, Failed(5, lost)),
    ]
    assert table.come(D, 0) == "run 2"  # rank 0 of the new run, while the old one is still there
    table.meet(C, D)
    assert table.say(A, Leave(6)) == [(A, Done(6))]
    table.meet(C, D)


def test_a_broken_job_is_not_joined_by_a_newer_attempt_but_begun_anew():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.say(A, Report(2, Notice("abort", 0, "enough")))
    assert table.claim(C, 0, attempt=1)[0] == (C, Granted(1, "run 2", Limits.max_value_bytes))
    assert table.come(D, 1) == "run 2"


def test_a_rank_that_left_frees_its_place_for_a_new_run():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    assert table.say(A, Leave(2)) == [(A, Done(2))]
    assert not table.knows(A)
    assert table.come(C, 0) == "run 2"
    assert table.come(D, 1) == "run 2"
    ((_, refused),) = table.say(B, Fence(2, "f"))
    assert refused.missing == (0,)


def test_a_job_that_all_have_left_starts_clean_and_its_values_are_kept_until_then():
    table = Table()
    for member, rank in ((A, 0), (B, 1)):
        table.come(member, rank)
        table.say(member, Put(2, f"ledger/{rank}", member))
    table.say(A, Put(3, "other", b""))
    table.say(A, Report(4, LOST))
    table.say(A, Leave(5))
    table.say(B, Leave(5))
    assert table.values("job", "ledger/") == {"ledger/0": b"a", "ledger/1": b"b"}
    assert table.claim(A, 0, size=9) == [(A, Granted(1, "run 2", Limits.max_value_bytes))]
    assert table.values("job", "") == {}
    assert table.values("nowhere", "") == {}


def test_another_size_is_refused_by_name():
    table = Table()
    table.come(A, 0, size=2)
    reason = table.refuse(B, 1, size=3)
    for part in ("job 'job'", "2 ranks", "rank 1 says 3", "FMI_SIZE", "FMI_JOB"):
        assert part in reason


@pytest.mark.parametrize(("rank", "size"), [(2, 2), (0, 17)])
def test_a_claim_that_cannot_be_is_refused(rank, size):
    assert f"rank {rank} of {size}" in Table(limits=Limits(max_size=16)).refuse(A, rank, size)


def test_a_connection_claims_once():
    table = Table()
    table.come(A)
    assert "claimed a rank already" in table.refuse(A, 1)


def test_strangers_are_refused():
    ((_, refused),) = Table().say(A, Put(7, "k", b""))
    assert refused.seq == 7
    assert "holds no rank of any job" in refused.reason


def test_jobs_are_limited_but_what_is_over_makes_room():
    table = Table(limits=Limits(max_jobs=2))
    table.come(A, size=1, job="first")
    table.come(B, size=1, job="second")
    assert "has 2 jobs already" in table.refuse(C, job="third")
    assert table.publish("third", LOST, 0.0) == []
    table.say(B, Put(2, "k", b"x"))
    table.say(B, Leave(3))
    assert table.values("second", "k") == {"k": b"x"}
    table.come(C, job="third")
    assert table.values("second", "k") == {}
    assert "has 2 jobs already" in table.refuse(D, job="second")


def test_a_lost_rank_is_told_a_little_later():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.say(A, Wait(3, ("x",)))
    assert table.disconnected(B, 10.0) == []
    assert table.next_due_s() == 10.0 + LATE_S
    assert table.tick(10.0) == []
    (whom, news), (_, failed) = table.tick(10.0 + LATE_S)
    assert (whom, news.notice.kind, news.notice.rank) == (A, "lost", 1)
    assert "its connection to the broker ended" in news.notice.reason
    assert failed == Failed(3, news.notice)
    assert table.next_due_s() is None


def test_what_explains_a_loss_takes_the_place_of_the_news_of_it():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.disconnected(B, 0.0)
    abort = Notice("abort", 1, "exit code 3")
    assert table.publish("job", abort, 0.1) == [(A, News(abort))]
    assert table.tick(9.0) == []


def test_late_news_of_a_run_that_is_over_are_not_for_the_next():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.disconnected(B, 0.0)
    table.disconnected(A, 0.0)
    assert table.tick(9.0) == []
    assert table.claim(A, 0) == [(A, Granted(1, "run 2", Limits.max_value_bytes))]


def test_a_rank_that_nobody_has_met_can_come_again():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.say(B, Put(2, "card/1", b"old"))
    assert table.disconnected(B, 0.0) == []
    assert table.next_due_s() is None
    assert table.come(C, 1) == "run 1"
    assert table.say(A, Get(2, "card/1")) == [(A, Values(2, (None,)))]
    table.meet(A, C)


def test_a_rank_that_was_lost_comes_again_in_a_new_run():
    table = Table()
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.disconnected(B, 0.0)
    assert table.come(C, 1) == "run 2"
    ((whom, news),) = table.tick(1.0)
    assert (whom, news.notice.rank) == (A, 1)


def test_the_end_of_a_connection_that_holds_nothing_is_nothing():
    assert Table().disconnected(A, 0.0) == []


def test_what_is_published_reaches_all_and_whoever_comes_later():
    table = Table()
    table.come(A, 0, size=3)
    table.come(B, 1, size=3)
    assert table.publish("job", LOST, 0.0) == [(A, News(LOST)), (B, News(LOST))]
    assert table.claim(C, 2, size=3)[1:] == [(C, News(LOST))]


def test_what_is_published_before_anybody_came_is_for_the_first_run():
    table = Table()
    assert table.publish("job", LOST, 0.0) == []
    assert table.claim(A, 0)[1:] == [(A, News(LOST))]
    assert table.claim(B, 1)[1:] == [(B, News(LOST))]


def test_what_is_published_after_the_end_is_for_the_next_run_and_keeps_the_values():
    table = Table()
    table.come(A, 0)
    table.say(A, Put(2, "k", b"x"))
    table.disconnected(A, 0.0)
    table.come(B, 0, size=1)
    table.say(B, Put(2, "k", b"x"))
    table.say(B, Leave(3))
    assert table.publish("job", LOST, 0.0) == []
    assert table.values("job", "") == {"k": b"x"}
    assert table.claim(A, 0)[1:] == [(A, News(LOST))]


def test_jobs_that_are_over_are_forgotten_in_time_and_jobs_with_ranks_are_not():
    table = Table(ttl_s=100.0)
    table.come(A, 0, job="alive")
    table.come(B, 0, job="over")
    table.say(B, Put(2, "k", b"x"))
    table.now_s = 50.0
    table.say(B, Leave(3))
    table.publish("never", LOST, 60.0)
    assert table.next_due_s() == 150.0
    table.tick(149.0)
    assert table.values("over", "") == {"k": b"x"}
    table.tick(150.0)
    assert table.values("over", "") == {}
    assert table.next_due_s() == 160.0
    assert table.tick(10**9) == []
    assert table.next_due_s() is None
    assert table.say(A, Get(2, "k")) == [(A, Values(2, (None,)))]
    assert table.claim(B, 1, job="never")[1:] == []


def test_both_dues_count():
    table = Table(ttl_s=0.05)
    table.come(A, 0)
    table.come(B, 1)
    table.meet(A, B)
    table.disconnected(B, 0.0)
    assert table.next_due_s() == LATE_S
    table.come(C, 0, size=1, job="short")
    table.say(C, Leave(2))
    assert table.next_due_s() == 0.05


def test_a_cancel_reaches_the_job():
    table = Table()
    table.come(A, 0)
    table.say(A, Fence(2, "f"))
    assert table.say(A, Cancel(3, 2)) == [(A, Missing(3, ranks=(1,), absent=(1,)))]


class AnyOrder(RuleBasedStateMachine):
    """Members say anything in any order; a simple model knows what must hold."""

    SIZE = 3
    KEYS = ("x", "y", "z")
    members = st.sampled_from([b"m%d" % number for number in range(6)])

    def __init__(self):
        super().__init__()
        self.table = Table(limits=Limits(max_jobs=2), ttl_s=5.0)
        self.seq = 1
        self.asked = {}  # member -> numbers that have no answer yet
        self.granted = {}  # member -> (job, nonce, rank)
        self.clock_s = 0.0

    def take(self, out):
        for member, reply in out:
            if isinstance(reply, News):
                assert member in self.granted, "news for a stranger"
                if reply.notice.kind == "fenced":
                    self.granted.pop(member)
                continue
            assert reply.seq in self.asked[member], "an answer that nobody waits for, or a second one"
            self.asked[member].discard(reply.seq)

    def say(self, member, kind, *arguments):
        self.seq += 1
        self.asked.setdefault(member, set()).add(self.seq)
        out = self.table.handle(member, kind(self.seq, *arguments), self.clock_s)
        answer = next((reply for whom, reply in out if (whom, getattr(reply, "seq", 0)) == (member, self.seq)), None)
        if isinstance(answer, Granted):
            job, rank, *_ = arguments
            self.granted[member] = (job, answer.nonce, rank)
        self.take(out)
        return answer

    @rule(
        member=members,
        job=st.sampled_from("pqr"),
        rank=st.integers(0, SIZE - 1),
        attempt=st.integers(0, 3),
        size=st.sampled_from([SIZE, SIZE, SIZE, SIZE + 1]),
    )
    def claim(self, member, job, rank, attempt, size):
        assert isinstance(self.say(member, Claim, job, rank, size, attempt), Granted | Refused)

    @rule(member=members, key=st.sampled_from(KEYS), value=st.binary(max_size=3))
    def put_and_get(self, member, key, value):
        if isinstance(self.say(member, Put, key, value), Done):
            assert self.say(member, Get, key).values == (value,)

    @rule(member=members, keys=st.lists(st.sampled_from(KEYS), max_size=3))
    def wait(self, member, keys):
        answer = self.say(member, Wait, tuple(keys))
        if isinstance(answer, Values):
            assert None not in answer.values

    @rule(member=members, name=st.sampled_from("fg"))
    def fence(self, member, name):
        self.say(member, Fence, name)

    @rule(member=members, data=st.data())
    def cancel(self, member, data):
        waiting = sorted(self.asked.get(member, ()))
        if waiting:
            target = data.draw(st.sampled_from(waiting))
            if isinstance(self.say(member, Cancel, target), Missing):
                self.asked[member].discard(target)

    @rule(member=members, kind=st.sampled_from(["lost", "abort"]), rank=st.integers(0, SIZE))
    def report(self, member, kind, rank):
        assert isinstance(self.say(member, Report, Notice(kind, rank, "why")), Done | Refused)

    @rule(member=members)
    def leave(self, member):
        if isinstance(self.say(member, Leave), Done):
            self.granted.pop(member)
            self.asked.pop(member)

    @rule(member=members)
    def disconnect(self, member):
        self.granted.pop(member, None)
        self.asked.pop(member, None)
        self.take(self.table.disconnected(member, self.clock_s))
        assert not self.table.knows(member)

    @rule(job=st.sampled_from("pqr"), rank=st.integers(0, SIZE - 1))
    def publish(self, job, rank):
        self.take(self.table.publish(job, Notice("lost", rank, "published"), self.clock_s))

    @rule(seconds=st.sampled_from([0.1, 0.3, 6.0]))
    def time_passes(self, seconds):
        self.clock_s += seconds
        self.take(self.table.tick(self.clock_s))
        due_s = self.table.next_due_s()
        assert due_s is None or due_s > self.clock_s

    @precondition(lambda self: self.granted)
    @rule()
    def all_go(self):
        for member in list(self.granted):
            self.leave(member)
        self.take(self.table.tick(self.clock_s + 1.0))
        assert isinstance(self.say(b"fresh", Claim, "p", 0, 1, 0), Granted | Refused)
        self.disconnect(b"fresh")

    @invariant()
    def a_rank_of_a_run_has_one_holder(self):
        places = list(self.granted.values())
        assert len(set(places)) == len(places)

    @invariant()
    def who_is_in_is_known_and_nobody_holds_more_than_it_asked(self):
        for member in self.granted:
            assert self.table.knows(member)
            seat = self.table._seats[member]
            assert set(seat.held) == self.asked[member]
        assert self.table._seats.keys() == self.granted.keys()

    @invariant()
    def nothing_points_to_what_is_gone(self):
        jobs = {id(seat.job): seat.job for seat in self.table._seats.values()}
        for job in [*jobs.values(), *self.table._jobs.values()]:
            held = {(rank, seq) for rank, seat in job.seats.items() for seq in seat.held}
            at_fences = {(rank, seq) for ranks in job.fences.values() for rank, seq in ranks.items()}
            waits = {(wait.seat.rank, wait.request.seq) for key in job._waits.values() for wait in key}
            assert held == at_fences | waits
            assert all(job.fences.values())
            assert job._bytes == sum(len(value) for value, _ in job.values.values())
            assert not job.broken or not held
        assert len(self.table._jobs) <= 2
        assert set(self.table._ended) == {name for name, job in self.table._jobs.items() if job.ended_s is not None}
        assert all(bool(job.seats) != (job.ended_s is not None) for job in self.table._jobs.values())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
