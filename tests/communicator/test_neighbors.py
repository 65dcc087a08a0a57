"""Collectives among neighbours."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.communicator.neighbors import NeighborCollectives
from fmi_core.testing import run

NOBODY = fmi.PROC_NULL


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


def test_a_topology_says_who_its_neighbours_are():
    for method in ("_sources", "_targets"):
        with pytest.raises(NotImplementedError):
            getattr(NeighborCollectives, method)(None)
