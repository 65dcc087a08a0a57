"""Collective algorithms as schedules: pure generators of rounds, a catalog of them, and a prover.

::

    steps       the vocabulary: Send, Recv, Local, Side, Round, Schedule
    topology    who meets whom, and index arithmetic
    patterns    rounds that several collectives share
    barrier ... scan   one file per collective, its algorithms as generators
    algorithm   the record of an algorithm, and the decorator that makes one known
    catalog     all of them by name
    contract    what each collective starts from and must end with
    verify      the proof that an algorithm keeps its contract

Nothing here knows bytes, sockets, keys or clocks, and nothing is imported but the standard library.
"""

from __future__ import annotations

from fmi_core.collectives.algorithm import (
    COLLECTIVES,
    Algorithm,
    Collective,
    Granularity,
    algorithm,
    collective,
)
from fmi_core.collectives.catalog import catalog, lookup
from fmi_core.collectives.steps import Blocks, Local, Recv, Round, Schedule, Send, Side, Step
from fmi_core.collectives.verify import Delivery, Proof, ScheduleError, verify

__all__ = [
    "COLLECTIVES",
    "Algorithm",
    "Blocks",
    "Collective",
    "Delivery",
    "Granularity",
    "Local",
    "Proof",
    "Recv",
    "Round",
    "Schedule",
    "ScheduleError",
    "Send",
    "Side",
    "Step",
    "algorithm",
    "catalog",
    "collective",
    "lookup",
    "verify",
]
