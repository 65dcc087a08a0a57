"""Collectives with one count a rank."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.testing import run

SIZES = [1, 2, 3, 5]


def counts_of(size):
    return [(2 * rank + 3) % 5 for rank in range(size)]


def gapped(counts):
    """Displacements with a gap after each part, last rank first."""
    displs, place = [0] * len(counts), 1
    for rank in reversed(range(len(counts))):
        displs[rank] = place
        place += counts[rank] + 2
    return displs, place


def own(rank, counts):
    return np.arange(counts[rank]) + 100.0 * rank


def placed(counts, displs, room):
    whole = np.full(room, -1.0)
    for rank, (count, displ) in enumerate(zip(counts, displs, strict=True)):
        whole[displ : displ + count] = own(rank, counts)
    return whole


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("in_place", [False, True])
def test_scatterv(size, in_place):
    def program(comm):
        counts = counts_of(size)
        displs, room = gapped(counts)
        for root in range(size):
            whole = placed(counts, displs, room)
            mine = np.full(counts[comm.rank], -2.0)
            if comm.rank != root:
                comm.Scatterv(None, mine, root)
            elif in_place:
                comm.Scatterv([whole, (counts, displs), datatypes.DOUBLE], fmi.IN_PLACE, root)
                continue
            else:
                comm.Scatterv([whole, counts, displs, "d"], mine, root)
            assert mine.tolist() == own(comm.rank, counts).tolist()

    run(size, program)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("in_place", [False, True])
def test_gatherv(size, in_place):
    def program(comm):
        counts = counts_of(size)
        displs, room = gapped(counts)
        for root in range(size):
            mine = own(comm.rank, counts)
            whole = placed(counts, displs, room) if in_place else np.full(room, -1.0)
            if comm.rank != root:
                comm.Gatherv(mine, None, root)
                continue
            comm.Gatherv(fmi.IN_PLACE if in_place else mine, [whole, (counts, displs)], root)
            assert whole.tolist() == placed(counts, displs, room).tolist()

    run(size, program)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("large", [1, 20_000])
def test_allgatherv(size, in_place, large):
    def program(comm):
        counts = [large * count for count in counts_of(size)]
        displs, room = gapped(counts)
        whole = np.full(room, -1.0)
        mine = own(comm.rank, counts)
        if in_place:
            whole[displs[comm.rank] : displs[comm.rank] + counts[comm.rank]] = mine
        comm.Allgatherv(fmi.IN_PLACE if in_place else mine, [whole, (counts, displs)])
        assert np.array_equal(whole, placed(counts, displs, room))
        tight = np.empty(sum(counts))
        comm.Allgatherv(mine, [tight, counts])
        assert np.array_equal(tight, np.concatenate([own(rank, counts) for rank in range(size)]))

    run(size, program)


def pair(src, dst):
    return np.arange((src + 2 * dst) % 4) + 10.0 * src + 100.0 * dst


@pytest.mark.parametrize("size", SIZES)
def test_alltoallv(size):
    def program(comm):
        sends = [pair(comm.rank, dst) for dst in range(size)]
        receives = [pair(src, comm.rank) for src in range(size)]
        counts = [part.size for part in receives]
        displs, room = gapped(counts)
        whole = np.full(room, -1.0)
        comm.Alltoallv([np.concatenate(sends), [part.size for part in sends]], [whole, (counts, displs)])
        for part, displ in zip(receives, displs, strict=True):
            assert whole[displ : displ + part.size].tolist() == part.tolist()
        assert (whole == -1).sum() == room - sum(counts)

    run(size, program)


def test_alltoallv_in_place():
    def program(comm):
        counts = [1 + (comm.rank + other) % 2 for other in range(4)]  # the same both ways
        displs, room = gapped(counts)
        whole = np.full(room, float(comm.rank))
        comm.Alltoallv(fmi.IN_PLACE, [whole, (counts, displs)])
        return [whole[displ] for displ in displs]

    assert run(4, program) == [[0, 1, 2, 3]] * 4


def test_alltoallw_moves_the_columns_of_a_matrix_to_its_rows():
    def program(comm):
        p = comm.size
        matrix = (np.arange(9.0) + 10 * comm.rank).reshape(3, 3)
        columns = [datatypes.DOUBLE.Create_subarray([3, 3], [3, 1], [0, other]) for other in range(p)]
        rows = np.zeros((3, 3))
        comm.Alltoallw([matrix, columns], [rows, [3] * p, [24 * other for other in range(p)], ["d"] * p])
        back = np.zeros((3, 3))
        comm.Alltoallw([rows, ([3] * p, [24 * other for other in range(p)]), ["d"] * p], [back, columns])
        assert back.tolist() == matrix.tolist()
        same = matrix.copy()
        comm.Alltoallw(fmi.IN_PLACE, [same, columns])
        assert same.tolist() == rows.T.tolist()
        comm.Alltoallw([None, 0, ["d"] * p], [None, [0] * p, ["d"] * p])
        return rows[:, 0].tolist()

    assert run(3, program) == [[0, 10, 20], [1, 11, 21], [2, 12, 22]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("told", [True, False])
def test_reduce_scatter_with_counts(size, told):
    def program(comm):
        counts = counts_of(size)
        data = np.arange(float(sum(counts))) + comm.rank
        mine = np.full(counts[comm.rank], -1.0)
        comm.Reduce_scatter(data, mine, counts if told else None)
        start = sum(counts[: comm.rank])
        wanted = (np.arange(float(sum(counts))) * size + sum(range(size)))[start : start + mine.size]
        assert mine.tolist() == wanted.tolist()
        comm.Reduce_scatter(fmi.IN_PLACE, data, counts)
        assert data[: mine.size].tolist() == wanted.tolist()

    run(size, program)


def test_memory_for_a_part_may_be_larger_than_the_part():
    def program(comm):
        me, room = comm.rank, np.full(9, -1.0)
        comm.Scatterv([np.arange(6.0), [1, 2, 3]] if me == 0 else None, mine := np.full(5, -1.0))
        comm.Gatherv(np.full(me + 1, float(me)), [room, [3, 3, 3]] if me == 0 else None)
        came = np.full(9, -1.0)
        comm.Alltoallv([np.full(3, float(me)), [1, 1, 1]], [came, [3, 3, 3]])
        return mine.tolist(), room.tolist(), came.tolist()

    got = run(3, program)
    assert [mine for mine, _, _ in got] == [[0, -1, -1, -1, -1], [1, 2, -1, -1, -1], [3, 4, 5, -1, -1]]
    assert got[0][1] == [0, -1, -1, 1, 1, -1, 2, 2, 2]
    assert got[2][2] == [0, -1, -1, 1, -1, -1, 2, -1, -1]


def test_a_part_that_is_too_large_is_a_mismatch():
    def program(comm):
        comm.Gatherv(np.ones(2 + comm.rank), [np.empty(4), [2, 2]] if comm.rank == 0 else None)

    with pytest.raises(fmi.MismatchError, match="rank 1 sent 24 bytes"):
        run(2, program)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda comm: comm.Scatterv([np.zeros(4), [4]], np.zeros(3)), "recvbuf has 3 elements of float64; expected 4"),
        (lambda comm: comm.Scatterv([np.zeros(4), [4]], np.zeros(4, "f4")), "float32; expected 4 of float64"),
        (lambda comm: comm.Gatherv(np.zeros(3), [np.zeros(4), [2]]), "part of recvbuf has 2 elements"),
        (lambda comm: comm.Allgatherv(np.zeros(3), [np.zeros(4), [2]]), "sendbuf has 3 elements; expected 2"),
        (lambda comm: comm.Alltoallv(np.zeros(3), [np.zeros(4), [2]]), "sends 3 elements to itself, but receives 2"),
        (lambda comm: comm.Alltoallv(np.zeros(2), np.zeros(2, "i8")), "elements of int64; expected float64"),
        (lambda comm: comm.Alltoallw(np.zeros(2), np.zeros(2)), "recvbuf is ndarray; expected"),
        (lambda comm: comm.Alltoallw(fmi.IN_PLACE, [np.zeros(2), "d"]), "the datatypes of recvbuf are 'd'"),
        (lambda comm: comm.Reduce_scatter(np.zeros(4), np.zeros(4), [3]), "add up to the 4"),
    ],
)
def test_bad_parts_are_refused(call, text):
    def program(comm):
        with pytest.raises(fmi.ArgumentError, match=text):
            call(comm)

    run(1, program)


def test_ranks_that_disagree_are_told():
    def program(comm):
        comm.Allgatherv(np.zeros(1), [np.zeros(3 + comm.rank), [1, 1] if comm.rank else [1, 2]])

    with pytest.raises(fmi.MismatchError, match="disagree on count"):
        run(2, program)


def test_the_flat_algorithm_is_taken_whatever_is_forced():
    def program(comm):
        comm.Gatherv(np.full(comm.rank, 1.0), [np.empty(3), [0, 1, 2]] if comm.rank == 0 else None)
        return {(entry.operation, entry.algorithm) for entry in comm.ledger.entries}

    assert run(3, program, settings={"tune": {"gather": "binomial"}})[0] == {("gatherv", "flat")}
