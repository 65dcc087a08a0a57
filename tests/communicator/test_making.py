"""Communicators made of communicators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.communicator.group import CONGRUENT, GROUP_EMPTY, IDENT, SIMILAR, UNEQUAL, Group
from fmi_core.communicator.making import COMM_TYPE_HWTHREAD, COMM_TYPE_SHARED
from fmi_core.communicator.null import COMM_NULL
from fmi_core.engine.agreement import Agreement
from fmi_core.testing import outcomes, run

CHANNELS = ["memory", "tcp"]


@pytest.mark.parametrize("make", ["Dup", "dup", "Clone", "with_info"])
def test_a_copy_has_the_same_ranks_and_its_own_messages(make):
    def program(comm):
        copy = comm.Dup_with_info(None) if make == "with_info" else getattr(comm, make)()
        other = 1 - comm.rank
        comm.send("world", other, 1)
        copy.send("copy", other, 1)
        got = copy.recv(source=other, tag=1), comm.recv(source=fmi.ANY_SOURCE)
        return got, (copy.rank, copy.size), comm.Compare(copy), copy == comm

    assert run(2, program) == [((("copy", "world")), (rank, 2), CONGRUENT, False) for rank in range(2)]


@pytest.mark.parametrize("channel", CHANNELS)
def test_split_by_color_and_key(channel):
    def program(comm):
        sub = comm.Split(comm.rank % 2, -comm.rank)
        again = sub.split()
        none = comm.Split(fmi.UNDEFINED)
        return sub.allgather(comm.rank), sub.rank, again.allgather(sub.rank), none == COMM_NULL

    evens, odds = [4, 2, 0], [3, 1]
    assert run(5, program, channel=channel) == [
        (odds if rank % 2 else evens, (odds if rank % 2 else evens).index(rank), [0, 1, 2][: 2 + (rank % 2 == 0)], True)
        for rank in range(5)
    ]


def test_traffic_of_communicators_never_meets():
    def program(comm):
        comms = [comm, comm.Dup(), comm.Split(0, -comm.rank), comm.Split(comm.rank // 2)]
        comms += [comms[3].Dup(), comms[2].Dup()]
        requests = [c.iallgather((number, c.rank)) for number, c in enumerate(comms)]
        for number, c in enumerate(comms):
            c.send(number, (c.rank + 1) % c.size)
        values = [c.recv(source=fmi.ANY_SOURCE) for c in reversed(comms)][::-1]
        gathered = [request.wait() for request in reversed(requests)][::-1]
        assert gathered == [[(number, rank) for rank in range(c.size)] for number, c in enumerate(comms)]
        return values

    assert run(4, program) == [list(range(6))] * 4


@pytest.mark.parametrize("channel", CHANNELS)
def test_split_type_by_host(channel):
    def program(comm):
        node = comm.Split_type(COMM_TYPE_SHARED, -comm.rank)
        assert comm.Split_type(fmi.UNDEFINED) == COMM_NULL
        with pytest.raises(fmi.UnsupportedError, match="use Split"):
            comm.Split_type(COMM_TYPE_HWTHREAD)
        return node.allgather(comm.rank)

    assert run(2, program, channel=channel) == [[1, 0]] * 2


def test_create_from_a_group():
    def program(comm):
        group = comm.Get_group().Incl([2, 0])
        sub = comm.Create(group)
        assert comm.Create(GROUP_EMPTY) == COMM_NULL
        return sub.allgather(comm.rank) if sub else None

    assert run(3, program) == [[2, 0], None, [2, 0]]


@pytest.mark.parametrize("channel", CHANNELS)
def test_create_group_is_called_by_the_group_only(channel):
    def program(comm):
        if comm.rank == 1:
            sub = comm.Create_group(comm.group.Incl([0]))  # not a member: nothing happens
            assert sub == COMM_NULL
            return None
        subs = [comm.Create_group(comm.group.Incl([3, 2, 0]), tag) for tag in (0, 0, 5)]
        requests = [sub.iallgather((number, comm.rank)) for number, sub in enumerate(subs)]
        return [request.wait() for request in reversed(requests)]

    wanted = [[(number, rank) for rank in (3, 2, 0)] for number in (2, 1, 0)]
    assert run(4, program, channel=channel) == [wanted, None, wanted, wanted]


def test_contexts_stay_apart_whoever_makes_communicators():
    """Ranks 0 and 1 make many of their own; one of all ranks must still be unlike any of them."""

    def program(comm):
        half = comm.Split(comm.rank // 2)
        mine = [half.Dup() for _ in range(5 if comm.rank < 2 else 1)]
        cross = comm.Split(comm.rank % 2)
        everyone = cross.Dup()
        contexts = [c._context for c in (comm, half, *mine, cross, everyone)]
        assert len(set(contexts)) == len(contexts)
        assert all(context % 4 == 0 for context in contexts)
        return everyone.allgather(comm.rank)

    assert run(4, program) == [[0, 2], [1, 3], [0, 2], [1, 3]]


def test_comparison_equality_and_truth():
    def program(comm):
        same, other, part = comm.Dup(), comm.Split(0, -comm.rank), comm.Split(comm.rank)
        relations = [comm.Compare(c) for c in (comm, same, other, part)]
        itself = comm
        assert (comm == itself, comm != same, comm != "x", bool(comm)) == (True, True, True, True)
        assert len({comm, same, comm}) == 2
        same.Free()
        assert not same
        assert same == COMM_NULL
        return relations

    assert run(2, program) == [[IDENT, CONGRUENT, SIMILAR, UNEQUAL]] * 2


def test_groups_names_and_kinds():
    def program(comm):
        assert isinstance(comm.Get_group(), Group)
        assert comm.group.rank == comm.rank
        comm.Set_name("mine")
        assert comm.Get_name() == "mine"
        assert comm.Dup().name == "mine.dup"
        assert (comm.Is_inter(), comm.Is_intra(), comm.is_inter, comm.is_intra) == (False, True, False, True)
        return comm.group.members

    assert run(2, program) == [(0, 1)] * 2


def test_a_freed_communicator_is_of_no_use_but_the_others_are():
    def program(comm):
        first, second, third = comm.Dup(), comm.Dup(), comm.Dup()
        request = first.iallreduce(1)
        first.Free()
        second.Disconnect()
        with third as inner:
            assert inner.allreduce(1) == 2
        third.close()
        for freed in (first, second, third):
            assert freed.closed
            with pytest.raises(fmi.ArgumentError, match="was freed"):
                freed.barrier()
        with pytest.raises(fmi.ArgumentError, match="world cannot be freed"):
            comm.Free()
        assert not comm.closed
        return request.wait(), comm.allreduce(1)

    assert run(2, program) == [(2, 2)] * 2


def test_closing_the_world_closes_all():
    def program(comm):
        sub, alone = comm.Dup(), comm.alone()
        comm.close()
        for closed in (sub, alone):
            assert closed.closed
            with pytest.raises(fmi.FmiError, match="is closed"):
                closed.barrier()
        return True

    assert run(2, program) == [True] * 2


def test_an_error_within_a_communicator_is_told_to_all():
    def program(comm):
        with comm.Split(comm.rank % 2) as sub:
            if comm.rank == 3:
                raise ZeroDivisionError
            sub.barrier()
            comm.barrier()

    ended = outcomes(4, program)
    assert isinstance(ended[3].error, ZeroDivisionError)
    assert all(isinstance(outcome.error, fmi.PeerLostError) for outcome in ended[:3])


def test_the_communicator_of_one_rank():
    def program(comm):
        alone = comm.alone()
        assert comm.Dup().alone() is alone
        alone.send("x", 0)
        sub = alone.Dup()
        return (alone.rank, alone.size, alone.recv(), sub.allgather(comm.rank), alone.Compare(sub))

    assert run(3, program) == [(0, 1, "x", [rank], CONGRUENT) for rank in range(3)]


def test_errors_name_ranks_of_the_communicator():
    def program(comm):
        sub = comm.Split(comm.rank // 2)
        if comm.rank < 2:
            return
        with pytest.raises(fmi.ArgumentError, match="dest is 2; expected a rank from 0 to 1"):
            sub.send(1, 2)
        status = fmi.Status()
        if sub.rank == 0:
            sub.send("x", 1)
        else:
            sub.recv(status=status)
            assert status.source == 0

    run(4, program)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda comm: comm.Split(-5), "color is -5"),
        (lambda comm: comm.Create(Group([0, 9])), r"ranks \[9\] of the job"),
        (lambda comm: comm.Create_group(Group([9])), r"ranks \[9\] of the job"),
    ],
)
def test_bad_arguments_are_refused(call, text):
    def program(comm):
        with pytest.raises(fmi.ArgumentError, match=text):
            call(comm)

    run(1, program)


def test_a_split_that_only_some_call_is_a_mismatch():
    def program(comm):
        if comm.rank:
            comm.Split(0)
        else:
            comm.allgather(0)

    with pytest.raises(fmi.MismatchError, match="split"):
        run(2, program)


def test_the_null_communicator():
    assert not COMM_NULL
    assert hash(COMM_NULL) == 0
    assert repr(COMM_NULL) == "fmi.COMM_NULL"
    assert pickle.loads(pickle.dumps(COMM_NULL)) is COMM_NULL
    for use in (lambda: COMM_NULL.rank, COMM_NULL.Get_size, COMM_NULL.Barrier):
        with pytest.raises(fmi.ArgumentError, match="COMM_NULL"):
            use()


def test_an_algorithm_that_is_forced_for_powers_of_two_is_not_forced_elsewhere():
    def program(comm):
        sub = comm.Split(0 if comm.rank < 3 else fmi.UNDEFINED)
        data = np.full(2, 1.0)
        got = np.empty(2 * comm.size)
        comm.Allgather(data, got)
        return sub.allgather(1) if sub else None

    tune = {"allgather": "recursive_doubling"}
    assert run(4, program, settings={"tune": tune})[0] == [1, 1, 1]


def test_the_ledger_and_the_time_out_are_shared():
    def program(comm):
        sub = comm.Dup()
        sub.timeout_s = 5
        sub.allreduce(1)
        return comm.timeout_s, sub.ledger is comm.ledger

    assert run(1, program) == [(5, True)]


def test_a_number_that_create_group_uses_twice_is_forgotten_once():
    agreement = Agreement(0)
    for _ in range(2):
        assert agreement.enter(7, 0, b"create_group") is None
    for number in range(5000):
        assert agreement.enter(5, number, b"barrier") is None
    assert not agreement.entered(7, 0)
