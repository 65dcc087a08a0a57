"""Communicators whose ranks are the nodes of a graph."""

from __future__ import annotations

import pytest

from fmi_core.communicator.graphs import DIST_GRAPH, GRAPH
from fmi_core.testing import run


def test_a_graph_that_all_know():
    def program(comm):
        graph = comm.Create_graph([2, 3, 4], [1, 2, 0, 0])  # 0 is joined to 1 and 2
        if not graph:
            return None
        assert graph.Get_topology() == GRAPH
        assert graph.Get_dims() == graph.dims == (3, 4)
        assert (graph.nnodes, graph.nedges) == (3, 4)
        assert graph.Get_topo() == graph.topo == (graph.index, graph.edges) == ([2, 3, 4], [1, 2, 0, 0])
        assert graph.Get_neighbors(0) == [1, 2]
        assert graph.Get_neighbors_count(0) == 2
        assert graph.nneighbors == len(graph.neighbors)
        return graph.Dup().neighbor_allgather(comm.rank), graph.neighbor_alltoall(
            [(comm.rank, n) for n in graph.neighbors]
        )

    assert run(4, program) == [([1, 2], [(1, 0), (2, 0)]), ([0], [(0, 1)]), ([0], [(0, 2)]), None]


@pytest.mark.parametrize("weighted", [False, True])
def test_graphs_of_which_every_rank_knows_its_part(weighted):
    def program(comm):
        p, me = comm.size, comm.rank
        sources, destinations = [(me - 1) % p, me], [(me + 1) % p, me]
        weights = ([1, 2], [3, 4]) if weighted else (None, None)
        adjacent = comm.Create_dist_graph_adjacent(sources, destinations, *weights)
        assert adjacent.Get_topology() == DIST_GRAPH
        assert adjacent.Get_dist_neighbors_count() == (2, 2, weighted)
        assert adjacent.Get_dist_neighbors() == (sources, destinations, weights if weighted else None)
        # rank 0 names all edges of the same graph
        if me == 0:
            edges = [end for node in range(p) for end in ((node + 1) % p, node)]
            given = [list(range(p)), [2] * p, edges, [5] * len(edges) if weighted else None]
        else:
            given = [[], [], [], [] if weighted else None]
        graph = comm.Create_dist_graph(*given)
        assert sorted(graph.Get_dist_neighbors()[0]) == sorted(sources)
        assert graph.Get_dist_neighbors()[1] == destinations
        assert graph.Get_dist_neighbors()[2] == (([5, 5], [5, 5]) if weighted else None)
        assert sorted(graph.Dup().neighbor_allgather(me)) == sorted(sources)
        return adjacent.neighbor_alltoall([("on", me), ("self", me)])

    assert run(3, program) == [[("on", (rank - 1) % 3), ("self", rank)] for rank in range(3)]
