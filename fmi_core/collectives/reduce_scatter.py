"""Reduce-scatter: rank r ends with block r of the fold, in rank order, of every rank's blocks 0 .. p-1."""

from __future__ import annotations

from collections.abc import Iterable

from fmi_core.collectives import reduce, scatter, topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN, PATARASUK_YUAN, RABENSEIFNER, THAKUR
from fmi_core.collectives.patterns import on_hypercube
from fmi_core.collectives.steps import Local, Recv, Schedule, Send, Side


@algorithm("reduce_scatter", links=topology.everyone, granularity=Granularity.BLOCKS, source=THAKUR)
def flat(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Give every rank its block directly, all at once, and fold from the own block outwards.

    One round; pairwise exchange (Thakur et al. 2005) with all pairs at once.
    """
    others = [peer for peer in range(size) if peer != rank]
    if others:
        mine = topology.one(rank)
        yield (
            *(Send((peer,), topology.one(peer)) for peer in others),
            *(Recv(peer, mine, Side.LEFT) for peer in reversed(range(rank))),
            *(Recv(peer, mine, Side.RIGHT) for peer in range(rank + 1, size)),
        )


@algorithm(
    "reduce_scatter",
    links=topology.everyone,
    granularity=Granularity.BLOCKS,
    scratch=lambda size, _blocks: size,
    source=THAKUR,
)
def pairwise(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Give its block to the rank k further, take mine from the rank k before, k = 1 .. p-1.

    Bandwidth-optimal, p - 1 rounds (Thakur et al. 2005). Contributions come from rank r - 1
    down to 0, then from p - 1 down to r + 1: the latter are folded apart, in scratch block p + r, and
    join last, so that rank order survives.
    """
    mine, upper = topology.one(rank), topology.one(size + rank)
    for k in range(1, size):
        to, source = (rank + k) % size, (rank - k) % size
        if source < rank:
            takes = Recv(source, mine, Side.LEFT)
        else:
            takes = Recv(source, upper, None if source == size - 1 else Side.LEFT)
        yield Send((to,), topology.one(to)), takes
    if rank < size - 1:
        yield (Local(rank, size + rank, Side.RIGHT),)


@algorithm(
    "reduce_scatter",
    links=topology.ring,
    granularity=Granularity.BLOCKS,
    commutative_only=True,
    source=PATARASUK_YUAN,
)
def ring(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Let block j go around from rank j + 1 to rank j, folded on the way: p - 1 rounds of one block.

    Bandwidth-optimal, and each rank meets two others (Patarasuk and Yuan 2009).
    """
    after, before = (rank + 1) % size, (rank - 1) % size
    for k in range(1, size):
        gives, takes = (rank - k) % size, (rank - k - 1) % size
        yield Send((after,), topology.one(gives)), Recv(before, topology.one(takes), Side.LEFT)


@algorithm(
    "reduce_scatter",
    links=topology.hypercube,
    granularity=Granularity.BLOCKS,
    commutative_only=True,
    source=THAKUR,
)
def recursive_halving(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Halve the blocks and the distance: log2 p rounds, of p/2, p/4 ... 1 adjacent blocks.

    Latency- and bandwidth-optimal for powers of two; folds far ranks first, hence only for commutative
    operators (Thakur et al. 2005).
    """
    return _halving(rank, size, reversed(topology.powers(topology.floor_power(size))))


@algorithm("reduce_scatter", links=topology.hypercube, granularity=Granularity.BLOCKS, source=RABENSEIFNER)
def distance_doubling(rank: int, size: int, _root: int, _blocks: int) -> Schedule:
    """Halve the blocks and double the distance: as recursive halving, and rank order survives.

    Neighbours fold first. The price is that the blocks of a message are not adjacent: those of which the
    owner agrees with the receiver in the bits used so far (vector halving, distance doubling:
    Rabenseifner 2004).
    """
    return _halving(rank, size, topology.powers(topology.floor_power(size)))


def _halving(rank: int, size: int, distances: Iterable[int]) -> Schedule:
    cube = topology.Hypercube(size)
    twin = cube.twin(rank)
    back = None if twin is None else (topology.one(rank), topology.one(twin))
    return on_hypercube(rank, cube, range(size), _halving_core(rank, cube, distances), back)


def _halving_core(rank: int, cube: topology.Hypercube, distances: Iterable[int]) -> Schedule:
    corner = cube.corner(rank)
    held: Iterable[int] = range(cube.size)
    for d in distances:
        peer = cube.rank(corner ^ d)
        given = [block for block in held if (cube.corner(block) ^ corner) & d]
        held = [block for block in held if not (cube.corner(block) ^ corner) & d]
        yield Send((peer,), topology.pack(given)), Recv(peer, topology.pack(held), topology.side(rank, peer))


@algorithm("reduce_scatter", links=topology.binomial_at_0, granularity=Granularity.BLOCKS, source=CHAN)
def reduce_then_scatter(rank: int, size: int, _root: int, blocks: int) -> Schedule:
    """Reduce to rank 0 and scatter from there, both along the same binomial tree.

    Only 2(p - 1) messages, in 2 log2 p rounds (composition, Chan et al. 2007).
    """
    yield from reduce.binomial(rank, size, 0, blocks)
    yield from scatter.binomial(rank, size, 0, blocks)
