"""One run of a job, as the broker knows it: seats, values, waits, fences, notices. No input or output.

Theory of operation. A rank that has claimed its place has a :class:`Seat`; its member is the connection that
it speaks through. A seat is *known* once another rank has been given a value of it, or has passed a fence
together with it: from then on it cannot be replaced unnoticed. A ``Wait`` or a ``Fence`` that cannot be
answered yet is *held* by its seat, and found from the other side in ``_waits`` (by key) or ``fences`` (by
name). It ends in one of four ways: answered; failed, because of a notice; cancelled; or forgotten, with its
seat. A job with a notice is broken and stays so: what could still be held fails at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

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
    Reply,
    Report,
    Values,
    Wait,
)

if TYPE_CHECKING:
    from fmi_core.control import Notice

__all__ = ["Job", "Limits", "Replies", "Seat", "rank_list"]

Replies = list[tuple[bytes, Reply]]
"""What to send, in this order: the member, and the message for it."""

_SHOWN_RANKS = 10


@dataclass(frozen=True)
class Limits:
    """What a broker accepts; all per job, but ``max_jobs``."""

    max_jobs: int = 1000
    max_size: int = 2**16
    max_value_bytes: int = 16 * 2**20
    max_keys: int = 2**18
    max_job_bytes: int = 2**30
    max_held: int = 64  # waits and fences of one rank at a time


@dataclass(eq=False, slots=True)
class Seat:
    """A rank that is there. ``held`` are its unanswered waits, and the names of its fences, by number."""

    job: Job
    rank: int
    attempt: int
    member: bytes
    known: bool = False
    held: dict[int, _Held | str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class _Held:
    """A ``Wait`` that some keys are missing for."""

    seat: Seat
    request: Wait
    missing: set[str]


def rank_list(ranks: list[int] | tuple[int, ...]) -> str:
    """Ranks for people: ``rank 3``, ``ranks 2, 5``; of many, the first ten and how many there are."""
    shown = ", ".join(map(str, ranks[:_SHOWN_RANKS]))
    more = f", … ({len(ranks)} in all)" if len(ranks) > _SHOWN_RANKS else ""
    return f"rank{'s' * (len(ranks) > 1)} {shown}{more}"


class Job:
    """One run of the job ``name`` by ``size`` ranks; ``nonce`` tells it from any other.

    ``ended_s`` is when its last rank went, ``None`` while one is there. Its values outlive it.
    """

    def __init__(self, name: str, size: int, nonce: str, limits: Limits) -> None:
        self.name = name
        self.size = size
        self.nonce = nonce
        self.seats: dict[int, Seat] = {}
        self.gone: dict[int, Literal["left", "lost"]] = {}
        self.notices: dict[tuple[str, int], Notice] = {}
        self.values: dict[str, tuple[bytes, Seat]] = {}
        self.fences: dict[str, dict[int, int]] = {}  # name -> rank -> the number of its request
        self.ended_s: float | None = None
        self._waits: dict[str, dict[_Held, None]] = {}
        self._bytes = 0
        self._limits = limits

    @property
    def broken(self) -> Notice | None:
        """The first notice, which broke the job."""
        return next(iter(self.notices.values()), None)

    # Requests of a rank that has its seat --------------------------------------------------------------

    def put(self, seat: Seat, request: Put) -> Replies:
        """Keep a value, and answer the waits that lacked only this."""
        size, limits = len(request.value), self._limits
        old = len(self.values[request.key][0]) if request.key in self.values else None
        if size > limits.max_value_bytes:
            problem = f"the value has {size} bytes; the broker takes at most {limits.max_value_bytes}"
        elif old is None and len(self.values) >= limits.max_keys:
            problem = f"the job has {limits.max_keys} keys already, which is the broker's limit"
        elif self._bytes - (old or 0) + size > limits.max_job_bytes:
            problem = f"the job's values would have more than {limits.max_job_bytes} bytes, the broker's limit"
        else:
            self._bytes += size - (old or 0)
            self.values[request.key] = (request.value, seat)
            out: Replies = [(seat.member, Done(request.seq))]
            for held in self._waits.pop(request.key, ()):
                held.missing.discard(request.key)
                if not held.missing:
                    del held.seat.held[held.request.seq]
                    out.append(self._deliver(held.seat, held.request.seq, held.request.keys))
            return out
        return [(seat.member, Refused(request.seq, f"{request.key!r} cannot be put: {problem}"))]

    def get(self, seat: Seat, request: Get) -> Replies:
        """What is there now."""
        return [self._deliver(seat, request.seq, (request.key,))]

    def wait(self, seat: Seat, request: Wait) -> Replies:
        """Answer if all keys are there, else hold."""
        missing = {key for key in request.keys if key not in self.values}
        if not missing:
            return [self._deliver(seat, request.seq, request.keys)]
        if problem := self._not_held(seat, request.seq):
            return [(seat.member, problem)]
        held = _Held(seat, request, missing)
        seat.held[request.seq] = held
        for key in missing:
            self._waits.setdefault(key, {})[held] = None
        return []

    def fence(self, seat: Seat, request: Fence) -> Replies:
        """Hold, until this is the last rank to come."""
        arrived = self.fences.get(request.name, {})
        if problem := self._not_held(seat, request.seq):
            return [(seat.member, problem)]
        if seat.rank in arrived:
            reason = f"rank {seat.rank} is at the fence {request.name!r} already"
            return [(seat.member, Refused(request.seq, reason))]
        left = tuple(sorted(rank for rank, how in self.gone.items() if how == "left"))
        if left:
            return [(seat.member, _never(request.seq, request.name, left))]
        arrived = self.fences.setdefault(request.name, {})
        arrived[seat.rank] = request.seq
        seat.held[request.seq] = request.name
        if len(arrived) < self.size:
            return []
        for there in self.seats.values():
            there.known = True
        return self._open(request.name)

    def cancel(self, seat: Seat, request: Cancel) -> Replies:
        """Give up what is held; say what it lacked."""
        held = seat.held.pop(request.target, None)
        answer = Missing(request.seq)
        if isinstance(held, _Held):
            keys = tuple(key for key in dict.fromkeys(held.request.keys) if key in held.missing)
            answer = Missing(request.seq, keys=keys)
            self._forget(held)
        elif held is not None:
            ranks = tuple(rank for rank in range(self.size) if rank not in self.fences[held])
            absent = tuple(rank for rank in ranks if rank not in self.seats)
            answer = Missing(request.seq, ranks=ranks, absent=absent)
            self._withdraw(held, seat.rank)
        return [(seat.member, answer)]

    def report(self, seat: Seat, request: Report) -> Replies:
        """Tell all others."""
        if request.notice.rank >= self.size:
            reason = f"rank {request.notice.rank} is none of the job's {self.size}"
            return [(seat.member, Refused(request.seq, reason))]
        return [(seat.member, Done(request.seq)), *self.announce(request.notice, but=seat)]

    # What the broker does to a job ---------------------------------------------------------------------

    def announce(self, notice: Notice, *, but: Seat | None = None) -> Replies:
        """Remember ``notice``, push it to all (``but`` one), and fail all that is held.

        Only the first of each kind about each rank counts.
        """
        if (notice.kind, notice.rank) in self.notices:
            return []
        self.notices[notice.kind, notice.rank] = notice
        out: Replies = [(seat.member, News(notice)) for seat in self.seats.values() if seat is not but]
        for seat in self.seats.values():
            out += [(seat.member, Failed(seq, notice)) for seq in seat.held]
            seat.held.clear()
        self._waits.clear()
        self.fences.clear()
        return out

    def sit(self, seat: Seat) -> Replies:
        """Let a rank in; it hears at once what the others have heard."""
        self.seats[seat.rank] = seat
        return [(seat.member, News(notice)) for notice in self.notices.values()]

    def rise(self, seat: Seat, how: Literal["left", "lost"] | None) -> Replies:
        """A rank goes: deliberately, or known to the others and lost, or unknown to them (``None``)."""
        del self.seats[seat.rank]
        for held in seat.held.values():
            if isinstance(held, _Held):
                self._forget(held)
            else:
                self._withdraw(held, seat.rank)
        seat.held.clear()
        if how is None:  # nobody has seen its values, so nobody need
            for key in [key for key, (_, owner) in self.values.items() if owner is seat]:
                self._bytes -= len(self.values.pop(key)[0])
            return []
        self.gone[seat.rank] = how
        out: Replies = []
        if how == "left":  # whoever waits for it at a fence waits in vain
            for name, arrived in self.fences.items():
                for rank, seq in arrived.items():
                    there = self.seats[rank]
                    del there.held[seq]
                    out.append((there.member, _never(seq, name, (seat.rank,))))
            self.fences.clear()
        return out

    def end(self, now_s: float) -> None:
        """The last rank is gone: what broke this run is no concern of the next."""
        self.ended_s = now_s
        self.notices.clear()

    # --------------------------------------------------------------------------------------------------

    def _deliver(self, seat: Seat, seq: int, keys: tuple[str, ...]) -> tuple[bytes, Reply]:
        values = []
        for key in keys:
            value, owner = self.values.get(key, (None, seat))
            if owner is not seat:
                owner.known = True
            values.append(value)
        return seat.member, Values(seq, tuple(values))

    def _not_held(self, seat: Seat, seq: int) -> Reply | None:
        """Why a request cannot be held, if it cannot."""
        if self.broken is not None:
            return Failed(seq, self.broken)
        if len(seat.held) >= self._limits.max_held:
            return Refused(seq, f"rank {seat.rank} waits for {len(seat.held)} things already, the broker's limit")
        if seq in seat.held:
            return Refused(seq, f"rank {seat.rank} has an unanswered request with the number {seq} already")
        return None

    def _open(self, name: str) -> Replies:
        out: Replies = []
        for rank, seq in self.fences.pop(name).items():
            seat = self.seats[rank]
            del seat.held[seq]
            out.append((seat.member, Done(seq)))
        return out

    def _forget(self, held: _Held) -> None:
        for key in held.missing:
            waiting = self._waits[key]
            del waiting[held]
            if not waiting:
                del self._waits[key]

    def _withdraw(self, name: str, rank: int) -> None:
        arrived = self.fences[name]
        del arrived[rank]
        if not arrived:
            del self.fences[name]


def _never(seq: int, name: str, ranks: tuple[int, ...]) -> Refused:
    verb = "have" if len(ranks) > 1 else "has"
    return Refused(seq, f"{rank_list(ranks)} {verb} left the job without reaching {name!r}", ranks)
