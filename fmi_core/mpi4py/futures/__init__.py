"""``mpi4py.futures``: pools of ranks, without spawning any.

``MPICommExecutor(comm, root)`` makes the other ranks of ``comm`` the workers until its block ends.
``MPIPoolExecutor`` makes all ranks but 0 workers until rank 0 ends: under ``-m mpi4py.futures`` from the
start, else from where they reach it.
"""

from __future__ import annotations

from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
    TimeoutError,  # noqa: A004  # mpi4py has it
    as_completed,
    wait,
)

from fmi_core.mpi4py.futures.executors import MPICommExecutor, MPIPoolExecutor, get_comm_workers

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenExecutor",
    "CancelledError",
    "Executor",
    "Future",
    "InvalidStateError",
    "MPICommExecutor",
    "MPIPoolExecutor",
    "TimeoutError",
    "as_completed",
    "get_comm_workers",
    "wait",
]
