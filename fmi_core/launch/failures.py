"""How a rank failed: the record, its way over a pipe to the launcher, and which one is the root cause."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from fmi_core.errors import AbortedError, IntegrityError, MismatchError, PeerLostError

if TYPE_CHECKING:
    from traceback import TracebackException

__all__ = [
    "Ending",
    "Failure",
    "consequences",
    "from_exception",
    "from_status",
    "headline",
    "rank_list",
    "root_cause",
]

_REASON_CHARS = 500
_TRACEBACK_CHARS = 64 * 1024


@dataclass(frozen=True)
class Failure:
    """One rank's failure.

    Attributes:
        rank: who failed.
        code: the exit code that the job ends with if this is the root cause.
        error: the exception's type, or the signal's name, or empty.
        reason: what happened, to be read after "rank 3": ``raised ValueError: boom``.
        traceback: the user's part of the traceback, or empty if there is none to show.
        blames: the rank that this one only follows (it was lost, it aborted), or -1.
        mismatch: ranks disagreed; all of them say so, and the first to say it counts.
        when_s: the time of :func:`time.monotonic`, which all processes of a machine share.
    """

    rank: int
    code: int
    reason: str
    error: str = ""
    traceback: str = ""
    blames: int = -1
    mismatch: bool = False
    when_s: float = 0.0


@dataclass(frozen=True)
class Ending:
    """What a rank tells the launcher when its program is over.

    Attributes:
        failure: ``None`` if all went well.
        ledger: the rank's ledger in JSON, where it cannot be read from a broker.
    """

    failure: Failure | None
    ledger: str = ""

    def encode(self) -> bytes:
        """One line of JSON, in ASCII."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Ending:
        """The ending in ``line``.

        Raises:
            IntegrityError: the line is none that :meth:`encode` made.
        """
        try:
            fields = json.loads(line)
            failure = fields["failure"]
            return cls(None if failure is None else Failure(**failure), fields["ledger"])
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"a rank's last record cannot be read ({error}): {line[:80]!r}") from None


def from_exception(rank: int, error: BaseException, own_files: Iterable[str]) -> Failure:
    """The failure of a program that ended with ``error``.

    Args:
        rank: whose program it was.
        error: what it raised.
        own_files: source files whose frames at the outer end of the traceback are not the user's.
    """
    from traceback import TracebackException

    details = TracebackException(type(error), error, user_frames(error.__traceback__, own_files))
    now_s = time.monotonic()
    name = type(error).__name__
    if isinstance(error, AbortedError) and error.rank == rank:
        reason = f"aborted the job with code {error.code}: {_one_line(str(error))}"
        return Failure(rank, _exit_code(error), reason, name, when_s=now_s)
    return Failure(
        rank,
        _exit_code(error),
        f"raised {_last_line(details, name)}",
        name,
        traceback=_shortened("".join(details.format())),
        blames=_blames(rank, error),
        mismatch=isinstance(error, MismatchError),
        when_s=now_s,
    )


def from_status(rank: int, status: int) -> Failure:
    """The failure of a rank that ended with ``status``: an exit code, or minus the number of a signal."""
    now_s = time.monotonic()
    if status >= 0:
        return Failure(rank, status, f"exited with code {status}", when_s=now_s)
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        name = f"signal {-status}"
    return Failure(rank, 128 - status, f"was killed by {name}", name, when_s=now_s)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, AbortedError):
        return (error.code & 0xFF) or 1
    return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def user_frames(frames: TracebackType | None, own_files: Iterable[str]) -> TracebackType | None:
    """``frames`` without the outer ones that belong to ``own_files`` or to runpy."""
    skipped = {"<frozen runpy>", *own_files}
    while frames is not None and frames.tb_frame.f_code.co_filename in skipped:
        frames = frames.tb_next
    return frames


def _blames(rank: int, error: BaseException) -> int:
    """The rank whose end led to ``error``, followed through what was raised while it was handled."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        if isinstance(link, PeerLostError | AbortedError) and link.rank != rank:
            return link.rank
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return -1


def _last_line(details: TracebackException, name: str) -> str:
    # traceback knows how to show an exception whose own __str__ fails; it qualifies the type's name.
    shown = "".join(details.format_exception_only()).strip().splitlines()[-1]
    _, colon, message = shown.partition(": ")
    return _one_line(f"{name}{colon}{message}")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _REASON_CHARS else line[:_REASON_CHARS] + "…"


def _shortened(text: str) -> str:
    if len(text) <= _TRACEBACK_CHARS:
        return text
    half = _TRACEBACK_CHARS // 2
    return f"{text[:half]}\n  … {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def root_cause(failures: Iterable[Failure]) -> Failure:
    """The failure that the others follow from: the earliest that blames nobody, or the earliest of all.

    Raises:
        ValueError: there are no failures.
    """
    return min(failures, key=lambda failure: (failure.blames >= 0, failure.when_s, failure.rank))


def headline(failure: Failure) -> str:
    """What a user is shown of the root cause."""
    if failure.traceback:
        return f"rank {failure.rank} failed:\n{failure.traceback.rstrip()}"
    return f"rank {failure.rank} {failure.reason}"


def consequences(root: Failure, failures: Iterable[Failure], stopped: Sequence[int]) -> list[str]:
    """One line for each other way that ranks ended in: ``ranks 0, 2 raised PeerLostError as a consequence``.

    Args:
        root: the failure that was shown in full.
        failures: all failures, ``root`` among them.
        stopped: the ranks that the launcher had to stop.
    """
    lines: dict[str, list[int]] = {}
    for failure in sorted(failures, key=lambda one: one.rank):
        if failure.rank != root.rank:
            follows = failure.blames >= 0 or (failure.mismatch and root.mismatch)
            what = f"raised {failure.error} as a consequence" if follows else f"{failure.reason} too"
            lines.setdefault(what, []).append(failure.rank)
    if stopped:
        lines.setdefault("were stopped" if len(stopped) > 1 else "was stopped", []).extend(stopped)
    return [f"{rank_list(ranks)} {what}" for what, ranks in lines.items()]


def rank_list(ranks: Sequence[int]) -> str:
    """``ranks`` for people, in order: ``rank 3``, ``ranks 0-2, 5``."""
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    shown = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
    return f"rank{'s' if len(ranks) > 1 else ''} {shown}"
