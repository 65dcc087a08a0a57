"""Reduce: the root ends with the fold, in rank order, of every rank's blocks 0 .. D-1.

On other ranks, the blocks are left with partial results.
"""

from __future__ import annotations

from fmi_core.collectives import topology
from fmi_core.collectives.algorithm import Granularity, algorithm
from fmi_core.collectives.literature import CHAN, COPIK, PJESIVAC, RABENSEIFNER
from fmi_core.collectives.patterns import Source, halvings, on_hypercube, relay
from fmi_core.collectives.steps import Recv, Schedule, Send, Side


@algorithm("reduce", links=topology.star, granularity=Granularity.WHOLE, source=COPIK)
def flat(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Take all contributions at once and fold them from the root outwards, down to 0, then up to p - 1.

    One round, of which the root bears the load (the pattern of stores, Copik et al. 2023).
    """
    data = range(blocks)
    if rank != root:
        yield (Send((root,), data),)
    elif size > 1:
        lower = (Recv(peer, data, Side.LEFT) for peer in reversed(range(root)))
        upper = (Recv(peer, data, Side.RIGHT) for peer in range(root + 1, size))
        yield *lower, *upper


@algorithm("reduce", links=topology.ordered_binomial, granularity=Granularity.WHOLE, source=CHAN)
def binomial(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Fold up a tree in which every subtree is a run of ranks: p - 1 messages, log2 p rounds or one more.

    Latency-optimal (minimum spanning tree reduce, Chan et al. 2007), with one tree on each side of the
    root to keep rank order.
    """
    parent, children = topology.ordered_tree(rank, size, root)
    for child in children:
        yield (Recv(child, range(blocks), topology.side(rank, child)),)
    if parent is not None:
        yield (Send((parent,), range(blocks)),)


@algorithm("reduce", links=topology.line, granularity=Granularity.SEGMENTED, source=PJESIVAC)
def chain(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Let k segments flow from both ends of the line of ranks to the root, folded on the way.

    Bandwidth-optimal for many segments (pipeline, Pješivac-Grbović et al. 2007). Two chains, one from
    rank 0 and one from rank p - 1, keep rank order and halve the length for a root in the middle.
    """
    lower, upper = Source(rank - 1, Side.LEFT), Source(rank + 1, Side.RIGHT)
    sources = (lower,) * (0 < rank <= root) + (upper,) * (root <= rank < size - 1)
    return relay(blocks, sources, (rank + 1,) * (rank < root) + (rank - 1,) * (rank > root))


@algorithm(
    "reduce",
    links=topology.hypercube_of_root,
    granularity=Granularity.SPLIT,
    split=topology.floor_power,
    source=RABENSEIFNER,
)
def rabenseifner(rank: int, size: int, root: int, blocks: int) -> Schedule:
    """Reduce-scatter by vector halving, then gather the parts at the root, for large data.

    About twice the data through each rank, in 2 log2 p rounds (Rabenseifner 2004). The distance doubles,
    so that only neighbouring runs of ranks are folded and rank order survives.
    """
    cube = topology.Hypercube(size, keep=root)
    return on_hypercube(rank, cube, range(blocks), _halve_and_gather(rank, root, cube, blocks), None)


def _halve_and_gather(rank: int, root: int, cube: topology.Hypercube, blocks: int) -> Schedule:
    plan = halvings(rank, cube, blocks)
    for peer, kept, given in plan:
        yield Send((peer,), given), Recv(peer, kept, topology.side(rank, peer))
    apart = cube.corner(rank) ^ cube.corner(root)
    for bit, (peer, kept, given) in reversed(list(enumerate(plan))):
        if apart >> bit & 1:
            yield (Send((peer,), kept),)
            return
        yield (Recv(peer, given),)
