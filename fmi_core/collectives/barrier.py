"""Barrier: no rank goes on before all have come. Its messages carry no blocks."""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN, COPIK, HENSGEN
from fmi_core.collectives.steps import Recv, Schedule, Send


@algorithm("barrier", links=topology.dissemination, granularity=Granularity.NONE, source=HENSGEN)
def dissemination(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Tell the rank 1, 2, 4 ... further, around the ring; after log2 p rounds all know of all.

    Latency-optimal for any number of ranks (Hensgen, Finkel, Manber 1988).
    """
    for d in topology.powers(size):
        yield Send(((rank + d) % size,), ()), Recv((rank - d) % size, ())


@algorithm("barrier", links=topology.binomial_at_0, granularity=Granularity.NONE, source=CHAN)
def binomial(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Gather up a binomial tree, then release down it: 2(p - 1) messages in 2 log2 p rounds.

    Fewer messages than dissemination, twice the latency (the trees of Chan et al. 2007).
    """
    parent, children = topology.binomial_tree(rank, size, 0)
    for child in children:
        yield (Recv(child, ()),)
    if parent is not None:
        yield (Send((parent,), ()),)
        yield (Recv(parent, ()),)
    for child in reversed(children):
        yield (Send((child,), ()),)


@algorithm("barrier", links=topology.star_at_0, granularity=Granularity.NONE, source=COPIK)
def flat(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Report to rank 0, which then releases all with one message: for a store, p puts in all.

    Two rounds, of which rank 0 bears the load (the pattern of stores in Copik et al. 2023).
    """
    others = tuple(range(1, size))
    if rank:
        yield (Send((0,), ()),)
        yield (Recv(0, ()),)
    elif others:
        yield tuple(Recv(peer, ()) for peer in others)
        yield (Send(others, ()),)


@algorithm("barrier", links=topology.everyone, granularity=Granularity.NONE, source=COPIK)
def direct(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Tell everyone at once: a single round, p(p - 1) messages, but for a store p puts.

    For few ranks, or where latency is all (each puts, then looks for all: Copik et al. 2023).
    """
    others = tuple(peer for peer in range(size) if peer != rank)
    if others:
        yield Send(others, ()), *(Recv(peer, ()) for peer in others)
