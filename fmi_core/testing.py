"""Ranks for tests: N threads over memory, or N processes over sockets, from one call.

::

    from fmi_core.testing import run

    def total(comm):
        return comm.allreduce(comm.rank)

    assert run(4, total) == [6, 6, 6, 6]
    assert run(4, total, channel="tcp") == [6, 6, 6, 6]
"""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmi_core.channels.memory import MemoryHub
from fmi_core.errors import AbortedError, DeadlineExceeded, FmiError, PeerLostError, UnsupportedError
from fmi_core.runtime import in_process
from fmi_core.secret import Secret
from fmi_core.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

__all__ = ["Outcome", "outcomes", "run"]

_PRELOAD = ["numpy", "zmq", "fmi_core.communicator", "fmi_core.startup", "fmi_core.broker.client"]


@dataclass(frozen=True)
class Outcome:
    """How one rank ended: with ``value``, or with ``error``."""

    rank: int
    value: Any = None
    error: BaseException | None = None


def run(
    ranks: int,
    function: Callable[..., Any],
    *args: Any,
    channel: str = "memory",
    timeout_s: float = 60.0,
    settings: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Call ``function(comm, *args)`` on ``ranks`` ranks; returns what they returned, by rank.

    Args:
        ranks: how many.
        function: what each rank does; for processes, anything that cloudpickle can carry.
        args: further arguments, the same for all.
        channel: ``memory`` (threads), ``tcp`` or ``unix`` (processes).
        timeout_s: how many seconds all of it may take.
        settings: further fields of :class:`~fmi_core.settings.Settings`.

    Raises:
        DeadlineExceeded: a rank is not done after ``timeout_s``; it is named (processes are killed).
        BaseException: what a rank raised; the cause, where one rank's failure made others fail.
    """
    ended = outcomes(ranks, function, *args, channel=channel, timeout_s=timeout_s, settings=settings)
    failed = [outcome for outcome in ended if outcome.error is not None]
    if failed:
        first = min(failed, key=lambda outcome: isinstance(outcome.error, PeerLostError | AbortedError))
        assert first.error is not None
        first.error.add_note(f"(on rank {first.rank} of {ranks})")
        raise first.error
    return [outcome.value for outcome in ended]


def outcomes(
    ranks: int,
    function: Callable[..., Any],
    *args: Any,
    channel: str = "memory",
    timeout_s: float = 60.0,
    settings: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """As :func:`run`, but tell of every rank how it ended, well or badly.

    Raises:
        DeadlineExceeded: a rank is not done after ``timeout_s``.
    """
    chosen = {"timeout_s": timeout_s, "join_timeout_s": timeout_s, "channel": channel, **(settings or {})}
    if channel == "memory":
        return _threads(ranks, function, args, timeout_s, chosen)
    return _processes(ranks, function, args, timeout_s, chosen)


def _late(running: list[int], timeout_s: float) -> DeadlineExceeded:
    names = ", ".join(map(str, running))
    return DeadlineExceeded(f"ranks {names} are not done after {timeout_s:g} s", seconds=timeout_s, waiting_for=running)


def _play(rank: int, function: Callable[..., Any], args: tuple[Any, ...], settings: Settings) -> Outcome:
    """One rank's part, from ``init`` to ``close``."""
    from fmi_core.startup import init

    try:
        with init(settings) as comm:
            value = function(comm, *args)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is this rank's outcome
        return Outcome(rank, error=error)
    return Outcome(rank, value)


# --- threads --------------------------------------------------------------------------------------


def _threads(
    ranks: int, function: Callable[..., Any], args: tuple[Any, ...], timeout_s: float, chosen: Mapping[str, Any]
) -> list[Outcome]:
    hub = MemoryHub(ranks)
    ended: dict[int, Outcome] = {}

    def one(rank: int) -> None:
        with in_process(hub, rank):
            ended[rank] = _play(rank, function, args, Settings(**chosen))

    threads = [threading.Thread(target=one, args=(rank,), name=f"rank {rank}", daemon=True) for rank in range(ranks)]
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    running = [rank for rank, thread in enumerate(threads) if thread.is_alive()]
    if running:
        raise _late(running, timeout_s)
    return [ended[rank] for rank in range(ranks)]


# --- processes ------------------------------------------------------------------------------------


def _processes(
    ranks: int, function: Callable[..., Any], args: tuple[Any, ...], timeout_s: float, chosen: Mapping[str, Any]
) -> list[Outcome]:
    import multiprocessing

    from fmi_core.broker.server import Broker

    try:
        import cloudpickle
    except ImportError:
        raise UnsupportedError(
            "ranks as processes need cloudpickle: pip install 'fmi-core[testing]'", feature="testing"
        ) from None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    work = cloudpickle.dumps((function, args))
    secret = Secret.generate()
    job = f"test-{secrets.token_hex(4)}"
    children: list[tuple[BaseProcess, Connection]] = []
    with Broker(secret) as broker:
        for rank in range(ranks):
            fields = {**chosen, "rank": rank, "size": ranks, "job": job, "broker": broker.address}
            parent_end, child_end = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(
                target=_child, args=(child_end, work, fields, secret.reveal()), daemon=True
            )
            process.start()
            child_end.close()
            children.append((process, parent_end))
        try:
            return _collect(children, timeout_s)
        finally:
            for process, end in children:
                process.kill()
                process.join()
                process.close()
                end.close()


def _collect(children: list[tuple[BaseProcess, Connection]], timeout_s: float) -> list[Outcome]:
    deadline = time.monotonic() + timeout_s
    ended = []
    for rank, (process, end) in enumerate(children):
        if not end.poll(max(0.0, deadline - time.monotonic())):
            running = [number for number, (_, other) in enumerate(children) if not other.poll(0)]
            raise _late(running, timeout_s)
        try:
            ended.append(pickle.loads(end.recv_bytes()))  # noqa: S301  # our own child
        except EOFError:
            process.join(max(0.0, deadline - time.monotonic()))
            ended.append(Outcome(rank, error=_death(process.exitcode)))
    return ended


def _death(code: int | None) -> ChildProcessError:
    how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exited with {code}"
    return ChildProcessError(f"the process {how}")


def _child(end: Connection, work: bytes, fields: Mapping[str, Any], secret: str) -> None:
    import cloudpickle

    function, args = pickle.loads(work)  # noqa: S301  # our own parent's
    outcome = _play(fields["rank"], function, args, Settings(**fields, secret=Secret(secret)))
    try:
        data = cloudpickle.dumps(outcome)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        text = f"the outcome of rank {outcome.rank} cannot be pickled ({error}): {outcome}"
        data = cloudpickle.dumps(Outcome(outcome.rank, error=FmiError(text)))
    end.send_bytes(data)
    end.close()
    os._exit(0)  # the outcome is told; nothing of the parent's must run here again
