"""Communicators whose ranks are the nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from fmi_core.communicator.communicator import Communicator
from fmi_core.communicator.topology import Topocomm

__all__ = ["DIST_GRAPH", "GRAPH", "Distgraphcomm", "Graphcomm", "edges_of"]

GRAPH = 1
"""The topology is a graph that every rank knows."""
DIST_GRAPH = 3
"""The topology is a graph of which every rank knows its own edges."""


class Graphcomm(Topocomm):
    """Ranks in a graph that all of them know, by MPI's ``index`` and ``edges``."""

    def __init__(
        self,
        parent: Communicator,
        ranks: Sequence[int],
        context: int,
        name: str,
        index: Sequence[int],
        edges: Sequence[int],
    ) -> None:
        super().__init__(parent, ranks, context, name)
        self._ends = list(index)
        self._edges = list(edges)

    def _like(self, ranks: Sequence[int], context: int, name: str) -> Self:
        return type(self)(self, ranks, context, name, self._ends, self._edges)

    def Get_topology(self) -> int:
        """The kind of topology: :data:`GRAPH`."""
        return GRAPH

    def Get_dims(self) -> tuple[int, int]:
        """How many nodes and edges the graph has."""
        return len(self._ends), len(self._edges)

    @property
    def dims(self) -> tuple[int, int]:
        """As :meth:`Get_dims`."""
        return self.Get_dims()

    @property
    def nnodes(self) -> int:
        """How many nodes the graph has."""
        return len(self._ends)

    @property
    def nedges(self) -> int:
        """How many edges the graph has."""
        return len(self._edges)

    def Get_topo(self) -> tuple[list[int], list[int]]:
        """Index and edges, as they were given."""
        return self.index, self.edges

    @property
    def topo(self) -> tuple[list[int], list[int]]:
        """As :meth:`Get_topo`."""
        return self.Get_topo()

    @property
    def index(self) -> list[int]:
        """Where, in :attr:`edges`, each node's neighbours end."""
        return list(self._ends)

    @property
    def edges(self) -> list[int]:
        """All nodes' neighbours, one node after the other."""
        return list(self._edges)

    def Get_neighbors_count(self, rank: int) -> int:
        """How many neighbours ``rank`` has."""
        return len(self.Get_neighbors(rank))

    def Get_neighbors(self, rank: int) -> list[int]:
        """The neighbours of ``rank``."""
        number = self._check_rank(rank, "rank")
        return self._edges[self._ends[number - 1] if number else 0 : self._ends[number]]

    @property
    def nneighbors(self) -> int:
        """How many neighbours this rank has."""
        return len(self.neighbors)

    @property
    def neighbors(self) -> list[int]:
        """The neighbours of this rank."""
        return self.Get_neighbors(self.rank)

    def _sources(self) -> Sequence[int]:
        return self.neighbors

    def _targets(self) -> Sequence[int]:
        return self.neighbors


class Distgraphcomm(Topocomm):
    """Ranks in a directed graph of which each knows its own edges."""

    def __init__(
        self,
        parent: Communicator,
        ranks: Sequence[int],
        context: int,
        name: str,
        sources: Sequence[int],
        destinations: Sequence[int],
        weights: tuple[list[int], list[int]] | None,
    ) -> None:
        super().__init__(parent, ranks, context, name)
        self._from = list(sources)
        self._to = list(destinations)
        self._weights = weights

    def _like(self, ranks: Sequence[int], context: int, name: str) -> Self:
        return type(self)(self, ranks, context, name, self._from, self._to, self._weights)

    def Get_topology(self) -> int:
        """The kind of topology: :data:`DIST_GRAPH`."""
        return DIST_GRAPH

    def Get_dist_neighbors_count(self) -> tuple[int, int, bool]:
        """How many edges come in and go out, and whether they have weights."""
        return len(self._from), len(self._to), self._weights is not None

    def Get_dist_neighbors(self) -> tuple[list[int], list[int], tuple[list[int], list[int]] | None]:
        """The ranks from which edges come, those to which they go, and the weights of both."""
        return list(self._from), list(self._to), self._weights

    def _sources(self) -> Sequence[int]:
        return self._from

    def _targets(self) -> Sequence[int]:
        return self._to


def edges_of(said: Sequence[Any], rank: int) -> tuple[list[int], list[int], tuple[list[int], list[int]]]:
    """The edges at ``rank`` of a graph of which each rank said a part: sources, destinations, weights of both.

    Args:
        said: for each rank its ``(sources, degrees, destinations, weights)``, as ``Create_dist_graph`` takes them.
        rank: whose edges.
    """
    incoming: list[tuple[int, int]] = []
    outgoing: list[tuple[int, int]] = []
    for sources, degrees, destinations, weights in said:
        place = 0
        for source, degree in zip(sources, degrees, strict=True):
            for index in range(place, place + degree):
                if destinations[index] == rank:
                    incoming.append((source, weights[index]))
                if source == rank:
                    outgoing.append((destinations[index], weights[index]))
            place += degree
    return (
        [source for source, _ in incoming],
        [destination for destination, _ in outgoing],
        ([weight for _, weight in incoming], [weight for _, weight in outgoing]),
    )
