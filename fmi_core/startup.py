"""From nothing to a communicator: read the settings, find the other ranks, open the channel."""

from __future__ import annotations

import atexit
import json
import os
import select
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from fmi_core import runtime
from fmi_core.channels.address import Card, Listener, StreamKind, unix_available
from fmi_core.channels.memory import MemoryHub
from fmi_core.channels.model import model_of
from fmi_core.communicator import Communicator
from fmi_core.communicator.ledger import Ledger
from fmi_core.control import Control
from fmi_core.engine.progress import Engine
from fmi_core.errors import ConfigError, DeadlineExceeded, FmiError, RendezvousError
from fmi_core.selection.select import Selector
from fmi_core.settings import Settings

__all__ = ["init"]

_CHANNELS = ("auto", "unix", "tcp", "memory")
_world: ContextVar[Communicator | None] = ContextVar("fmi_world", default=None)


def init(settings: Settings | None = None) -> Communicator:
    """The communicator of all ranks of this job; of this program alone, if it was not started as one of many.

    Called again before the communicator is closed, it gives the same one.

    Args:
        settings: what the environment would say; default: read from it (see :mod:`fmi_core.settings`).

    Raises:
        ConfigError: a setting is missing or wrong.
        RendezvousError: the job did not come together; missing ranks are named.
    """
    known = _world.get()
    if known is not None and not known.closed:
        return known
    place = runtime.placement()
    if place is not None:
        comm = _in_process(place.hub, place.rank, settings or Settings())
    else:
        comm = _start(settings or Settings.from_environment())
    _world.set(comm)
    runtime.on_end(comm.close, comm.fail)
    if place is None:
        atexit.register(_at_exit, comm)
    return comm


def _at_exit(comm: Communicator) -> None:
    """A program that did not close its communicator leaves the job when it ends, well or badly."""
    error = getattr(sys, "last_value", None)
    if error is not None:
        comm.fail(f"{type(error).__name__}: {error}")
    try:
        comm.close()
    except FmiError as late:
        # Python would print this and still exit with 0, as if all had gone well.
        print(f"fmi: error: {late}", file=sys.stderr, flush=True)
        os._exit(1)


def _in_process(hub: MemoryHub, rank: int, settings: Settings) -> Communicator:
    engine = _engine(rank, hub.size, hub.control(rank), settings)
    engine.attach(hub.transport(rank, engine))
    return _communicator(engine, {"tune": dict(settings.tune), "cores": _cores()})


def _start(settings: Settings) -> Communicator:
    if settings.channel not in _CHANNELS:
        raise ConfigError(
            f"there is no channel {settings.channel!r}; expected one of {', '.join(_CHANNELS)}",
            name="FMI_CHANNEL",
            value=settings.channel,
        )
    if settings.size == 1:
        return _in_process(MemoryHub(1), 0, settings)
    if settings.channel == "memory":
        raise ConfigError(
            "the channel memory joins the threads of one process, but this is one process of several; "
            "start the program with 'fmi run --channel memory', or choose tcp or unix",
            name="FMI_CHANNEL",
            value="memory",
        )
    return _join(settings)


def _join(settings: Settings) -> Communicator:
    from fmi_core.broker.client import BrokerClient
    from fmi_core.channels.handshake import link_key
    from fmi_core.channels.stream import StreamTransport

    if settings.broker is None or settings.secret is None:
        missing = "FMI_BROKER" if settings.broker is None else "FMI_SECRET"
        raise ConfigError(f"{missing} is not set, but the job has {settings.size} ranks", name=missing)
    listener = Listener(settings.bind)
    client = BrokerClient(
        settings.broker,
        settings.secret,
        job=settings.job,
        rank=settings.rank,
        size=settings.size,
        attempt=settings.attempt,
    )
    try:
        client.join(settings.join_timeout_s)
        client.put(f"card/{settings.rank}", listener.card(settings.rank).to_bytes())
        if settings.rank == 0:
            client.put("record", json.dumps(_record(settings)).encode())
        client.fence("start", _idle(client), settings.join_timeout_s)
        cards, record = _meet(client, settings)
        kind = _kind(record["channel"], cards)
        engine = _engine(settings.rank, settings.size, client, settings)
        key = link_key(settings.secret, client.nonce)
        engine.attach(StreamTransport(kind, settings.rank, cards, listener, key, engine))
    except BaseException:
        listener.close()
        client.close()
        raise
    return _communicator(engine, record)


def _record(settings: Settings) -> dict[str, Any]:
    """What rank 0 decides for all: choices depend on this, never on what a rank finds for itself."""
    return {"channel": settings.channel, "tune": dict(settings.tune), "cores": _cores()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _idle(client: Control) -> Callable[[float], None]:
    def idle(wait_s: float) -> None:
        select.select([client.fileno()], [], [], wait_s)

    return idle


def _meet(client: Any, settings: Settings) -> tuple[dict[int, Card], Mapping[str, Any]]:
    names = {f"card/{rank}": rank for rank in range(settings.size)}
    try:
        values = client.wait([*names, "record"], settings.join_timeout_s)
    except DeadlineExceeded as error:
        raise RendezvousError(f"the job {settings.job!r} did not come together: {error}") from None
    cards = {rank: Card.from_bytes(values[name]) for name, rank in names.items()}
    return cards, json.loads(values["record"])


def _kind(channel: str, cards: Mapping[int, Card]) -> StreamKind:
    one_host = unix_available() and len({card.host for card in cards.values()}) == 1
    if channel == "unix" and not one_host:
        raise ConfigError(
            "the channel unix needs all ranks on one Linux host, and they are not; use tcp or auto",
            name="FMI_CHANNEL",
            value="unix",
        )
    return "tcp" if channel == "tcp" or not one_host else "unix"


def _engine(rank: int, size: int, control: Control, settings: Settings) -> Engine:
    return Engine(
        rank=rank,
        size=size,
        control=control,
        timeout_s=settings.timeout_s,
        unexpected_limit_bytes=settings.unexpected_limit_bytes,
    )


def _communicator(engine: Engine, record: Mapping[str, Any]) -> Communicator:
    model = model_of(engine.transport.name)
    selector = Selector(engine.size, model, record["cores"], record["tune"])
    return Communicator(engine, range(engine.size), 0, selector, Ledger(), "world")
