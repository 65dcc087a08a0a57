"""Non-blocking collectives: the same answers, many in flight, completed in any order."""

from __future__ import annotations

import random

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.testing import run


def buffers(comm):
    """Every upper-case collective: name, arguments made afresh, and where the result is."""
    p, me = comm.size, comm.rank
    mine, one = np.arange(3.0) + me, np.zeros(3)
    whole, many = np.arange(3.0 * p) * (me + 1), np.zeros(3 * p)
    counts = list(range(1, p + 1))
    parts = np.arange(float(sum(counts)))
    part, room = np.full(me + 1, float(me)), np.zeros(sum(counts))
    pieces, came = np.full(p, float(me)), np.zeros(p)
    yield "barrier", [], one
    yield "bcast", [mine, p - 1], mine
    yield "scatter", [whole, one, 0], one
    yield "gather", [mine, many, p - 1], many
    yield "allgather", [mine, many], many
    yield "alltoall", [whole, many], many
    yield "reduce", [mine, one, fmi.MAX, 0], one
    yield "allreduce", [mine, one, fmi.PROD], one
    yield "scan", [mine, one], one
    yield "exscan", [mine, one], one
    yield "reduce_scatter_block", [whole, one], one
    yield "reduce_scatter", [parts, part, counts], part
    yield "reduce_scatter", [parts, part], part
    yield "scatterv", [[parts, counts], part, 0], part
    yield "gatherv", [part, [room, counts], 0], room
    yield "allgatherv", [part, [room, counts]], room
    yield "alltoallv", [[pieces, [1] * p], [came, [1] * p]], came
    yield (
        "alltoallw",
        [[pieces, [1] * p, range(0, 8 * p, 8), ["d"] * p], [came, [1] * p, range(0, 8 * p, 8), ["d"] * p]],
        came,
    )


def objects(comm):
    """Every lower-case collective."""
    items = [(comm.rank, index) for index in range(comm.size)]
    yield "barrier", []
    yield "bcast", ["x", comm.size - 1]
    yield "scatter", [items, 0]
    yield "gather", [comm.rank, 0]
    yield "allgather", [comm.rank]
    yield "alltoall", [items]
    yield "reduce", [[comm.rank], fmi.SUM, 0]
    yield "allreduce", [[comm.rank]]
    yield "scan", [[comm.rank]]
    yield "exscan", [[comm.rank]]
    yield "reduce_scatter", [items]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_gives_what_its_blocking_form_gives(size):
    def program(comm):
        for (name, left, result), (_, right, other) in zip(buffers(comm), buffers(comm), strict=True):
            getattr(comm, name.capitalize())(*left)
            assert getattr(comm, "I" + name)(*right).wait() is None
            assert np.array_equal(result, other), name
        for name, arguments in objects(comm):
            assert getattr(comm, name)(*arguments) == getattr(comm, "i" + name)(*arguments).wait(), name

    run(size, program)


@pytest.mark.parametrize("channel", ["memory", "tcp"])
def test_hundreds_in_flight_are_completed_in_any_order_among_messages(channel):
    def program(comm):
        requests = []
        for number in range(100):
            data = np.full(number, float(comm.rank))
            requests.append((comm.Iallreduce(fmi.IN_PLACE, data), data, np.full(number, 6.0)))
            requests.append((comm.iallgather((comm.rank, number)), None, [(rank, number) for rank in range(4)]))
            comm.isend(number, (comm.rank + 1) % 4, number).wait()
            requests.append((comm.irecv(None, (comm.rank - 1) % 4, number), None, number))
        random.Random(comm.rank).shuffle(requests)
        for request, data, wanted in requests:
            value = request.wait()
            assert np.array_equal(value if data is None else data, wanted)
        return True

    assert run(4, program, channel=channel) == [True] * 4


def test_they_move_along_while_the_program_waits_for_something_else():
    def program(comm):
        request = comm.iallreduce(1)
        comm.barrier()
        comm.barrier()
        moved = request.pending.advance()
        request.wait()
        return moved

    assert run(3, program) == [True] * 3


def test_ranks_that_begin_them_in_different_order_are_told():
    def program(comm):
        first, second = (comm.ibcast, comm.iallgather) if comm.rank else (comm.iallgather, comm.ibcast)
        requests = [first("x"), second("y")]
        with pytest.raises(fmi.MismatchError, match="disagree on collective"):
            fmi.Request.waitall(requests)
        raise fmi.MismatchError("as expected")

    with pytest.raises(fmi.MismatchError):
        run(2, program)


def test_a_lost_rank_fails_what_is_in_flight():
    def program(comm):
        if comm.rank == 1:
            raise ZeroDivisionError
        comm.Iallreduce(fmi.IN_PLACE, np.ones(5)).Wait()

    with pytest.raises(ZeroDivisionError):
        run(2, program)
