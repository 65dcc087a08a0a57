"""Communicators whose ranks have neighbours, and those whose ranks are in a Cartesian grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Self

from fmi_core.communicator.communicator import Communicator
from fmi_core.communicator.neighbors import NeighborCollectives
from fmi_core.communicator.status import PROC_NULL
from fmi_core.errors import ArgumentError

__all__ = ["CART", "Cartcomm", "Topocomm", "compute_dims"]

CART = 2
"""The topology is a Cartesian grid."""


class Topocomm(Communicator, NeighborCollectives):
    """A communicator with a topology.

    Args:
        parent: what it was made from.
        ranks: see :class:`~fmi_core.communicator.base.CommunicatorBase`.
    """

    def __init__(self, parent: Communicator, ranks: Sequence[int], context: int, name: str) -> None:
        super().__init__(*parent._share(ranks, context, name))  # noqa: SLF001  # one family

    def _like(self, ranks: Sequence[int], context: int, name: str) -> Self:
        """One with the same topology."""
        raise NotImplementedError

    def _copy(self, context: int) -> Self:
        return self._like(self._ranks, context, f"{self.name}.dup")

    @property
    def is_topo(self) -> bool:
        """Whether it has a topology."""
        return True

    @property
    def degrees(self) -> tuple[int, int]:
        """How many neighbours this rank receives from, and sends to."""
        return self.indegree, self.outdegree

    @property
    def indegree(self) -> int:
        """How many neighbours this rank receives from."""
        return len(self._sources())

    @property
    def outdegree(self) -> int:
        """How many neighbours this rank sends to."""
        return len(self._targets())

    @property
    def inoutedges(self) -> tuple[list[int], list[int]]:
        """The neighbours this rank receives from, and sends to."""
        return self.inedges, self.outedges

    @property
    def inedges(self) -> list[int]:
        """The neighbours this rank receives from."""
        return list(self._sources())

    @property
    def outedges(self) -> list[int]:
        """The neighbours this rank sends to."""
        return list(self._targets())


class Cartcomm(Topocomm):
    """Ranks in a grid, row by row: the last coordinate runs fastest.

    Neighbours are, for each dimension, the one before and the one after; over an open border,
    :data:`PROC_NULL`.
    """

    def __init__(
        self,
        parent: Communicator,
        ranks: Sequence[int],
        context: int,
        name: str,
        dims: Sequence[int],
        periods: Sequence[bool],
    ) -> None:
        super().__init__(parent, ranks, context, name)
        self._dims = list(dims)
        self._periods = list(periods)

    def _like(self, ranks: Sequence[int], context: int, name: str) -> Self:
        return type(self)(self, ranks, context, name, self._dims, self._periods)

    @property
    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._dims)

    ndim = dim

    @property
    def dims(self) -> list[int]:
        """How many ranks there are in each dimension."""
        return list(self._dims)

    @property
    def periods(self) -> list[bool]:
        """Whether each dimension is closed to a ring."""
        return list(self._periods)

    @property
    def coords(self) -> list[int]:
        """This rank's coordinates."""
        return self.Get_coords(self.rank)

    @property
    def topo(self) -> tuple[list[int], list[bool], list[int]]:
        """As :meth:`Get_topo`."""
        return self.Get_topo()

    def Get_topology(self) -> int:
        """The kind of topology: :data:`CART`."""
        return CART

    def Get_dim(self) -> int:
        """The number of dimensions."""
        return self.dim

    def Get_topo(self) -> tuple[list[int], list[bool], list[int]]:
        """Dims, periods, and this rank's coordinates."""
        return self.dims, self.periods, self.coords

    def Get_coords(self, rank: int) -> list[int]:
        """The coordinates of ``rank``."""
        number = self._check_rank(rank, "rank")
        coords: list[int] = []
        for extent in reversed(self._dims):
            number, coord = divmod(number, extent)
            coords.insert(0, coord)
        return coords

    def Get_cart_rank(self, coords: Sequence[int]) -> int:
        """The rank at ``coords``; in a closed dimension any number will do.

        Raises:
            ArgumentError: a coordinate is outside of an open dimension, or their number is not that of dimensions.
        """
        if len(coords) != self.dim:
            raise ArgumentError(
                f"coords is {list(coords)}; expected {self.dim} numbers, one for each dimension",
                argument="coords",
                value=coords,
            )
        number = 0
        for coord, extent, closed in zip(coords, self._dims, self._periods, strict=True):
            if not closed and not 0 <= coord < extent:
                raise ArgumentError(
                    f"coords is {list(coords)}; expected {coord} to be from 0 to {extent - 1}, since that dimension is "
                    "not periodic",
                    argument="coords",
                    value=coords,
                )
            number = number * extent + coord % extent
        return number

    def Shift(self, direction: int, disp: int) -> tuple[int, int]:
        """The ranks ``disp`` steps before and after this one in dimension ``direction``: source and destination."""
        if not 0 <= direction < self.dim:
            raise ArgumentError(
                f"direction is {direction!r}; expected a dimension from 0 to {self.dim - 1}",
                argument="direction",
                value=direction,
            )
        return self._beside(direction, -disp), self._beside(direction, disp)

    def Sub(self, remain_dims: Sequence[bool]) -> Self:
        """The grid of the ranks that share this one's coordinates in the dimensions that do not remain."""
        remain = [bool(flag) for flag in remain_dims]
        if len(remain) != self.dim:
            raise ArgumentError(
                f"remain_dims is {list(remain_dims)}; expected {self.dim} flags, one for each dimension",
                argument="remain_dims",
                value=remain_dims,
            )
        context = self._agree_on_context("cart_sub")
        mine = self._dropped(self.rank, remain)
        ranks = [self._ranks[rank] for rank in range(self.size) if self._dropped(rank, remain) == mine]
        dims = [extent for extent, stays in zip(self._dims, remain, strict=True) if stays]
        periods = [closed for closed, stays in zip(self._periods, remain, strict=True) if stays]
        return type(self)(self, ranks, context, f"{self.name}.sub", dims, periods)

    def _dropped(self, rank: int, remain: Sequence[bool]) -> list[int]:
        """The coordinates of ``rank`` in the dimensions that do not remain."""
        return [coord for coord, stays in zip(self.Get_coords(rank), remain, strict=True) if not stays]

    def _beside(self, direction: int, disp: int) -> int:
        coords = self.coords
        coords[direction] += disp
        if not self._periods[direction] and not 0 <= coords[direction] < self._dims[direction]:
            return PROC_NULL
        return self.Get_cart_rank(coords)

    def _sources(self) -> Sequence[int]:
        return [self._beside(direction, disp) for direction in range(self.dim) for disp in (-1, 1)]

    def _targets(self) -> Sequence[int]:
        return self._sources()

    def _receive_order(self) -> Sequence[int]:
        # The first send to a neighbour on both sides goes down, and is received from above.
        return [2 * direction + side for direction in range(self.dim) for side in (1, 0)]


def compute_dims(nnodes: int, dims: int | Sequence[int]) -> list[int]:
    """Share ``nnodes`` out over the dimensions that are 0 in ``dims``, as evenly as possible, larger ones first.

    Args:
        nnodes: the number of ranks.
        dims: their number, or a list in which those that are fixed have their extent, and others 0.

    Raises:
        ArgumentError: the fixed extents do not divide ``nnodes``.
    """
    wanted = [0] * dims if isinstance(dims, int) else list(dims)
    fixed = math.prod(extent for extent in wanted if extent)
    free = wanted.count(0)
    if nnodes < 1 or min(wanted, default=0) < 0 or nnodes % fixed or (not free and fixed != nnodes):
        raise ArgumentError(
            f"{nnodes} ranks cannot be shared out over dims {wanted}; expected fixed extents that divide them",
            argument="dims",
            value=dims,
        )
    found = iter(min(_factors(nnodes // fixed, free, nnodes), default=()))
    return [extent or next(found) for extent in wanted]


def _factors(number: int, count: int, at_most: int) -> Iterator[tuple[int, ...]]:
    """All ways to write ``number`` as a product of ``count`` factors that do not increase."""
    if count <= 1:
        if count == 1 and number <= at_most:
            yield (number,)
        return
    for factor in range(1, min(number, at_most) + 1):
        if number % factor == 0 and factor**count >= number:
            for rest in _factors(number // factor, count - 1, factor):
                yield (factor, *rest)
