"""Inclusive scan: rank r ends with the fold, in rank order, of the blocks 0 .. D-1 of ranks 0 to r."""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import BRENT_KUNG, COPIK, HILLIS_STEELE, SANDERS_TRAFF
from fmi_core.collectives.patterns import Source, relay
from fmi_core.collectives.steps import Recv, Schedule, Send, Side, Step


@algorithm("scan", links=topology.line, granularity=Granularity.SEGMENTED, source=SANDERS_TRAFF)
def chain(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Let k segments flow from rank 0 upwards, each rank folding its own in: k + p - 2 rounds.

    Fewest messages, and bandwidth-optimal for many segments (linear pipeline, Sanders and Träff 2006).
    """
    before = (Source(rank - 1, Side.LEFT),) if rank else ()
    return relay(blocks, before, (rank + 1,) if rank < size - 1 else ())


@algorithm("scan", links=topology.doubling_line, granularity=Granularity.WHOLE, source=HILLIS_STEELE)
def recursive_doubling(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Fold in what the rank 1, 2, 4 ... before has: runs double every round, log2 p rounds.

    Latency-optimal, p log2 p messages (Hillis and Steele 1986).
    """
    data = range(blocks)
    for d in topology.powers(size):
        steps: list[Step] = []
        if rank + d < size:
            steps.append(Send((rank + d,), data))
        if rank >= d:
            steps.append(Recv(rank - d, data, Side.LEFT))
        if steps:
            yield tuple(steps)


@algorithm("scan", links=topology.prefix_tree, granularity=Granularity.WHOLE, source=BRENT_KUNG)
def binomial(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Sweep up a tree of runs and down again: fewer than 2p messages in about 2 log2 p rounds.

    For channels on which a message costs money (Brent and Kung 1982; Sanders and Träff 2006).
    """
    data = range(blocks)
    for peer, gives in topology.sweep(rank, size):
        yield (Send((peer,), data) if gives else Recv(peer, data, Side.LEFT),)


@algorithm("scan", links=topology.everyone, granularity=Granularity.WHOLE, source=COPIK)
def flat(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Give the own contribution to all higher ranks at once, fold those of all lower ones.

    One round, p(p - 1)/2 messages; for a store, p - 1 puts (Copik et al. 2023).
    """
    data, higher = range(blocks), tuple(range(rank + 1, size))
    steps: list[Step] = [Send(higher, data)] if higher else []
    steps += [Recv(peer, data, Side.LEFT) for peer in reversed(range(rank))]
    if steps:
        yield tuple(steps)
