"""Exclusive scan: rank r ends with the fold, in rank order, of the blocks 0 .. D-1 of ranks 0 to r - 1.

Rank 0 has nothing to fold, and its blocks are left undefined.
"""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import BRENT_KUNG, COPIK, HILLIS_STEELE, SANDERS_TRAFF
from fmi_core.collectives.steps import Local, Recv, Schedule, Send, Side, Step


@algorithm(
    "exscan",
    links=topology.line,
    granularity=Granularity.SEGMENTED,
    scratch=lambda _size, blocks: blocks,
    source=SANDERS_TRAFF,
)
def chain(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Let k segments flow from rank 0 upwards: what comes is the result, with the own folded in it goes on.

    Fewest messages, and bandwidth-optimal for many segments (linear pipeline, Sanders and Träff 2006).
    Scratch block D + t holds the inclusive prefix of segment t.
    """
    passes_on = 0 < rank < size - 1
    if passes_on:
        yield tuple(Local(blocks + t, t) for t in range(blocks))
    for t in range(blocks + passes_on):
        steps: list[Step] = []
        if rank and t < blocks:
            steps.append(Recv(rank - 1, topology.one(t)))
        if passes_on and t < blocks:
            steps.append(Local(blocks + t, t, Side.LEFT))
        if passes_on and t:
            steps.append(Send((rank + 1,), topology.one(blocks + t - 1)))
        if rank == 0 and size > 1:
            steps.append(Send((1,), topology.one(t)))
        if steps:
            yield tuple(steps)


@algorithm(
    "exscan",
    links=topology.doubling_line,
    granularity=Granularity.WHOLE,
    scratch=lambda _size, blocks: 2 * blocks,
    source=HILLIS_STEELE,
)
def recursive_doubling(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Fold in what the rank 1, 2, 4 ... before has, with and without the own contribution: log2 p rounds.

    Latency-optimal, p log2 p messages (Hillis and Steele 1986). Of the scratch, the first D blocks are
    the fold that goes on, the others take what comes.
    """
    if rank < size - 1:
        yield tuple(Local(blocks + i, i) for i in range(blocks))
    for d in topology.powers(size):
        steps: list[Step] = []
        if rank + d < size:
            steps.append(Send((rank + d,), range(blocks, 2 * blocks)))
        if rank >= d:
            steps.append(Recv(rank - d, range(2 * blocks, 3 * blocks)))
            steps += [Local(i, 2 * blocks + i, None if d == 1 else Side.LEFT) for i in range(blocks)]
            if rank + 2 * d < size:  # it will be sent again
                steps += [Local(blocks + i, 2 * blocks + i, Side.LEFT) for i in range(blocks)]
        if steps:
            yield tuple(steps)


def _shifted_tree(rank: int, size: int, root: int) -> frozenset[int]:
    inner = topology.prefix_tree(rank - 1, size - 1, 0) if rank else frozenset[int]()
    return topology.line(rank, size, root) | {peer + 1 for peer in inner}


@algorithm(
    "exscan",
    links=_shifted_tree,
    granularity=Granularity.WHOLE,
    scratch=lambda _size, blocks: blocks,
    source=BRENT_KUNG,
)
def binomial(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Shift all contributions up by a rank, then scan them from rank 1 on by a sweep up and down a tree.

    Fewer than 3p messages in about 2 log2 p + 1 rounds, for channels on which a message costs money
    (Brent and Kung 1982; Sanders and Träff 2006). Scratch holds what is shifted away.
    """
    data, spare = range(blocks), range(blocks, 2 * blocks)
    steps: list[Step] = []
    if rank < size - 1:
        if rank:
            yield tuple(Local(blocks + i, i) for i in data)
        steps.append(Send((rank + 1,), spare if rank else data))
    if rank:
        steps.append(Recv(rank - 1, data))
    if steps:
        yield tuple(steps)
    for peer, gives in topology.sweep(rank - 1, size - 1) if rank else ():
        yield (Send((peer + 1,), data) if gives else Recv(peer + 1, data, Side.LEFT),)


@algorithm(
    "exscan",
    links=topology.everyone,
    granularity=Granularity.WHOLE,
    scratch=lambda size, blocks: (size - 1) * blocks,
    source=COPIK,
)
def flat(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Give the own contribution to all higher ranks at once, fold those of all lower ones, from 0 upwards.

    One round, p(p - 1)/2 messages; for a store, p - 1 puts (as the scan in Copik et al. 2023). Scratch has
    an area for each lower rank.
    """
    data, higher, lower = range(blocks), tuple(range(rank + 1, size)), range(rank)
    steps: list[Step] = [Send(higher, data)] if higher else []
    steps += [Recv(peer, range(blocks * (1 + peer), blocks * (2 + peer))) for peer in lower]
    steps += [Local(i, blocks * (1 + peer) + i, Side.RIGHT if peer else None) for peer in lower for i in data]
    if steps:
        yield tuple(steps)
