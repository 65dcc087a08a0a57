"""What is known about a collective and about an algorithm for it: the records, and the decorator.

To add an algorithm, write one generator in the file of its collective and decorate it::

    @algorithm("bcast", links=star, granularity=Granularity.WHOLE, source=COPIK)
    def flat(rank: int, size: int, root: int, blocks: int) -> Schedule: ...

The catalog, the prover and everything that reads schedules then know it by the function's name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from fmi_core.collectives.steps import Schedule
from fmi_core.errors import ArgumentError, ConfigError

__all__ = [
    "COLLECTIVES",
    "Algorithm",
    "Collective",
    "Granularity",
    "Links",
    "Maker",
    "algorithm",
    "collective",
    "register",
    "registered",
]

Maker: TypeAlias = Callable[[int, int, int, int], Schedule]
"""``maker(rank, size, root, blocks)``: the rounds of one rank. ``root`` is ignored where none is needed."""

Links: TypeAlias = Callable[[int, int, int], frozenset[int]]
"""``links(rank, size, root)``: every rank that ``rank`` ever meets, whichever the number of blocks."""


class Collective(NamedTuple):
    """One operation: its MPI name, and what its blocks mean (D is the number of data blocks).

    Attributes:
        name: The operation, in MPI's word.
        rooted: Whether one rank has a part of its own.
        reduces: Whether an operator folds contributions.
        spans: How many areas of D blocks the operation has before scratch begins: none for the barrier,
            two for alltoall (sent, received), else one.
    """

    name: str
    rooted: bool = False
    reduces: bool = False
    spans: int = 1


COLLECTIVES: tuple[Collective, ...] = (
    Collective("barrier", spans=0),
    Collective("bcast", rooted=True),
    Collective("scatter", rooted=True),
    Collective("gather", rooted=True),
    Collective("allgather"),
    Collective("alltoall", spans=2),
    Collective("reduce", rooted=True, reduces=True),
    Collective("reduce_scatter", reduces=True),
    Collective("allreduce", reduces=True),
    Collective("scan", reduces=True),
    Collective("exscan", reduces=True),
)
_BY_NAME = {record.name: record for record in COLLECTIVES}


def collective(name: str) -> Collective:
    """Give the record of the collective ``name``.

    Raises:
        ConfigError: There is no such collective; the message lists those that exist.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        known = ", ".join(_BY_NAME)
        message = f"there is no collective {name!r}; choose one of: {known}"
        raise ConfigError(message, name="collective", value=name) from None


class Granularity(enum.Enum):
    """How an algorithm wants the data cut into blocks; it fixes D, the number of data blocks."""

    NONE = "none"  # no data at all: D = 0
    WHOLE = "whole"  # the data travels in one piece: D = 1
    SPLIT = "split"  # the data is cut into as many parts as the algorithm says, mostly one a rank
    SEGMENTED = "segmented"  # the caller chooses how many segments flow through the pipeline
    BLOCKS = "blocks"  # the operation itself has one block a rank: D = size


def _same(size: int) -> int:
    return size


def _no_scratch(_size: int, _blocks: int) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to do one collective.

    Block ``i`` has the size of data block ``i mod D``, so that scratch needs no sizes of its own.

    Attributes:
        collective: The operation's name, one of ``COLLECTIVES``.
        name: The algorithm's name, unique within its collective.
        schedule: The generator that gives one rank's rounds.
        links: The ranks that a rank ever meets, so that only those links are opened.
        granularity: How the data is cut.
        commutative_only: Contributions are folded out of rank order.
        power_of_two: Only for sizes 1, 2, 4, 8 ...
        uniform_blocks: All blocks must have one size, since data passes through blocks of other ranks.
        scratch: ``scratch(size, blocks)``: how many scratch blocks follow the operation's own.
        split: ``split(size)``: how many parts ``Granularity.SPLIT`` cuts the data into.
        source: Where the algorithm is described.
    """

    collective: str
    name: str
    schedule: Maker
    links: Links
    granularity: Granularity
    commutative_only: bool = False
    power_of_two: bool = False
    uniform_blocks: bool = False
    scratch: Callable[[int, int], int] = _no_scratch
    split: Callable[[int], int] = _same
    source: str = ""

    def __post_init__(self) -> None:
        collective(self.collective)

    def blocks(self, size: int, segments: int = 1) -> int:
        """Give D, the number of data blocks for ``size`` ranks; ``segments`` counts only where they exist.

        Raises:
            ArgumentError: ``size`` or ``segments`` is below 1.
        """
        for argument, value in (("size", size), ("segments", segments)):
            if value < 1:
                message = f"{argument} is {value}; at least 1 is needed"
                raise ArgumentError(message, argument=argument, value=value)
        if self.granularity is Granularity.SPLIT:
            return self.split(size)
        return {
            Granularity.NONE: 0,
            Granularity.WHOLE: 1,
            Granularity.SEGMENTED: segments,
            Granularity.BLOCKS: size,
        }[self.granularity]

    def space(self, size: int, blocks: int) -> int:
        """Give the number of all blocks that a rank may name: the operation's own, then scratch."""
        return collective(self.collective).spans * blocks + self.scratch(size, blocks)

    def why_not(
        self, size: int, *, commutative: bool = True, splittable: bool = True, uniform: bool = True
    ) -> str | None:
        """Say in a sentence why this algorithm cannot be used here; ``None``: it can.

        Args:
            size: The number of ranks.
            commutative: Whether the operator may be applied out of rank order (where there is one).
            splittable: Whether the data can be cut anywhere: true for buffers, false for Python objects.
            uniform: Whether the operation's own blocks all have the same size.
        """
        if self.power_of_two and size & (size - 1):
            return f"it needs a power of two as the number of ranks, not {size}"
        if self.commutative_only and not commutative:
            return "it folds contributions out of rank order, and the operator is not known to be commutative"
        if not splittable and self.granularity in {Granularity.SPLIT, Granularity.SEGMENTED}:
            return "it cuts the data into parts, and Python objects cannot be cut"
        if self.uniform_blocks and not uniform:
            return "it passes data through other ranks' blocks, and the blocks differ in size"
        return None


_REGISTERED: dict[str, dict[str, Algorithm]] = {record.name: {} for record in COLLECTIVES}


def registered(name: str) -> dict[str, Algorithm]:
    """Give the algorithms that are known so far for the collective ``name``, by name, as a copy."""
    return dict(_REGISTERED[collective(name).name])


def register(record: Algorithm) -> None:
    """Make an algorithm known.

    Raises:
        ConfigError: Its collective has an algorithm of that name already.
    """
    known = _REGISTERED[record.collective]
    if record.name in known:
        message = f"{record.collective} has an algorithm {record.name!r} already; give the new one another name"
        raise ConfigError(message, name="algorithm", value=record.name)
    known[record.name] = record


def algorithm(
    collective: str,
    *,
    links: Links,
    granularity: Granularity,
    commutative_only: bool = False,
    power_of_two: bool = False,
    uniform_blocks: bool = False,
    scratch: Callable[[int, int], int] = _no_scratch,
    split: Callable[[int], int] = _same,
    source: str,
) -> Callable[[Maker], Maker]:
    """Make the decorated generator known as an algorithm for ``collective``, under the function's name.

    The arguments are ``Algorithm``'s. The function itself stays as it is, so that others can build on it
    with ``yield from``.

    Raises:
        ConfigError: There is no such collective, or it has an algorithm of that name already.
    """

    def make_known(schedule: Maker) -> Maker:
        register(
            Algorithm(
                collective=collective,
                name=schedule.__name__,
                schedule=schedule,
                links=links,
                granularity=granularity,
                commutative_only=commutative_only,
                power_of_two=power_of_two,
                uniform_blocks=uniform_blocks,
                scratch=scratch,
                split=split,
                source=source,
            )
        )
        return schedule

    return make_known
