"""What a rank hears from outside the data path: who is gone, who aborted, who disagrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from fmi_core.errors import AbortedError, FmiError, MismatchError, PeerLostError, RendezvousError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Control", "Notice", "NoticeKind", "error_of"]

NoticeKind = Literal["lost", "abort", "mismatch", "fenced"]
"""``lost``: a rank failed or vanished; ``abort``: a rank ended the job; ``mismatch``: ranks disagree;
``fenced``: a newer attempt took this rank's place."""


@dataclass(frozen=True)
class Notice:
    """One piece of news about ``rank``: ``reason`` is a sentence, ``code`` the exit code of an abort."""

    kind: NoticeKind
    rank: int
    reason: str
    code: int = 1


def error_of(notice: Notice) -> FmiError:
    """The error that a rank raises when ``notice`` reaches it."""
    rank = notice.rank
    reason = notice.reason.removeprefix(f"rank {rank} ")
    match notice.kind:
        case "lost":
            return PeerLostError(f"rank {rank} is lost: {reason}", rank=rank, reason=notice.reason)
        case "abort":
            message = f"rank {rank} aborted the job with exit code {notice.code}: {reason}"
            return AbortedError(message, rank=rank, code=notice.code)
        case "mismatch":
            return MismatchError(notice.reason, calls={rank: notice.reason})
        case "fenced":
            return RendezvousError(f"rank {rank} was replaced, this process must end: {reason}")


class Control(Protocol):
    """The job's side channel, as one rank sees it."""

    def fileno(self) -> int:
        """A descriptor that is readable when :meth:`poll` may have news; -1 if there is none."""
        ...

    def poll(self) -> list[Notice]:
        """The news since the last call; never blocks."""
        ...

    def report(self, notice: Notice) -> None:
        """Tell every other rank of the job."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Publish ``value`` under ``key`` for the whole job."""
        ...

    def fence(self, name: str, progress: Callable[[float], None], timeout_s: float) -> None:
        """Return once every rank of the job has called this with the same ``name``.

        ``progress(wait_s)`` is called again and again meanwhile, so that the data path keeps moving.

        Raises:
            RendezvousError: ranks are missing after ``timeout_s`` seconds; they are named.
        """
        ...

    def leave(self) -> None:
        """This rank is done, deliberately."""
        ...

    def close(self) -> None:
        """Let go of everything; idempotent."""
        ...
