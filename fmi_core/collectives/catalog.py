"""All algorithms, by collective and name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Importing a collective's file makes its algorithms known.
from fmi_core.collectives import (  # noqa: F401  (imported for what they register)
    allgather,
    allreduce,
    alltoall,
    barrier,
    bcast,
    exscan,
    gather,
    reduce,
    reduce_scatter,
    scan,
    scatter,
)
from fmi_core.collectives.algorithm import (
    COLLECTIVES,
    Algorithm,
    Collective,
    Granularity,
    collective,
    registered,
)
from fmi_core.errors import ConfigError

__all__ = ["COLLECTIVES", "Algorithm", "Collective", "Granularity", "catalog", "collective", "lookup"]


def catalog() -> Mapping[str, tuple[Algorithm, ...]]:
    """Give every collective's algorithms, in the order of ``COLLECTIVES`` and of their definition."""
    return MappingProxyType({one.name: tuple(registered(one.name).values()) for one in COLLECTIVES})


def lookup(collective: str, name: str) -> Algorithm:
    """Give the algorithm ``name`` of ``collective``.

    Raises:
        ConfigError: There is no such collective or algorithm; the message lists those that exist.
    """
    known = registered(collective)
    try:
        return known[name]
    except KeyError:
        message = f"{collective} has no algorithm {name!r}; choose one of: {', '.join(known)}"
        raise ConfigError(message, name="algorithm", value=name) from None
