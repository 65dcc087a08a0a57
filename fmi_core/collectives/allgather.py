"""Allgather: block r of rank r reaches every rank; all end with blocks 0 .. p-1."""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import BRUCK, COPIK, THAKUR
from fmi_core.collectives.steps import Recv, Schedule, Send


@algorithm("allgather", links=topology.everyone, granularity=Granularity.BLOCKS, source=COPIK)
def flat(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Give the own block to everyone at once: one round; for a store p puts and p(p - 1) gets.

    The pattern of stores (Copik et al. 2023).
    """
    others = tuple(peer for peer in range(size) if peer != rank)
    if others:
        yield Send(others, topology.one(rank)), *(Recv(peer, topology.one(peer)) for peer in others)


@algorithm("allgather", links=topology.ring, granularity=Granularity.BLOCKS, source=THAKUR)
def ring(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Pass on around the ring what came last: p - 1 rounds of one block.

    Bandwidth-optimal, and each rank meets two others (Thakur et al. 2005).
    """
    after, before = (rank + 1) % size, (rank - 1) % size
    for k in range(size - 1):
        gives, takes = (rank - k) % size, (rank - k - 1) % size
        yield Send((after,), topology.one(gives)), Recv(before, topology.one(takes))


@algorithm("allgather", links=topology.dissemination, granularity=Granularity.BLOCKS, source=BRUCK)
def bruck(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Double the run of blocks every round, for any p: log2 p rounds (Bruck et al. 1997).

    Rank r holds the run from block r on, and takes the next one from the rank d further. Since blocks
    are named by owner, the rotation at the end of the original falls away.
    """
    for d in topology.powers(size):
        count = min(d, size - d)
        after = (rank + d) % size
        yield (
            Send(((rank - d) % size,), topology.wrap(rank, count, size)),
            Recv(after, topology.wrap(after, count, size)),
        )


@algorithm(
    "allgather",
    links=topology.hypercube,
    granularity=Granularity.BLOCKS,
    power_of_two=True,
    source=THAKUR,
)
def recursive_doubling(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Exchange all that is held with the rank at distance 1, 2, 4 ...: log2 p rounds.

    Latency- and bandwidth-optimal, and all runs are adjacent (Thakur et al. 2005).
    """
    for d in topology.powers(size):
        peer = rank ^ d
        mine, theirs = rank & -d, peer & -d
        yield Send((peer,), range(mine, mine + d)), Recv(peer, range(theirs, theirs + d))
