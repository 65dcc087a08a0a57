"""What a rank and the broker say to each other.

Every request has a number, ``seq``, from 1 up, and gets one reply with the same number; ``Wait`` and
``Fence`` may get it much later. :class:`News` and :class:`Probe` come unasked. :mod:`fmi_core.broker.wire` is
how they look as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fmi_core.control import Notice

__all__ = [
    "Cancel",
    "Claim",
    "Done",
    "Failed",
    "Fence",
    "Get",
    "Granted",
    "Leave",
    "Missing",
    "News",
    "Probe",
    "Put",
    "Refused",
    "Reply",
    "Report",
    "Request",
    "Values",
    "Wait",
]


@dataclass(frozen=True, slots=True)
class Claim:
    """I am ``rank`` of the ``size`` ranks of ``job``, by this attempt. Reply: ``Granted`` or ``Refused``."""

    seq: int
    job: str
    rank: int
    size: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Put:
    """Keep ``value`` under ``key``, in place of what was there. Reply: ``Done`` or ``Refused``."""

    seq: int
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Get:
    """What is under ``key`` now? Reply: ``Values`` with one entry, ``None`` if there is nothing."""

    seq: int
    key: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Tell me all of ``keys`` once they are there. Reply: ``Values``, in that order, or ``Failed``."""

    seq: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """I have come to the fence ``name``. Reply: ``Done`` when every rank has, ``Failed``, or ``Refused``."""

    seq: int
    name: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """I give up my ``Wait`` or ``Fence`` number ``target``. Reply: ``Missing``, after its own."""

    seq: int
    target: int


@dataclass(frozen=True, slots=True)
class Report:
    """Tell all other ranks of my job. Reply: ``Done`` or ``Refused``."""

    seq: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Leave:
    """I am done, deliberately. Reply: ``Done``."""

    seq: int


@dataclass(frozen=True, slots=True)
class Done:
    """It is done."""

    seq: int


@dataclass(frozen=True, slots=True)
class Granted:
    """The rank is yours. ``nonce`` names this run of the job; a value may have up to ``max_value_bytes``."""

    seq: int
    nonce: str
    max_value_bytes: int


@dataclass(frozen=True, slots=True)
class Values:
    """The values that were asked for, in that order."""

    seq: int
    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a cancelled wait lacked: keys, or ranks; ``absent`` are those that are not even in the job."""

    seq: int
    keys: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why, as a sentence; ``missing`` are the ranks that can never come, if that is why."""

    seq: int
    reason: str
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The job is broken, by what ``notice`` says."""

    seq: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class News:
    """A notice for this rank."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Probe:
    """Nothing: the broker only tries whether the connection is still there."""


Request = Claim | Put | Get | Wait | Fence | Cancel | Report | Leave
Reply = Done | Granted | Values | Missing | Refused | Failed | News | Probe
