"""How much of a collective hides behind computation, blocking and non-blocking measured side by side.

Two cases, on two ranks in processes of their own, over Unix sockets:

transfer    a large Allreduce and as much computation that does not need its result. Blocking does one after the
            other; non-blocking begins the Iallreduce, computes in slices with a Test after each, and waits.
late rank   a small Allreduce, which in turn one rank reaches late. Blocking makes the other one idle; non-blocking
            lets it go on with computation that does not need the result.

Rounds of both forms alternate, so that a busy moment of the machine hits both. A ratio below 1 is time saved; the
best that can be had is where one of the two parts hides behind the other altogether. What hides is waiting: a
transfer between two ranks of one machine is work of the processors, for which computation has to stand aside.

``python benchmarks/overlap.py [ROUNDS]``
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fmi_core import IN_PLACE
from fmi_core.testing import run

ROUNDS = 21
RANKS = 2
COUNT = 2**20
SLICES = 24
UNIT = np.ones(40_000)


def compute(units: int) -> None:
    """``units`` pieces of work, of some tens of microseconds each."""
    for _ in range(units):
        np.sqrt(UNIT).sum()


def seconds(comm: Any, work: Callable[[], None]) -> float:
    """How long ``work`` takes, on the slowest rank."""
    comm.Barrier()
    began = time.perf_counter()
    work()
    return max(comm.allgather(time.perf_counter() - began))


def transfer(comm: Any, rounds: int) -> dict[str, list[float]]:
    """A large Allreduce beside computation that takes about as long."""
    data = np.ones(COUNT)
    for _ in range(5):
        comm.Allreduce(IN_PLACE, data)  # the first ones find memory that was never touched
    alone_s = statistics.median(seconds(comm, lambda: comm.Allreduce(IN_PLACE, data)) for _ in range(5))
    unit_s = statistics.median(seconds(comm, lambda: compute(50)) for _ in range(5)) / 50
    units = max(SLICES, int(alone_s / unit_s))

    def blocking() -> None:
        comm.Allreduce(IN_PLACE, data)
        compute(units)

    def overlapped() -> None:
        request = comm.Iallreduce(IN_PLACE, data)
        for part in range(SLICES):
            compute((part + 1) * units // SLICES - part * units // SLICES)
            request.Test()
        request.Wait()

    return alternate(comm, rounds, {
        "collective": lambda: comm.Allreduce(IN_PLACE, data),
        "computation": lambda: compute(units),
        "blocking": blocking,
        "non-blocking": overlapped,
    })  # fmt: skip


def late_rank(comm: Any, rounds: int) -> dict[str, list[float]]:
    """A small Allreduce which each rank in turn reaches late, eight times."""
    data = np.ones(1)
    late, after = 100, 80

    def blocking() -> None:
        for turn in range(8):
            compute(late if turn % RANKS == comm.rank else 0)
            comm.Allreduce(IN_PLACE, data)
            compute(after)

    def overlapped() -> None:
        for turn in range(8):
            compute(late if turn % RANKS == comm.rank else 0)
            request = comm.Iallreduce(IN_PLACE, data)
            compute(after)
            request.Wait()

    def alone() -> None:
        for _ in range(8):
            comm.Allreduce(IN_PLACE, data)

    return alternate(comm, rounds, {
        "collective": alone,
        "computation": lambda: compute(8 * after + 4 * late),
        "blocking": blocking,
        "non-blocking": overlapped,
    })  # fmt: skip


def alternate(comm: Any, rounds: int, forms: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """The times of ``rounds`` rounds of all ``forms``, in turn."""
    for work in forms.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, work in forms.items():
            times[name].append(seconds(comm, work))
    return times


def program(comm: Any, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Both cases, on one rank."""
    return {"transfer": transfer(comm, rounds), "late rank": late_rank(comm, rounds)}


def main(arguments: list[str]) -> int:
    """Measures and prints the table."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    measured = run(RANKS, program, rounds, channel="unix", timeout_s=300)[0]
    print(f"{'':12}{'collective':>12}{'computation':>13}{'blocking':>11}{'non-blocking':>14}{'ratio':>8}")
    for case, times in measured.items():
        ms = {name: statistics.median(values) * 1e3 for name, values in times.items()}
        pairs = zip(times["non-blocking"], times["blocking"], strict=True)
        ratio = statistics.median(overlapped / blocking for overlapped, blocking in pairs)
        print(
            f"{case:12}{ms['collective']:9.2f} ms{ms['computation']:10.2f} ms{ms['blocking']:8.2f} ms"
            f"{ms['non-blocking']:11.2f} ms{ratio:8.2f}"
        )
    print(f"medians of {rounds} alternating rounds on {RANKS} ranks over unix")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
