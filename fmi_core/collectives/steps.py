"""The vocabulary of schedules: what a rank does in one round, in terms of blocks.

A collective algorithm is a generator that yields *rounds*, one generator per rank. A round is a
tuple of steps. Steps name *blocks* by index and never touch bytes, sockets, keys or clocks, so
that one schedule can be run, proved, priced, simulated and drawn.

What a round means:

1. All its transfers happen at the same time, full duplex. A ``Send`` gives the blocks as they
   were when the round began.
2. A round ends when every send has been taken and every receive has been filled.
3. What is stored is in place first; then receives with a fold, then ``Local`` steps, apply in the order
   in which the round lists them, whichever message came first.

Between one pair of ranks, the k-th send meets the k-th receive. A block that is received without
a fold must not be sent or received again in the same round.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["Blocks", "Local", "Recv", "Round", "Schedule", "Send", "Side", "Step"]

Blocks: TypeAlias = Sequence[int]
"""Block indices, in the order in which a message carries them; a ``range`` where they are adjacent.

A message may carry no blocks at all: it then only tells that its sender got so far.
"""


class Side(enum.Enum):
    """On which side of mine a received value is folded, so that rank order survives."""

    LEFT = "left"  # mine = received ⊕ mine
    RIGHT = "right"  # mine = mine ⊕ received


class Send(NamedTuple):
    """Give ``blocks`` to each of ``peers`` as one message (a store: one put; TCP: one send each)."""

    peers: tuple[int, ...]
    blocks: Blocks


class Recv(NamedTuple):
    """Take one message from ``peer`` into ``blocks``: stored, or folded block by block on ``fold``."""

    peer: int
    blocks: Blocks
    fold: Side | None = None


class Local(NamedTuple):
    """Work without the network: block ``dst`` takes block ``src``, copied or folded on ``fold``."""

    dst: int
    src: int
    fold: Side | None = None


Step: TypeAlias = Send | Recv | Local
Round: TypeAlias = tuple[Step, ...]
Schedule: TypeAlias = Iterator[Round]
