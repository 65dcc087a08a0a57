"""Broadcast: blocks 0 .. D-1 of the root reach every rank."""

from __future__ import annotations

from fmi_core.collectives import allgather, scatter, topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import COPIK, PJESIVAC, THAKUR
from fmi_core.collectives.patterns import Source, relay
from fmi_core.collectives.steps import Recv, Schedule, Send


@algorithm("bcast", links=topology.star, granularity=Granularity.WHOLE, source=COPIK)
def flat(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Give the data to everyone at once: for a store, one put and p - 1 gets (Copik et al. 2023)."""
    others = tuple(peer for peer in range(size) if peer != root)
    if rank != root:
        yield (Recv(root, range(blocks)),)
    elif others:
        yield (Send(others, range(blocks)),)


@algorithm("bcast", links=topology.binomial, granularity=Granularity.WHOLE, source=THAKUR)
def binomial(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Double the ranks that have the data every round: p - 1 messages in log2 p rounds.

    Latency-optimal; the child with the largest subtree is served first (Thakur et al. 2005).
    """
    parent, children = topology.binomial_tree(rank, size, root)
    if parent is not None:
        yield (Recv(parent, range(blocks)),)
    for child in reversed(children):
        yield (Send((child,), range(blocks)),)


@algorithm(
    "bcast",
    links=lambda rank, size, root: topology.binomial(rank, size, root) | topology.ring(rank, size, root),
    granularity=Granularity.SPLIT,
    source=THAKUR,
)
def scatter_allgather(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Scatter p parts along a binomial tree, then pass them around a ring, for large data.

    Every link carries about twice the data, whatever p is, in log2 p + p - 1 rounds (van de Geijn's
    algorithm, in Thakur et al. 2005).
    """
    yield from scatter.binomial(rank, size, root, blocks)
    yield from allgather.ring(rank, size, root, blocks)


@algorithm("bcast", links=topology.chain, granularity=Granularity.SEGMENTED, source=PJESIVAC)
def chain(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Let k segments flow down a chain of all ranks: k + p - 2 rounds of 1/k of the data.

    Bandwidth-optimal for many segments, and each rank meets two others (pipeline, Pješivac-Grbović et al.
    2007).
    """
    place = (rank - root) % size
    before = (Source((rank - 1) % size),) if place else ()
    after = ((rank + 1) % size,) if place < size - 1 else ()
    return relay(blocks, before, after)


@algorithm("bcast", links=topology.binomial, granularity=Granularity.SEGMENTED, source=PJESIVAC)
def pipelined_binomial(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Let k segments flow down a binomial tree; each goes to all children at once.

    With one segment this is the binomial tree in which a rank serves its children together: for a store,
    one put instead of one a child (segmented binomial, Pješivac-Grbović et al. 2007; Chan et al. 2007).
    """
    parent, children = topology.binomial_tree(rank, size, root)
    return relay(blocks, () if parent is None else (Source(parent),), tuple(reversed(children)))
