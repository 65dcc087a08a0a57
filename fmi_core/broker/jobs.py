"""All jobs of a broker: who may take which place, and when a job is over. No input or output, and no clock.

Theory of operation. A *member* is a connection, known by the bytes that the socket names it with. It claims
one rank of one job and is that rank until it leaves, is fenced off, or its connection ends. The connection is
what shows that a rank lives: ZeroMQ keeps it alive from a thread of its own, also while the rank computes for
hours, and the kernel ends it when the process dies.

A name stands for one *run* of a job at a time (:class:`~fmi_core.broker.job.Job`):

==========================================================  ==================================================
a claim of a rank that                                      does this
==========================================================  ==================================================
nobody holds                                                is granted
is held by the same or a higher attempt                     is refused
is held by a lower attempt, still unknown to the others     takes its place; its values are forgotten
is held by a lower attempt that others have met             begins a new run; the others of the old one hear
                                                            that it is lost
has left, or was lost                                       begins a new run
==========================================================  ==================================================

The ranks of an old run stay in it until they go; only the name is taken from them. A run whose last rank has
gone is over: the next claim of its name begins a new one. Its values are kept until then, or for ``ttl_s``
seconds, so that who runs the job can read its ledgers.

A rank whose connection ends without a word, and which others have met, is lost. They hear it a moment later
(:data:`LATE_S`), because whoever started the rank may publish a better reason meanwhile. If nobody has met
it, its place is just free again: a platform that retries functions can send another in time.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING, Literal

from fmi_core.broker.job import Job, Limits, Replies, Seat
from fmi_core.broker.messages import (
    Cancel,
    Claim,
    Done,
    Failed,
    Fence,
    Get,
    Granted,
    News,
    Put,
    Refused,
    Reply,
    Report,
    Request,
    Wait,
)
from fmi_core.control import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LATE_S", "Jobs"]

LATE_S = 0.2
"""How long the news that a rank's connection has ended waits for news that explains it, in seconds."""

_VANISHED = (
    "its connection to the broker ended: the process has ended without leaving the job, was killed, "
    "or cannot be reached any more"
)
_STRANGER = (
    "this connection holds no rank of any job; it has left, or the broker was restarted meanwhile: start the job again"
)
_log = logging.getLogger("fmi_core.broker")


class Jobs:
    """The state machine behind a broker's socket. All times are seconds of one monotonic clock.

    Args:
        ttl_s: how long a job that is over is kept.
        limits: what is accepted.
        new_nonce: makes the name of a run.
    """

    def __init__(
        self,
        *,
        ttl_s: float = 3600.0,
        limits: Limits | None = None,
        new_nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._ttl_s = ttl_s
        self._limits = limits or Limits()
        self._new_nonce = new_nonce
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, None] = {}  # names of jobs that are over, the first to end first
        self._seats: dict[bytes, Seat] = {}
        self._fenced: dict[bytes, str] = {}  # members that lost their rank to another, and why
        self._late: deque[tuple[float, Job, Notice]] = deque()

    def handle(self, member: bytes, request: Request, now_s: float) -> Replies:
        """Do what ``member`` asks; what to send, to whom."""
        if isinstance(request, Claim):
            return self._claim(member, request, now_s)
        seat = self._seats.get(member)
        if seat is None:
            return [(member, Refused(request.seq, self._fenced.get(member, _STRANGER)))]
        job = seat.job
        match request:
            case Put():
                return job.put(seat, request)
            case Get():
                return job.get(seat, request)
            case Wait():
                return job.wait(seat, request)
            case Fence():
                return job.fence(seat, request)
            case Cancel():
                return job.cancel(seat, request)
            case Report():
                return job.report(seat, request)
        out = self._rise(seat, "left", now_s)  # what is left is Leave
        return [(member, Done(request.seq)), *out]

    def knows(self, member: bytes) -> bool:
        """Whether it matters to anybody when ``member``'s connection ends."""
        return member in self._seats or member in self._fenced

    def disconnected(self, member: bytes, now_s: float) -> Replies:
        """``member``'s connection has ended."""
        self._fenced.pop(member, None)
        seat = self._seats.get(member)
        if seat is None:
            return []
        job, rank = seat.job, seat.rank
        _log.info("job %r: the connection of rank %d has ended", job.name, rank)
        if seat.known:
            self._late.append((now_s + LATE_S, job, Notice("lost", rank, _VANISHED)))
        return self._rise(seat, "lost" if seat.known else None, now_s)

    def publish(self, name: str, notice: Notice, now_s: float) -> Replies:
        """Tell all ranks of the job ``name``, also those that join later, even if none has joined yet."""
        job = self._jobs.get(name)
        if job is None:
            if not self._has_room():
                _log.warning("job %r: no room for a notice, the broker has %d jobs", name, len(self._jobs))
                return []
            job = self._jobs[name] = Job(name, 0, "", self._limits)
            self._end(job, now_s)
        return job.announce(notice)

    def values(self, name: str, prefix: str) -> dict[str, bytes]:
        """The values of the job ``name`` whose keys begin with ``prefix``; of its last run, if it is over."""
        job = self._jobs.get(name)
        found = job.values.items() if job is not None else ()
        return {key: value for key, (value, _) in found if key.startswith(prefix)}

    def tick(self, now_s: float) -> Replies:
        """Do what is due: late news, and forgetting."""
        out: Replies = []
        while self._late and self._late[0][0] <= now_s:
            _, job, notice = self._late.popleft()
            explained = any(rank == notice.rank for _, rank in job.notices)
            if job.ended_s is None and not explained:
                out += job.announce(notice)
        while (due_s := self._first_end_s()) is not None and due_s <= now_s:
            name = next(iter(self._ended))
            _log.info("job %r is forgotten", name)
            self._drop(name)
        return out

    def next_due_s(self) -> float | None:
        """When :meth:`tick` has something to do, if ever."""
        dues = [self._late[0][0]] if self._late else []
        first = self._first_end_s()
        return min([*dues, first]) if first is not None else next(iter(dues), None)

    # Claims --------------------------------------------------------------------------------------------

    def _claim(self, member: bytes, claim: Claim, now_s: float) -> Replies:
        if self.knows(member):
            return [(member, Refused(claim.seq, "this connection has claimed a rank already"))]
        if not claim.rank < claim.size <= self._limits.max_size:
            reason = (
                f"rank {claim.rank} of {claim.size}: expected a rank below the size, "
                f"and a size of at most {self._limits.max_size}, the broker's limit"
            )
            return [(member, Refused(claim.seq, reason))]
        job = self._jobs.get(claim.job)
        if job is None or job.ended_s is not None:
            return self._begin(member, claim, tuple(job.notices.values()) if job is not None else ())
        seat = job.seats.get(claim.rank)
        if seat is not None and claim.attempt <= seat.attempt:
            return [(member, Refused(claim.seq, _held_reason(claim, seat.attempt)))]
        met = seat is not None and (seat.known or job.broken is not None)
        if met or claim.rank in job.gone:
            out = self._begin(member, claim, ())
            return out + (self._fence_off(seat, claim, now_s) if seat is not None else [])
        if job.size != claim.size:
            reason = (
                f"job {claim.job!r} has {job.size} ranks, but rank {claim.rank} says {claim.size}; "
                "set the same FMI_SIZE for all ranks, or another FMI_JOB for another job"
            )
            return [(member, Refused(claim.seq, reason))]
        return self._sit(member, claim, job, seat)

    def _begin(self, member: bytes, claim: Claim, notices: tuple[Notice, ...]) -> Replies:
        """A new run, with this rank as its first; ``notices`` came after the end of the last."""
        if claim.job not in self._jobs and not self._has_room():
            reason = f"the broker has {len(self._jobs)} jobs already, which is its limit; try again later"
            return [(member, Refused(claim.seq, reason))]
        self._ended.pop(claim.job, None)
        job = self._jobs[claim.job] = Job(claim.job, claim.size, self._new_nonce(), self._limits)
        _log.info("job %r begins: %d ranks", claim.job, claim.size)
        for notice in notices:
            job.announce(notice)
        return self._sit(member, claim, job, None)

    def _sit(self, member: bytes, claim: Claim, job: Job, before: Seat | None) -> Replies:
        out: Replies = []
        if before is not None:
            out = self._tell_fenced(before, claim)
            job.rise(before, None)
        seat = self._seats[member] = Seat(job, claim.rank, claim.attempt, member)
        granted = Granted(claim.seq, job.nonce, self._limits.max_value_bytes)
        return [*out, (member, granted), *job.sit(seat)]

    def _fence_off(self, seat: Seat, claim: Claim, now_s: float) -> Replies:
        """The old holder of a rank goes; its run goes on under no name, and is broken."""
        out = self._tell_fenced(seat, claim)
        out += self._rise(seat, "lost", now_s)
        reason = f"attempt {claim.attempt} took its place, after the job had begun"
        return out + seat.job.announce(Notice("lost", seat.rank, reason))

    def _tell_fenced(self, seat: Seat, claim: Claim) -> Replies:
        reason = (
            f"attempt {claim.attempt} took the place of attempt {seat.attempt} at rank {seat.rank} "
            f"of job {seat.job.name!r}"
        )
        _log.warning("job %r: %s", seat.job.name, reason)
        del self._seats[seat.member]
        self._fenced[seat.member] = f"{reason}; this process must end"
        notice = Notice("fenced", seat.rank, reason)
        held: list[Reply] = [Failed(seq, notice) for seq in seat.held]
        return [(seat.member, message) for message in (News(notice), *held)]

    # The end -------------------------------------------------------------------------------------------

    def _rise(self, seat: Seat, how: Literal["left", "lost"] | None, now_s: float) -> Replies:
        self._seats.pop(seat.member, None)
        job = seat.job
        out = job.rise(seat, how)
        if not job.seats and self._jobs.get(job.name) is job:
            _log.info("job %r is over", job.name)
            self._end(job, now_s)
        return out

    def _end(self, job: Job, now_s: float) -> None:
        job.end(now_s)
        self._ended[job.name] = None

    def _first_end_s(self) -> float | None:
        for name in self._ended:
            ended_s = self._jobs[name].ended_s
            return None if ended_s is None else ended_s + self._ttl_s
        return None

    def _has_room(self) -> bool:
        """Whether there may be one more job; the one that has been over for longest makes room."""
        if len(self._jobs) >= self._limits.max_jobs and self._ended:
            self._drop(next(iter(self._ended)))
        return len(self._jobs) < self._limits.max_jobs

    def _drop(self, name: str) -> None:
        del self._ended[name]
        del self._jobs[name]


def _held_reason(claim: Claim, held_by: int) -> str:
    return (
        f"rank {claim.rank} of job {claim.job!r} is held by attempt {held_by}, and this is attempt "
        f"{claim.attempt}; to take its place, set FMI_ATTEMPT={held_by + 1} or higher; to run another job at "
        "the same time, set another FMI_JOB"
    )
