"""Making communicators with a topology."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fmi_core.communicator.making import Making
from fmi_core.communicator.status import UNDEFINED
from fmi_core.errors import ArgumentError

if TYPE_CHECKING:
    from fmi_core.communicator.communicator import Communicator

__all__ = ["Shaping"]


class Shaping(Making):
    """``Create_cart``, ``Create_graph``, ``Create_dist_graph``: collectives; ranks are never reordered."""

    def Get_topology(self) -> int:
        """The kind of topology: :data:`UNDEFINED`, there is none."""
        return UNDEFINED

    @property
    def topology(self) -> int:
        """As :meth:`Get_topology`."""
        return self.Get_topology()

    @property
    def is_topo(self) -> bool:
        """Whether it has a topology."""
        return False

    def Create_cart(
        self,
        dims: Sequence[int],
        periods: Sequence[bool] | bool | None = None,  # noqa: FBT001  # MPI's signature
        reorder: bool = False,  # noqa: FBT001  # MPI's signature
    ) -> Any:
        """A communicator of the first ranks in a grid of ``dims``; ``COMM_NULL`` on those that do not fit in.

        Args:
            dims: how many ranks there are in each dimension.
            periods: whether each dimension is closed to a ring; default: none is.
            reorder: ignored.
        """
        del reorder
        from fmi_core.communicator.topology import Cartcomm

        extents = [int(extent) for extent in ([dims] if isinstance(dims, int) else dims)]
        if periods is None or isinstance(periods, bool | int):
            periods = [bool(periods)] * len(extents)
        closed = [bool(period) for period in periods]
        total = math.prod(extents)
        if min(extents, default=1) < 1 or total > self.size or len(closed) != len(extents):
            raise ArgumentError(
                f"dims is {extents} with {len(closed)} periods; expected extents above 0 for at most {self.size} "
                "ranks, and one period for each",
                argument="dims",
                value=dims,
            )
        context = self._agree_on_context("create_cart")
        if self.rank >= total:
            return _null()
        return Cartcomm(self._me(), self._ranks[:total], context, f"{self.name}.cart", extents, closed)

    def Create_graph(
        self,
        index: Sequence[int],
        edges: Sequence[int],
        reorder: bool = False,  # noqa: FBT001  # MPI's signature
    ) -> Any:
        """A communicator of the first ranks in a graph; ``COMM_NULL`` on those that do not fit in.

        Args:
            index: where, in ``edges``, each rank's neighbours end.
            edges: all ranks' neighbours, one rank after the other.
            reorder: ignored.
        """
        del reorder
        from fmi_core.communicator.graphs import Graphcomm

        ends, all_edges = list(index), list(edges)
        total = len(ends)
        good = ends == sorted(ends) and (not ends or ends[-1] == len(all_edges)) and total <= self.size
        if not good or any(not 0 <= edge < total for edge in all_edges):
            raise ArgumentError(
                f"index is {ends} and edges {all_edges}; expected for at most {self.size} ranks where each one's "
                "neighbours end in edges",
                argument="index",
                value=index,
            )
        context = self._agree_on_context("create_graph")
        if self.rank >= total:
            return _null()
        return Graphcomm(self._me(), self._ranks[:total], context, f"{self.name}.graph", ends, all_edges)

    def Create_dist_graph_adjacent(
        self,
        sources: Sequence[int],
        destinations: Sequence[int],
        sourceweights: Sequence[int] | None = None,
        destweights: Sequence[int] | None = None,
        info: Any = None,
        reorder: bool = False,  # noqa: FBT001  # MPI's signature
    ) -> Any:
        """A communicator in which every rank names the ranks it receives from, and those it sends to.

        Weights are kept, and nothing is made of them, nor of ``info`` and ``reorder``.
        """
        del info, reorder
        from fmi_core.communicator.graphs import Distgraphcomm

        ins = [self._check_rank(rank, "sources") for rank in sources]
        outs = [self._check_rank(rank, "destinations") for rank in destinations]
        context = self._agree_on_context("create_dist_graph_adjacent")
        weights = None
        if sourceweights is not None or destweights is not None:
            weights = (list(sourceweights or ()), list(destweights or ()))
        return Distgraphcomm(self._me(), self._ranks, context, f"{self.name}.graph", ins, outs, weights)

    def Create_dist_graph(
        self,
        sources: Sequence[int],
        degrees: Sequence[int],
        destinations: Sequence[int],
        weights: Sequence[int] | None = None,
        info: Any = None,
        reorder: bool = False,  # noqa: FBT001  # MPI's signature
    ) -> Any:
        """As :meth:`Create_dist_graph_adjacent`; every rank may name any edges.

        Args:
            sources: ranks from which edges go out.
            degrees: how many go out from each of them.
            destinations: where they go, one source after the other.
            weights: one for each of them.
            info: ignored.
            reorder: ignored.
        """
        del info, reorder
        from fmi_core.communicator.graphs import Distgraphcomm, edges_of

        starts = [self._check_rank(rank, "sources") for rank in sources]
        ends = [self._check_rank(rank, "destinations") for rank in destinations]
        if len(starts) != len(degrees) or sum(degrees) != len(ends):
            raise ArgumentError(
                f"degrees is {list(degrees)}; expected one for each of {len(starts)} sources, {len(ends)} in all",
                argument="degrees",
                value=degrees,
            )
        context = self._agree_on_context("create_dist_graph")
        part = (starts, list(degrees), ends, [1] * len(ends) if weights is None else list(weights))
        said = self._run(self._plan_gossip("create_dist_graph", part))
        ins, outs, kept = edges_of(said, self.rank)
        name = f"{self.name}.graph"
        return Distgraphcomm(self._me(), self._ranks, context, name, ins, outs, None if weights is None else kept)

    def _me(self) -> Communicator:
        """This communicator, which is more than this part of it."""
        from fmi_core.communicator.communicator import Communicator

        assert isinstance(self, Communicator)
        return self


def _null() -> Any:
    from fmi_core.communicator.null import COMM_NULL

    return COMM_NULL
