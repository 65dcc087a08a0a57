"""The ledger: what this rank's communication consisted of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

__all__ = ["Entry", "Ledger", "render"]


@dataclass
class Entry:
    """All calls of one operation by one algorithm on one channel.

    Attributes:
        operation: ``allreduce``, ``send``, …
        channel: the channel's name.
        algorithm: the algorithm's name; empty for point to point.
        calls: how many.
        bytes: payload bytes that this rank sent.
        seconds: wall time that this rank spent in them.
    """

    operation: str
    channel: str
    algorithm: str
    calls: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Ledger:
    """One rank's entries, one per (operation, channel, algorithm)."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Entry] = {}

    def record(self, operation: str, channel: str, algorithm: str, nbytes: int, seconds: float) -> None:
        """Count one call."""
        key = (operation, channel, algorithm)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(*key)
        entry.calls += 1
        entry.bytes += nbytes
        entry.seconds += seconds

    @property
    def entries(self) -> list[Entry]:
        """The entries, those that took longest first."""
        return sorted(self._entries.values(), key=lambda entry: -entry.seconds)

    def to_json(self) -> bytes:
        """The entries as a JSON list of objects with the fields of :class:`Entry`."""
        return json.dumps([asdict(entry) for entry in self.entries]).encode()

    def table(self) -> str:
        """The entries of this rank as a text table."""
        return render(self.entries)


def render(entries: Iterable[Entry], *, bytes_title: str = "bytes sent", time_title: str = "time") -> str:
    """``entries`` as a text table for people; the titles say whose bytes and time they are."""
    from tabulate import tabulate

    from fmi_core.units import format_bytes, format_seconds

    rows = [
        (e.operation, e.channel, e.algorithm or "–", e.calls, format_bytes(e.bytes), format_seconds(e.seconds))
        for e in entries
    ]
    return tabulate(
        rows,
        headers=("operation", "channel", "algorithm", "calls", bytes_title, time_title),
        colalign=("left", "left", "left", "right", "right", "right"),
        disable_numparse=True,
    )
