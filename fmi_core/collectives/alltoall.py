"""All to all: block j of rank r reaches rank j, as its block p + r.

Blocks 0 .. p-1 are what a rank sends, and never written; p .. 2p-1 are what it receives.
"""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import BRUCK, THAKUR
from fmi_core.collectives.steps import Local, Recv, Schedule, Send


@algorithm("alltoall", links=topology.everyone, granularity=Granularity.BLOCKS, source=THAKUR)
def flat(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Post all p - 1 exchanges at once, the nearest rank first, so that no rank is everyone's first target.

    One round (the algorithm for blocks of middle size in Thakur et al. 2005).
    """
    after = tuple((rank + k) % size for k in range(1, size))
    yield (
        *(Send((peer,), topology.one(peer)) for peer in after),
        *(Recv(peer, topology.one(size + peer)) for peer in reversed(after)),
        Local(size + rank, rank),
    )


@algorithm("alltoall", links=topology.everyone, granularity=Granularity.BLOCKS, source=THAKUR)
def pairwise(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Give to the rank k further, take from the rank k before, k = 1 .. p-1: each block travels once.

    Bandwidth-optimal, p - 1 rounds, two partners at a time (Thakur et al. 2005).
    """
    yield (Local(size + rank, rank),)
    for k in range(1, size):
        to, source = (rank + k) % size, (rank - k) % size
        yield Send((to,), topology.one(to)), Recv(source, topology.one(size + source))


@algorithm(
    "alltoall",
    links=topology.dissemination,
    granularity=Granularity.BLOCKS,
    uniform_blocks=True,
    scratch=lambda size, _blocks: size,
    source=BRUCK,
)
def bruck(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Send a block that has i ranks to go by the bits of i, many blocks a message: log2 p rounds.

    Latency-optimal for small blocks (Bruck et al. 1997). A block in transit waits in the place of slot i:
    the received block from rank r - i, which it becomes at the last hop, or scratch block i. The two
    alternate, since a round cannot give a block and take it.
    """
    yield (Local(size + rank, rank),)
    for d in topology.powers(size):
        slots = [i for i in range(size) if i & d]
        gives = tuple(_place(rank, size, i, hop=(i & (d - 1)).bit_count()) for i in slots)
        takes = tuple(_place(rank, size, i, hop=(i & (2 * d - 1)).bit_count()) for i in slots)
        yield Send(((rank + d) % size,), gives), Recv((rank - d) % size, takes)


def _place(rank: int, size: int, slot: int, *, hop: int) -> int:
    """Give the block in which ``rank`` has what fills ``slot`` after ``hop`` hops."""
    if hop == 0:
        return (rank + slot) % size
    if (slot.bit_count() - hop) % 2:
        return 2 * size + slot
    return size + (rank - slot) % size
