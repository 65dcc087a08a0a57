"""Collectives on buffers: IN_PLACE, shapes, what is left untouched. The matrix of values is in tests/integration."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import run


@pytest.mark.parametrize("ranks", [1, 2, 4, 5])
def test_in_place_gives_what_two_buffers_give(ranks):
    def program(comm):
        rank, size = comm.rank, comm.size
        two, one = {}, {}

        def keep(name, separate, in_place):
            two[name], one[name] = separate.tolist(), in_place.tolist()

        mine = np.arange(4.0) + rank
        for name, call in (("allreduce", comm.Allreduce), ("scan", comm.Scan), ("exscan", comm.Exscan)):
            separate, same = mine.copy(), mine.copy()
            call(mine, separate)
            call(fmi.IN_PLACE, same)
            keep(name, separate, same)
        separate, same = np.zeros(4), mine.copy()
        comm.Reduce(mine, separate, root=0)
        comm.Reduce(fmi.IN_PLACE if rank == 0 else same, same if rank == 0 else None, root=0)
        keep("reduce", separate if rank == 0 else mine, same)
        for name, call in (("gather", comm.Gather), ("allgather", comm.Allgather)):
            separate, same = np.zeros((size, 4)), np.zeros((size, 4))
            same[rank] = mine
            call(mine, separate)
            if name == "gather" and rank:
                call(mine, None)
                keep(name, separate * 0, separate * 0)
            else:
                call(fmi.IN_PLACE, same)
                keep(name, separate, same)
        everything = np.arange(size * 2.0) + 10 * rank
        separate, same = np.zeros(size * 2), everything.copy()
        comm.Alltoall(everything, separate)
        comm.Alltoall(fmi.IN_PLACE, same)
        keep("alltoall", separate, same)
        separate, same = np.zeros(2), everything.copy()
        comm.Reduce_scatter_block(everything, separate)
        comm.Reduce_scatter_block(fmi.IN_PLACE, same)
        keep("reduce_scatter", separate, same[:2])
        part = np.zeros(2)
        comm.Scatter(everything if rank == 0 else None, fmi.IN_PLACE if rank == 0 else part, root=0)
        keep("scatter", part if rank else everything[:2], part if rank else everything[:2])
        return two, one

    for two, one in run(ranks, program):
        assert one == two


def test_send_buffers_are_never_changed_and_may_be_read_only():
    def program(comm):
        mine = np.arange(8.0) + comm.rank
        mine.flags.writeable = False
        before = mine.tobytes()
        out = np.zeros(8)
        for tune in ("flat", "binomial", "chain", "rabenseifner"):
            _force(comm, "reduce", tune)
            comm.Reduce(mine, out if comm.rank == 1 else None, root=1)
        comm.Allreduce(mine, out)
        comm.Scan(mine, out)
        comm.Exscan(mine, out)
        comm.Reduce_scatter_block(mine, np.zeros(8 // comm.size))
        comm.Alltoall(mine, out)
        comm.Gather(mine, np.zeros(8 * comm.size) if comm.rank == 0 else None)
        comm.Allgather(mine, np.zeros(8 * comm.size))
        comm.Bcast(mine if comm.rank == 0 else out, root=0)
        comm.Scatter(mine if comm.rank == 0 else None, np.zeros(8 // comm.size), root=0)
        return mine.tobytes() == before

    assert run(4, program) == [True] * 4


def _force(comm, collective, algorithm):
    from fmi_core.selection.select import Selector

    comm._selector = Selector(comm.size, comm._selector._model, 2, {collective: algorithm})


def test_shapes_are_free_and_orders_are_those_of_memory():
    def program(comm):
        x = np.full((3, 4, 5), comm.rank, dtype="i2")
        comm.Allreduce(fmi.IN_PLACE, x)
        y = np.asfortranarray(np.zeros((2, 3)))
        comm.Bcast(np.asfortranarray([[1.0, 2, 3], [4, 5, 6]]) if comm.rank == 0 else y)
        return int(x.sum()), y.tolist()

    assert run(3, program)[1] == (180, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("dtype", ["i1", "u2", "i8", "f2", "f4", "g", "c8", "?"])
def test_sums_of_every_numeric_dtype(dtype):
    def program(comm):
        x = np.ones(5, dtype)
        comm.Allreduce(fmi.IN_PLACE, x, op=fmi.PROD)
        total = np.ones(3, dtype)
        comm.Allreduce(fmi.IN_PLACE, total)
        return x.tolist(), total.tolist()

    product, total = run(3, program)[0]
    assert product == [1] * 5
    assert total == (np.ones(3, dtype) + np.ones(3, dtype) + np.ones(3, dtype)).tolist()


def test_minloc_on_a_structured_array():
    def program(comm):
        pairs = np.array([(comm.rank % 2, comm.rank), (-comm.rank, comm.rank)], [("value", "f8"), ("index", "i4")])
        comm.Allreduce(fmi.IN_PLACE, pairs, op=fmi.MINLOC)
        return pairs.tolist()

    assert run(4, program) == [[(0, 0), (-3, 3)]] * 4


def test_an_operator_that_is_not_elementwise_sees_whole_buffers():
    def matrix_product(a, b):
        return (a.reshape(2, 2) @ b.reshape(2, 2)).ravel()

    def program(comm):
        m = np.array([1.0, comm.rank, 0, 1])
        comm.Allreduce(fmi.IN_PLACE, m, op=matrix_product)
        return m.tolist()

    assert run(5, program) == [[1, 10, 0, 1]] * 5


def test_ufuncs_and_functions_with_out_are_operators():
    def smaller(a, b, out):
        np.minimum(a, b, out=out)

    def program(comm):
        x, y = np.array([comm.rank, 5 - comm.rank]), np.array([float(comm.rank)])
        comm.Allreduce(fmi.IN_PLACE, x, op=smaller)
        comm.Allreduce(fmi.IN_PLACE, y, op=np.hypot)
        return x.tolist(), round(float(y[0]), 9)

    assert run(4, program) == [([0, 2], round(14**0.5, 9))] * 4


def test_reduce_scatter_with_unequal_counts_some_of_them_zero():
    def program(comm):
        counts = [3, 0, 1]
        out = np.full(counts[comm.rank] + 1, -1.0)
        comm.Reduce_scatter(np.arange(4.0), out, counts)
        return out.tolist()

    assert run(3, program) == [[0, 3, 6, -1], [-1], [9, -1]]


def test_exscan_leaves_rank_zero_as_it_was():
    def program(comm):
        out = np.full(3, 42.0)
        comm.Exscan(np.full(3, 1.0), out)
        return out.tolist()

    assert run(3, program) == [[42] * 3, [1] * 3, [2] * 3]


def test_barrier_lets_nobody_through_before_all_are_there():
    def program(comm):
        if comm.rank == 0:
            for other in range(1, comm.size):
                comm.send("before", dest=other)
        comm.Barrier()
        return comm.iprobe(source=0) if comm.rank else True

    def receive(comm):
        seen = program(comm)
        if comm.rank:
            comm.recv(source=0)
        return seen

    assert run(4, receive) == [True] * 4
