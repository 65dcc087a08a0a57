"""The closing table of ``fmi run --report``: what the ranks' operations came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from fmi_core.errors import IntegrityError

__all__ = ["PREFIX", "Row", "merge", "parse", "table"]

PREFIX = "ledger/"
"""Rank 3 publishes its ledger under ``ledger/3``."""


class Row(TypedDict):
    """One line of a ledger: all calls of one operation by one algorithm over one channel.

    ``seconds`` is the time that the calls took, together; ``bytes`` what they moved out of this rank.
    """

    operation: str
    channel: str
    algorithm: str
    calls: int
    bytes: int
    seconds: float


def parse(values: Mapping[str, bytes]) -> dict[int, list[Row]]:
    """The ledgers in ``values``, by rank: each is a JSON list of rows under the key ``ledger/<rank>``.

    Raises:
        IntegrityError: one of them is something else; the error names its key.
    """
    ledgers = {}
    for key, value in values.items():
        try:
            ledgers[int(key.removeprefix(PREFIX))] = [_row(row) for row in json.loads(value)]
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{key!r} holds no ledger of a rank ({error})") from None
    return ledgers


def _row(fields: Mapping[str, Any]) -> Row:
    return Row(
        operation=str(fields["operation"]),
        channel=str(fields["channel"]),
        algorithm=str(fields["algorithm"]),
        calls=int(fields["calls"]),
        bytes=int(fields["bytes"]),
        seconds=float(fields["seconds"]),
    )


def merge(ledgers: Mapping[int, Iterable[Row]]) -> list[Row]:
    """One row for each operation, channel and algorithm of the job, the longest first.

    A collective is called on every rank, so ``calls`` is the largest count of any rank, and ``seconds`` the
    time of the slowest rank; ``bytes`` is the sum over all ranks.
    """
    merged: dict[tuple[str, str, str], Row] = {}
    for ledger in ledgers.values():
        for row in ledger:
            key = row["operation"], row["channel"], row["algorithm"]
            if key not in merged:
                merged[key] = row.copy()
                continue
            total = merged[key]
            total["calls"] = max(total["calls"], row["calls"])
            total["bytes"] += row["bytes"]
            total["seconds"] = max(total["seconds"], row["seconds"])
    return sorted(merged.values(), key=lambda row: (-row["seconds"], row["operation"], row["algorithm"]))


def table(rows: Iterable[Row]) -> str:
    """``rows`` as a table for people, without a newline at its end."""
    from fmi_core.communicator.ledger import Entry, render  # with all of the communicator: only where it is shown

    entries = [Entry(**row) for row in rows]
    if not entries:
        return "no operations"
    return render(entries, bytes_title="bytes (all ranks)", time_title="time (slowest rank)")
