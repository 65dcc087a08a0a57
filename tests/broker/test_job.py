"""What one run of a job does with values, waits, fences and notices."""

import pytest

from fmi_core.broker.job import Job, Limits, Seat, rank_list
from fmi_core.broker.messages import (
    Cancel,
    Done,
    Failed,
    Fence,
    Get,
    Missing,
    News,
    Put,
    Refused,
    Report,
    Values,
    Wait,
)
from fmi_core.control import Notice

LOST = Notice("lost", 0, "it fell")


def a_job(size=3, **limits):
    job = Job("job", size, "nonce", Limits(**limits))
    seats = [Seat(job, rank, 0, b"member %d" % rank) for rank in range(size)]
    for seat in seats:
        assert job.sit(seat) == []
    return job, seats


def to(seat, *replies):
    return [(seat.member, reply) for reply in replies]


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([3], "rank 3"),
        ((2, 5), "ranks 2, 5"),
        (list(range(10)), "ranks 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (list(range(12)), "ranks 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (12 in all)"),
    ],
)
def test_ranks_for_people(ranks, text):
    assert rank_list(ranks) == text


def test_the_last_value_counts():
    job, (a, b, _) = a_job()
    assert job.get(a, Get(1, "key")) == to(a, Values(1, (None,)))
    assert job.put(a, Put(2, "key", b"one")) == to(a, Done(2))
    assert job.put(b, Put(3, "key", b"")) == to(b, Done(3))
    assert job.get(a, Get(4, "key")) == to(a, Values(4, (b"",)))


def test_a_wait_is_answered_at_once_or_by_the_last_key():
    job, (a, b, c) = a_job()
    assert job.wait(a, Wait(1, ())) == to(a, Values(1, ()))
    assert job.wait(a, Wait(2, ("x", "y", "x"))) == []
    assert job.wait(b, Wait(3, ("y",))) == []
    assert job.put(c, Put(1, "x", b"X")) == to(c, Done(1))
    assert job.put(c, Put(2, "y", b"Y")) == [
        *to(c, Done(2)),
        *sorted([*to(a, Values(2, (b"X", b"Y", b"X"))), *to(b, Values(3, (b"Y",)))]),
    ]
    assert job.wait(b, Wait(4, ("y", "x"))) == to(b, Values(4, (b"Y", b"X")))
    assert not a.held
    assert not b.held


def test_a_cancelled_wait_says_what_it_lacked_and_is_forgotten():
    job, (a, b, _) = a_job()
    job.wait(a, Wait(1, ("x", "y", "z", "y")))
    job.wait(b, Wait(1, ("y",)))
    job.put(b, Put(2, "x", b""))
    assert job.cancel(a, Cancel(2, 1)) == to(a, Missing(2, keys=("y", "z")))
    assert job.cancel(a, Cancel(3, 1)) == to(a, Missing(3))
    assert job.put(b, Put(3, "z", b"")) == to(b, Done(3))
    assert job.put(b, Put(4, "y", b"")) == to(b, Done(4), Values(1, (b"",)))


def test_a_fence_opens_for_the_last_rank_and_can_be_used_again():
    job, seats = a_job()
    for round_ in (1, 2):
        for seat in seats[:2]:
            assert job.fence(seat, Fence(round_, "start")) == []
        assert job.fence(seats[2], Fence(round_, "start")) == [(seat.member, Done(round_)) for seat in seats]
    assert all(seat.known and not seat.held for seat in seats)
    assert job.fences == {}


def test_a_cancelled_fence_names_who_is_missing_and_does_not_count_who_gave_up():
    job, (a, b, c) = a_job()
    job.rise(b, None)
    job.fence(a, Fence(1, "start"))
    assert job.cancel(a, Cancel(2, 1)) == to(a, Missing(2, ranks=(1, 2), absent=(1,)))
    assert job.fences == {}
    job.sit(b)
    job.fence(b, Fence(1, "start"))
    assert job.fence(c, Fence(1, "start")) == []
    assert job.cancel(b, Cancel(2, 1)) == to(b, Missing(2, ranks=(0,)))
    assert list(job.fences["start"]) == [2]


def test_nobody_is_twice_at_one_fence():
    job, (a, _, _) = a_job()
    job.fence(a, Fence(1, "start"))
    ((_, refused),) = job.fence(a, Fence(2, "start"))
    assert refused == Refused(2, "rank 0 is at the fence 'start' already")


def test_a_fence_that_a_rank_has_left_behind_never_opens():
    job, (a, b, c) = a_job()
    job.fence(a, Fence(1, "end"))
    job.fence(b, Fence(1, "end"))
    reason = "rank 1 has left the job without reaching 'end'"
    assert job.rise(b, "left") == to(a, Refused(1, reason, (1,)))
    assert job.fence(c, Fence(1, "end")) == to(c, Refused(1, reason, (1,)))
    job.rise(a, "left")
    ((_, refused),) = job.fence(c, Fence(2, "end"))
    assert refused.reason == "ranks 0, 1 have left the job without reaching 'end'"


def test_a_notice_reaches_the_others_and_fails_all_that_is_held_and_will_be():
    job, (a, b, c) = a_job()
    job.wait(a, Wait(1, ("x",)))
    job.fence(b, Fence(1, "f"))
    assert job.report(c, Report(1, LOST)) == [
        *to(c, Done(1)),
        *to(a, News(LOST)),
        *to(b, News(LOST)),
        *to(a, Failed(1, LOST)),
        *to(b, Failed(1, LOST)),
    ]
    assert job.broken is LOST
    assert job.wait(c, Wait(2, ("x",))) == to(c, Failed(2, LOST))
    assert job.fence(c, Fence(3, "f")) == to(c, Failed(3, LOST))
    assert job.put(a, Put(2, "x", b"X")) == to(a, Done(2))
    assert job.wait(c, Wait(4, ("x",))) == to(c, Values(4, (b"X",)))


def test_only_the_first_of_a_kind_about_a_rank_counts():
    job, (a, b, c) = a_job()
    job.announce(LOST)
    assert job.announce(Notice("lost", 0, "again")) == []
    abort = Notice("abort", 0, "enough", 3)
    assert job.announce(abort, but=b) == [*to(a, News(abort)), *to(c, News(abort))]
    assert job.broken is LOST


def test_who_comes_later_hears_it_too():
    job, (_a, _b, c) = a_job()
    job.rise(c, None)
    job.announce(LOST)
    assert job.sit(c) == to(c, News(LOST))


def test_a_report_about_nobody_is_refused():
    job, (a, _, _) = a_job()
    ((_, refused),) = job.report(a, Report(1, Notice("lost", 3, "")))
    assert refused == Refused(1, "rank 3 is none of the job's 3")


@pytest.mark.parametrize(
    ("limits", "puts", "text"),
    [
        ({"max_value_bytes": 3}, [("k", b"1234")], "the value has 4 bytes; the broker takes at most 3"),
        ({"max_keys": 1}, [("k", b""), ("k", b""), ("l", b"")], "the job has 1 keys already"),
        ({"max_job_bytes": 5}, [("k", b"123"), ("k", b"12345"), ("l", b"1")], "more than 5 bytes"),
    ],
)
def test_limits_of_values(limits, puts, text):
    job, (a, _, _) = a_job(**limits)
    *good, last = [job.put(a, Put(1, key, value)) for key, value in puts]
    assert all(out == to(a, Done(1)) for out in good)
    ((_, refused),) = last
    assert refused.reason.startswith(f"{puts[-1][0]!r} cannot be put: ")
    assert text in refused.reason


def test_what_is_refused_changes_nothing():
    job, (a, _, _) = a_job(max_job_bytes=5)
    job.put(a, Put(1, "k", b"123"))
    job.put(a, Put(2, "k", b"123456"))
    assert job.get(a, Get(3, "k")) == to(a, Values(3, (b"123",)))
    assert job.put(a, Put(4, "l", b"12")) == to(a, Done(4))


def test_limits_of_waits():
    job, (a, _, _) = a_job(max_held=2)
    job.wait(a, Wait(1, ("x",)))
    job.fence(a, Fence(2, "f"))
    for out in (job.wait(a, Wait(3, ("y",))), job.fence(a, Fence(3, "g"))):
        assert out == to(a, Refused(3, "rank 0 waits for 2 things already, the broker's limit"))


def test_a_number_is_used_once_at_a_time():
    job, (a, _, _) = a_job()
    job.wait(a, Wait(1, ("x",)))
    for out in (job.wait(a, Wait(1, ("y",))), job.fence(a, Fence(1, "f"))):
        ((_, refused),) = out
        assert "has an unanswered request with the number 1" in refused.reason


def test_a_rank_that_nobody_has_met_leaves_no_trace():
    job, (a, b, _) = a_job(max_job_bytes=4)
    job.put(a, Put(1, "mine", b"1234"))
    job.wait(a, Wait(2, ("x", "y")))
    job.fence(a, Fence(3, "f"))
    assert job.rise(a, None) == []
    assert job.get(b, Get(1, "mine")) == to(b, Values(1, (None,)))
    assert (job.fences, job.gone, a.held) == ({}, {}, {})
    assert job.put(b, Put(2, "x", b"1234")) == to(b, Done(2))


def test_a_rank_is_known_once_another_has_its_value():
    job, (a, b, c) = a_job()
    job.put(a, Put(1, "a", b""))
    job.put(b, Put(1, "b", b""))
    job.get(a, Get(2, "a"))
    assert not a.known
    job.wait(c, Wait(1, ("b",)))
    assert (a.known, b.known, c.known) == (False, True, False)
    job.get(b, Get(2, "a"))
    assert a.known


def test_the_values_of_a_rank_that_left_stay():
    job, (a, b, _) = a_job()
    job.put(a, Put(1, "ledger/0", b"x"))
    job.rise(a, "left")
    assert job.get(b, Get(1, "ledger/0")) == to(b, Values(1, (b"x",)))


def test_the_end_takes_the_notices_but_not_the_values():
    job, (a, *_) = a_job(1)
    job.put(a, Put(1, "k", b"x"))
    job.announce(LOST)
    job.rise(a, "left")
    job.end(5.0)
    assert (job.ended_s, job.broken, list(job.values)) == (5.0, None, ["k"])
