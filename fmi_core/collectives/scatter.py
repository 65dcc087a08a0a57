"""Scatter: of the root's blocks 0 .. p-1, block r reaches rank r."""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN
from fmi_core.collectives.steps import Recv, Schedule, Send


@algorithm("scatter", links=topology.star, granularity=Granularity.BLOCKS, source=CHAN)
def flat(rank: int, size: int, root: int, _blocks: int) -> Schedule:
    """Give every rank its block directly: one round, each block travels once.

    Bandwidth-optimal, and the root alone bears p - 1 messages (the simple algorithm of Chan et al. 2007).
    """
    if rank != root:
        yield (Recv(root, topology.one(rank)),)
    elif size > 1:
        yield tuple(Send((peer,), topology.one(peer)) for peer in range(size) if peer != root)


@algorithm("scatter", links=topology.binomial, granularity=Granularity.BLOCKS, source=CHAN)
def binomial(rank: int, size: int, root: int, _blocks: int) -> Schedule:
    """Pass on to every child the blocks of its whole subtree: p - 1 messages in log2 p rounds.

    Latency-optimal; blocks travel up to log2 p times (minimum spanning tree scatter, Chan et al. 2007).
    """
    parent, children = topology.binomial_tree(rank, size, root)
    if parent is not None:
        yield (Recv(parent, topology.subtree(rank, size, root)),)
    for child in reversed(children):
        yield (Send((child,), topology.subtree(child, size, root)),)
