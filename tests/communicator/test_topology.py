"""Grids, and how topologies are asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fmi_core as fmi
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
