"""Rounds that algorithms of several collectives share."""

from __future__ import annotations

from typing import NamedTuple

from fmi_core.collectives.steps import Blocks, Recv, Schedule, Send, Side, Step
from fmi_core.collectives.topology import Hypercube, one, side

__all__ = ["Halving", "Source", "halvings", "on_hypercube", "relay"]


class Source(NamedTuple):
    """From whom segments come, and on which side they are folded (``None``: they are stored)."""

    peer: int
    fold: Side | None = None


def relay(blocks: int, sources: tuple[Source, ...], sinks: tuple[int, ...]) -> Schedule:
    """Take segment after segment from ``sources`` and pass each on to ``sinks`` one round later.

    A rank in the middle takes segment t while it gives segment t - 1, so that a pipeline of n ranks
    needs n - 2 rounds more than there are segments (Pješivac-Grbović et al. 2007).
    """
    if not sources and not sinks:
        return
    lag = 1 if sources and sinks else 0
    for t in range(blocks + lag):
        takes = sources if t < blocks else ()
        steps: list[Step] = [Recv(source.peer, one(t), source.fold) for source in takes]
        if sinks and t >= lag:
            steps.append(Send(sinks, one(t - lag)))
        yield tuple(steps)


def on_hypercube(
    rank: int, cube: Hypercube, data: range, core: Schedule, back: tuple[Blocks, Blocks] | None
) -> Schedule:
    """Fold twins in, run ``core`` on the ranks that act for a corner, and hand the result back.

    Args:
        rank: This rank.
        cube: The hypercube.
        data: The blocks that are reduced.
        core: This rank's rounds on the hypercube itself.
        back: What a rank that folded in gets from its twin, and what a rank gives to such a twin;
            ``None``: nothing is handed back.
    """
    twin = cube.twin(rank)
    if twin is None:
        yield from core
    elif cube.folds_in(rank):
        yield (Send((twin,), data),)
        if back is not None:
            yield (Recv(twin, back[0]),)
    else:
        yield (Recv(twin, data, side(rank, twin)),)
        yield from core
        if back is not None:
            yield (Send((twin,), back[1]),)


class Halving(NamedTuple):
    """One round of vector halving: with ``peer``, this rank keeps some blocks and gives the others."""

    peer: int
    kept: range
    given: range


def halvings(rank: int, cube: Hypercube, blocks: int) -> list[Halving]:
    """Plan vector halving with distance doubling: peers at 1, 2, 4 ..., half of what is left each time.

    After d rounds a rank holds, of 1/2^d of the blocks, the fold over a run of 2^d corners: the blocks
    stay adjacent and the ranks stay in order. After the last round corner c has the part of which the
    number is c with its bits reversed (Rabenseifner 2004).
    """
    corner = cube.corner(rank)
    parts, low, high = cube.corners, 0, cube.corners
    plan = []
    for bit, peer in enumerate(cube.neighbours(rank)):
        middle = (low + high) // 2
        lower = range(low * blocks // parts, middle * blocks // parts)
        upper = range(middle * blocks // parts, high * blocks // parts)
        if corner >> bit & 1:
            plan.append(Halving(peer, upper, lower))
            low = middle
        else:
            plan.append(Halving(peer, lower, upper))
            high = middle
    return plan
