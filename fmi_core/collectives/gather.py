"""Gather: block r of rank r reaches the root, which ends with blocks 0 .. p-1."""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN
from fmi_core.collectives.steps import Recv, Schedule, Send


@algorithm("gather", links=topology.star, granularity=Granularity.BLOCKS, source=CHAN)
def flat(rank: int, size: int, root: int, _blocks: int) -> Schedule:
    """Take every rank's block directly: one round, each block travels once.

    Bandwidth-optimal, and the root alone bears p - 1 messages (the simple algorithm of Chan et al. 2007).
    """
    if rank != root:
        yield (Send((root,), topology.one(rank)),)
    elif size > 1:
        yield tuple(Recv(peer, topology.one(peer)) for peer in range(size) if peer != root)


@algorithm("gather", links=topology.binomial, granularity=Granularity.BLOCKS, source=CHAN)
def binomial(rank: int, size: int, root: int, _blocks: int) -> Schedule:
    """Collect the blocks of the whole subtree, then pass them up: p - 1 messages in log2 p rounds.

    Latency-optimal; blocks travel up to log2 p times (minimum spanning tree gather, Chan et al. 2007).
    """
    parent, children = topology.binomial_tree(rank, size, root)
    for child in children:
        yield (Recv(child, topology.subtree(child, size, root)),)
    if parent is not None:
        yield (Send((parent,), topology.subtree(rank, size, root)),)
