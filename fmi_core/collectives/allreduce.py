"""Allreduce: every rank ends with the fold, in rank order, of every rank's blocks 0 .. D-1.

In each algorithm all ranks get the very same fold tree, so that floating-point results agree to the bit.
"""

from __future__ import annotations

from fmi_core.collectives import allgather, bcast, reduce, reduce_scatter, topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN, COPIK, PATARASUK_YUAN, RABENSEIFNER, THAKUR
from fmi_core.collectives.patterns import halvings, on_hypercube
from fmi_core.collectives.steps import Local, Recv, Schedule, Send, Side


@algorithm("allreduce", links=topology.hypercube, granularity=Granularity.WHOLE, source=THAKUR)
def recursive_doubling(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Exchange partial folds with the rank at distance 1, 2, 4 ...: log2 p rounds, 2 more to fold in.

    Latency-optimal for powers of two (Thakur et al. 2005).
    """
    cube, data = topology.Hypercube(size), range(blocks)
    return on_hypercube(rank, cube, data, _double(rank, cube, data), (data, data))


def _double(rank: int, cube: topology.Hypercube, data: range) -> Schedule:
    for peer in cube.neighbours(rank):
        yield Send((peer,), data), Recv(peer, data, topology.side(rank, peer))


@algorithm(
    "allreduce",
    links=topology.hypercube,
    granularity=Granularity.SPLIT,
    split=topology.floor_power,
    source=RABENSEIFNER,
)
def rabenseifner(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Reduce-scatter by vector halving, then allgather back the same way, for large data.

    About twice the data through each rank, in 2 log2 p rounds (Rabenseifner 2004). The distance doubles
    first, so that only neighbouring runs of ranks are folded and rank order survives.
    """
    cube, data = topology.Hypercube(size), range(blocks)
    return on_hypercube(rank, cube, data, _halve_and_double(rank, cube, blocks), (data, data))


def _halve_and_double(rank: int, cube: topology.Hypercube, blocks: int) -> Schedule:
    plan = halvings(rank, cube, blocks)
    for peer, kept, given in plan:
        yield Send((peer,), given), Recv(peer, kept, topology.side(rank, peer))
    for peer, kept, given in reversed(plan):
        yield Send((peer,), kept), Recv(peer, given)


@algorithm(
    "allreduce",
    links=topology.ring,
    granularity=Granularity.SPLIT,
    commutative_only=True,
    source=PATARASUK_YUAN,
)
def ring(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Reduce-scatter around the ring, then allgather around it: 2(p - 1) rounds of 1/p of the data.

    Bandwidth-optimal for any p, and each rank meets two others (Patarasuk and Yuan 2009).
    """
    yield from reduce_scatter.ring(rank, size, root, blocks)
    yield from allgather.ring(rank, size, root, blocks)


@algorithm("allreduce", links=topology.binomial_at_0, granularity=Granularity.WHOLE, source=CHAN)
def reduce_bcast(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Reduce to rank 0 and broadcast from there, both along the same binomial tree.

    Only 2(p - 1) messages, in 2 log2 p rounds (composition, Chan et al. 2007).
    """
    yield from reduce.binomial(rank, size, 0, blocks)
    yield from bcast.binomial(rank, size, 0, blocks)


@algorithm("allreduce", links=topology.star_at_0, granularity=Granularity.WHOLE, source=COPIK)
def flat(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Reduce at rank 0, which gives the result to all at once: for a store, p puts in all.

    Two rounds, of which rank 0 bears the load (reduce and bcast over stores, Copik et al. 2023).
    """
    yield from reduce.flat(rank, size, 0, blocks)
    yield from bcast.flat(rank, size, 0, blocks)


@algorithm(
    "allreduce",
    links=topology.everyone,
    granularity=Granularity.WHOLE,
    scratch=lambda size, blocks: (size - 1) * blocks,
    source=COPIK,
)
def direct(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Give the own contribution to everyone and fold all of them alike on every rank, from 0 upwards.

    One round, p(p - 1) messages, but for a store p puts: the least latency for small data on slow
    channels (all ranks read all contributions, as the store's scan does in Copik et al. 2023).
    """
    others = tuple(peer for peer in range(size) if peer != rank)
    if not others:
        return
    data, areas = range(blocks), [blocks * (peer + (peer < rank)) for peer in range(size)]
    areas[rank] = 0
    yield (
        Send(others, data),
        *(Recv(peer, range(areas[peer], areas[peer] + blocks)) for peer in others),
        *(Local(areas[0] + i, areas[peer] + i, Side.RIGHT) for peer in range(1, size) for i in data),
        *(Local(i, areas[0] + i) for i in data if rank),
    )
