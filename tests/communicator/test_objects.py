"""Collectives on Python objects."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import run


def both(ranks, program):
    """The results over threads, which are those over processes."""
    results = run(ranks, program)
    np.testing.assert_equal(run(ranks, program, channel="unix"), results)
    return results


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_every_operation_gives_what_mpi4py_gives(ranks):
    def program(comm):
        rank, size = comm.rank, comm.size
        root = size - 1
        return {
            "bcast": comm.bcast({"root": rank} if rank == root else None, root=root),
            "scatter": comm.scatter([f"for {i}" for i in range(size)] if rank == root else None, root=root),
            "gather": comm.gather((rank, "x" * rank), root=root),
            "allgather": comm.allgather([rank]),
            "alltoall": comm.alltoall([(rank, i) for i in range(size)]),
            "reduce": comm.reduce(rank, op=fmi.MAX, root=root),
            "allreduce": comm.allreduce(str(rank)),
            "scan": comm.scan(str(rank)),
            "exscan": comm.exscan(str(rank)),
            "reduce_scatter": comm.reduce_scatter([f"{rank}{i}" for i in range(size)]),
            "barrier": comm.barrier(),
        }

    everyone = "".join(map(str, range(ranks)))
    for rank, result in enumerate(both(ranks, program)):
        at_root = rank == ranks - 1
        assert result == {
            "bcast": {"root": ranks - 1},
            "scatter": f"for {rank}",
            "gather": [(i, "x" * i) for i in range(ranks)] if at_root else None,
            "allgather": [[i] for i in range(ranks)],
            "alltoall": [(i, rank) for i in range(ranks)],
            "reduce": ranks - 1 if at_root else None,
            "allreduce": everyone,
            "scan": everyone[: rank + 1],
            "exscan": everyone[:rank] if rank else None,
            "reduce_scatter": "".join(f"{i}{rank}" for i in range(ranks)),
            "barrier": None,
        }


def test_any_callable_is_an_operator_applied_in_rank_order():
    def program(comm):
        return (
            comm.allreduce([comm.rank], op=lambda a, b: a + b),
            comm.allreduce({comm.rank}, op=fmi.Op(set.union, commutative=True)),
            comm.allreduce((comm.rank % 2, comm.rank), op=fmi.MAXLOC),
            comm.allreduce(np.array([comm.rank, -comm.rank]), op=fmi.MAX).tolist(),
        )

    assert both(4, program) == [([0, 1, 2, 3], {0, 1, 2, 3}, (1, 1), [3, 0])] * 4


def test_an_operator_that_changes_its_argument_does_not_change_the_callers_object():
    def extend(a, b):
        a.extend(b)
        return a

    def program(comm):
        mine = [comm.rank]
        total = comm.allreduce(mine, op=extend)
        prefix = comm.scan(mine, op=extend)
        return mine, total, prefix

    assert both(3, program) == [([rank], [0, 1, 2], list(range(rank + 1))) for rank in range(3)]


def test_results_are_independent_of_what_was_given():
    def program(comm):
        mine = np.zeros(2)
        gathered = comm.allgather(mine)
        mine += 1
        gathered[1 - comm.rank] += 5
        return gathered[comm.rank].tolist(), mine.tolist()

    assert run(2, program) == [([0, 0], [1, 1])] * 2


def test_objects_of_very_different_sizes_travel_together():
    def program(comm):
        mine = "x" if comm.rank else np.ones(2**20)
        gathered = comm.allgather(mine)
        received = comm.alltoall([mine] * comm.size)
        return gathered[0].nbytes, received[0].sum(), gathered[1:], received[1:]

    assert run(3, program, channel="tcp") == [(2**23, 2.0**20, ["x", "x"], ["x", "x"])] * 3


def test_the_root_of_a_bcast_keeps_its_object():
    def program(comm):
        mine = {"rank": comm.rank}
        got = comm.bcast(mine, root=1)
        return got is mine, got

    assert run(2, program) == [(False, {"rank": 1}), (True, {"rank": 1})]
