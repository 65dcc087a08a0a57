"""Grids, graphs, and the collectives among neighbours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.communicator.graphs import DIST_GRAPH, GRAPH
from fmi_core.communicator.neighbors import NeighborCollectives
from fmi_core.communicator.null import COMM_NULL
from fmi_core.communicator.topology import CART, Cartcomm, compute_dims
from fmi_core.testing import run

NOBODY = fmi.PROC_NULL


def test_coordinates_and_ranks():
    def program(comm):
        assert (comm.Get_topology(), comm.topology, comm.is_topo) == (fmi.UNDEFINED, fmi.UNDEFINED, False)
        cart = comm.Create_cart([2, 3], [False, True], reorder=True)
        assert isinstance(cart, Cartcomm)
        assert (cart.Get_topology(), cart.topology, cart.is_topo) == (CART, CART, True)
        assert cart.Get_topo() == cart.topo == ([2, 3], [False, True], divmod_list(comm.rank))
        assert (cart.Get_dim(), cart.dim, cart.ndim) == (2, 2, 2)
        assert (cart.dims, cart.periods, cart.coords) == cart.topo
        for rank in range(6):
            assert cart.Get_coords(rank) == divmod_list(rank)
            assert cart.Get_cart_rank(divmod_list(rank)) == rank
        assert cart.Get_cart_rank([1, -1]) == 5
        return cart.Shift(0, 1), cart.Shift(1, 1), cart.Shift(1, 2)

    def divmod_list(rank):
        return list(divmod(rank, 3))

    got = run(6, program)
    assert got[0] == ((NOBODY, 3), (2, 1), (1, 2))
    assert got[4] == ((1, NOBODY), (3, 5), (5, 3))


def test_ranks_that_do_not_fit_in_get_nothing():
    def program(comm):
        cart = comm.Create_cart([2])
        return None if cart == COMM_NULL else (cart.size, cart.periods)

    assert run(3, program) == [(2, [False]), (2, [False]), None]


def test_sub_grids_and_copies():
    def program(comm):
        cart = comm.Create_cart((2, 3), True)
        row, column, point = cart.Sub([False, True]), cart.Sub([True, False]), cart.Sub([False, False])
        copy = cart.Dup()
        assert (copy.dims, copy.periods, copy.coords) == (cart.dims, cart.periods, cart.coords)
        assert (row.dims, column.dims, point.dims, point.size) == ([3], [2], [], 1)
        assert point.neighbor_allgather(1) == []
        return row.allgather(comm.rank), column.allgather(comm.rank)

    assert run(6, program)[4] == ([3, 4, 5], [1, 4])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda comm, cart: comm.Create_cart([3]), "dims is"),
        (lambda comm, cart: comm.Create_cart([0]), "dims is"),
        (lambda comm, cart: comm.Create_cart([1], [True, False]), "2 periods"),
        (lambda comm, cart: cart.Get_cart_rank([1, 2]), "expected 1 numbers"),
        (lambda comm, cart: cart.Get_cart_rank([2]), "not periodic"),
        (lambda comm, cart: cart.Get_coords(2), "rank is 2"),
        (lambda comm, cart: cart.Shift(1, 1), "direction is 1"),
        (lambda comm, cart: cart.Sub([True, True]), "remain_dims"),
        (lambda comm, cart: comm.Create_graph([1, 0], [1]), "index is"),
        (lambda comm, cart: comm.Create_graph([1], [5]), "edges"),
        (lambda comm, cart: comm.Create_dist_graph_adjacent([5], []), "sources is 5"),
        (lambda comm, cart: comm.Create_dist_graph([0], [2], [1]), "degrees is"),
        (lambda comm, cart: cart.neighbor_alltoall([1]), "sendobj is 1 items; expected 2"),
        (lambda comm, cart: cart.Neighbor_alltoall(np.zeros(3), np.zeros(4)), "a multiple of 2"),
        (lambda comm, cart: cart.Neighbor_alltoall(np.zeros(4), np.zeros(4, "f4")), "float32; expected float64"),
    ],
)
def test_bad_arguments_are_refused(call, text):
    def program(comm):
        cart = comm.Create_cart([2])
        with pytest.raises(fmi.ArgumentError, match=text):
            call(comm, cart)

    run(2, program)


# --- neighbours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("begun", [False, True])
def test_what_is_sent_up_comes_from_below(size, periodic, begun):
    def program(comm):
        cart = comm.Create_cart([size], periodic)
        down, up = cart.Shift(0, 1)
        me = cart.rank
        wanted = [None if down == NOBODY else (down, "up"), None if up == NOBODY else (up, "down")]
        call = cart.ineighbor_alltoall if begun else cart.neighbor_alltoall
        got = call([(me, "down"), (me, "up")])
        assert (got.wait() if begun else got) == wanted
        got = (cart.ineighbor_allgather if begun else cart.neighbor_allgather)(me)
        assert (got.wait() if begun else got) == [None if n == NOBODY else n for n in (down, up)]
        data, room = np.array([10.0 * me, 10.0 * me + 1]), np.full(2, -1.0)
        if begun:
            cart.Ineighbor_alltoall(data, room).Wait()
        else:
            cart.Neighbor_alltoall(data, room)
        assert room.tolist() == [-1 if down == NOBODY else 10 * down + 1, -1 if up == NOBODY else 10 * up]

    run(size, program)


@pytest.mark.parametrize("begun", [False, True])
def test_every_neighbour_collective_on_buffers(begun):
    def program(comm):
        cart = comm.Create_cart([2, 2], [True, False])
        me, around = cart.rank, cart.inedges
        assert cart.degrees == (4, 4)
        assert cart.inoutedges == (around, cart.outedges)

        def do(name, *arguments):
            if begun:
                getattr(cart, "In" + name[1:])(*arguments).Wait()
            else:
                getattr(cart, name)(*arguments)

        room = np.full(8, -1.0)
        do("Neighbor_allgather", np.full(2, float(me)), room)
        assert room.tolist() == [-1 if n == NOBODY else n for n in around for _ in range(2)]
        room = np.full(9, -1.0)
        do("Neighbor_allgatherv", np.full(1, float(me)), [room, ([1, 1, 1, 1], [8, 6, 4, 2])])
        assert room[[8, 6, 4, 2]].tolist() == [-1 if n == NOBODY else n for n in around]
        # one element down, two up; what comes from below went up
        room = np.full(6, -1.0)
        do("Neighbor_alltoallv", [np.full(6, float(me)), [1, 2, 1, 2]], [room, [2, 1, 2, 1]])
        wide = [n for n, count in zip(around, [2, 1, 2, 1], strict=True) for _ in range(count)]
        assert room.tolist() == [-1 if n == NOBODY else n for n in wide]
        column = datatypes.DOUBLE.Create_vector(2, 1, 4)
        grid = np.full((2, 4), -1.0)
        sent = [np.full(8, float(me)), [2] * 4, [0] * 4, ["d"] * 4]
        do("Neighbor_alltoallw", sent, [grid, ([1] * 4, [0, 8, 16, 24]), [column] * 4])
        assert grid.tolist() == [[-1 if n == NOBODY else n for n in around]] * 2

    run(4, program)


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


# --- Compute_dims ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nnodes", "dims", "wanted"),
    [
        (12, 2, [4, 3]),
        (6, 3, [3, 2, 1]),
        (7, 2, [7, 1]),
        (8, [0, 2, 0], [2, 2, 2]),
        (12, [0, 3, 0], [2, 3, 2]),
        (6, [3, 2], [3, 2]),
        (1, 0, []),
        (1, 2, [1, 1]),
        (64, 3, [4, 4, 4]),
    ],
)
def test_ranks_are_shared_out_over_dimensions(nnodes, dims, wanted):
    assert compute_dims(nnodes, dims) == wanted


@given(st.integers(1, 600), st.integers(1, 4))
def test_any_number_is_shared_out(nnodes, count):
    dims = compute_dims(nnodes, count)
    assert math.prod(dims) == nnodes
    assert dims == sorted(dims, reverse=True)


@pytest.mark.parametrize(("nnodes", "dims"), [(7, [2, 0]), (6, [3, 3]), (0, 2), (4, [-1, 0]), (4, [2])])
def test_what_cannot_be_shared_out_is_refused(nnodes, dims):
    with pytest.raises(fmi.ArgumentError, match="cannot be shared out"):
        compute_dims(nnodes, dims)


def test_a_topology_says_who_its_neighbours_are():
    for method in ("_sources", "_targets"):
        with pytest.raises(NotImplementedError):
            getattr(NeighborCollectives, method)(None)
