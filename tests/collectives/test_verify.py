from __future__ import annotations

import dataclasses
import itertools
import pickle
import re

import pytest

from fmi_core.collectives import (
    Algorithm,
    Granularity,
    Local,
    Recv,
    ScheduleError,
    Send,
    Side,
    catalog,
    lookup,
    verify,
)
from fmi_core.collectives.topology import everyone, hypercube
from fmi_core.errors import ArgumentError, FmiError

ONE = range(1)
WHOLE = {"bcast", "reduce", "allreduce", "scan", "exscan"}


def scripted(collective, *ranks, links=everyone, **changes):
    """An algorithm of which every rank's rounds are written down."""
    granularity = Granularity.WHOLE if collective in WHOLE else Granularity.BLOCKS
    if collective == "barrier":
        granularity = Granularity.NONE
    return Algorithm(
        collective=collective,
        name="scripted",
        schedule=lambda rank, size, root, blocks: iter(ranks[rank]),
        links=links,
        granularity=granularity,
        **changes,
    )


def refused(algorithm, size, text, **arguments):
    with pytest.raises(ScheduleError, match=re.escape(text)) as caught:
        verify(algorithm, size, **arguments)
    return caught.value


def give(peer, *blocks):
    return Send((peer,), blocks)


def take(peer, *blocks, fold=None):
    return Recv(peer, blocks, fold)


# A right schedule to start from: allreduce of two ranks by one exchange.
LOWER = [(give(1, 0), take(1, 0, fold=Side.RIGHT))]
UPPER = [(give(0, 0), take(0, 0, fold=Side.LEFT))]


def test_a_right_schedule_is_proved_and_its_traffic_counted():
    assert verify(scripted("allreduce", LOWER, UPPER), 2) == (2, 2, 2, 1)


def test_the_error_says_which_run_which_rank_and_which_round():
    error = refused(
        scripted("bcast", [(Send((1,), ONE),)], [(Recv(0, range(3, 4)),)]),
        2,
        "bcast/scripted, size 2, root 0, 1 data blocks, buffered delivery: rank 1, round 1, names block 3; "
        "it has 0..0, scratch included",
    )
    assert (error.rank, error.round) == (1, 1)
    assert isinstance(error, FmiError)
    assert isinstance(error, AssertionError)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.rank, copy.round) == (str(error), 1, 1)


# ---------------------------------------------------------------------------------- results and order


def test_wrong_result():
    error = refused(
        scripted("allreduce", [*LOWER, (Local(0, 0, Side.LEFT),)], UPPER),
        2,
        "rank 0 ends with block 0 = 0.0 ⊕ 1.0 ⊕ 0.0 ⊕ 1.0, not 0.0 ⊕ 1.0",
    )
    assert (error.rank, error.round) == (None, None)


def test_wrong_side():
    wrong = [(give(1, 0), take(1, 0, fold=Side.LEFT))]
    refused(
        scripted("allreduce", wrong, UPPER),
        2,
        "rank 0 ends with block 0 = 1.0 ⊕ 0.0, not 0.0 ⊕ 1.0: right contributions in the wrong order",
    )


def test_wrong_order_is_right_for_commutative_operators_as_long_as_all_ranks_agree():
    lower, upper = (
        [(give(1, 0), take(1, 0, fold=Side.LEFT))],
        [(give(0, 0), take(0, 0, fold=Side.RIGHT))],
    )
    refused(scripted("allreduce", lower, upper), 2, "in the wrong order")
    verify(scripted("allreduce", lower, upper, commutative_only=True), 2)


def test_commutative_or_not_every_contribution_counts_once():
    twice = [*LOWER, (Local(0, 0, Side.LEFT),)]
    refused(scripted("allreduce", twice, UPPER, commutative_only=True), 2, "0.0 ⊕ 0.0 ⊕ 1.0 ⊕ 1.0, not 0.0 ⊕ 1.0")


def test_another_tree_on_another_rank():
    def everyone_folds_from_itself(rank, size, root, blocks):
        others = tuple(peer for peer in range(size) if peer != rank)
        lower = (take(peer, 0, fold=Side.LEFT) for peer in reversed(range(rank)))
        upper = (take(peer, 0, fold=Side.RIGHT) for peer in range(rank + 1, size))
        yield Send(others, (0,)), *lower, *upper

    algorithm = dataclasses.replace(scripted("allreduce"), schedule=everyone_folds_from_itself)
    verify(algorithm, 2)
    refused(
        algorithm,
        3,
        "rank 2 folds block 0 in another tree than rank 0: (0.0 ⊕ (1.0 ⊕ 2.0)), not ((0.0 ⊕ 1.0) ⊕ 2.0)",
    )
    refused(algorithm, 9, "not ((((((… ⊕ 3.0) ⊕ 4.0) ⊕ 5.0) ⊕ 6.0) ⊕ 7.0) ⊕ 8.0)")


def test_missing_result():
    refused(scripted("bcast", [], []), 2, "rank 1 ends without block 0, which should be 0.0")


def test_the_wrong_block():
    algorithm = scripted("scatter", [(give(1, 0),)], [(take(0, 1),)], uniform_blocks=True)
    refused(algorithm, 2, "rank 1 ends with block 1 = 0.0, not 0.1")


def test_folds_apply_as_listed_whichever_message_came_first():
    # Rank 1 hears from rank 2 before it gives anything to rank 0, so that rank 2's message is there first.
    root = [(take(1, 0, fold=Side.RIGHT), take(2, 0, fold=Side.RIGHT))]
    one = [
        (
            take(
                2,
            ),
        ),
        (give(0, 0),),
    ]
    two = [(give(0, 0), give(1))]
    verify(scripted("reduce", root, one, two), 3)
    root = [(take(2, 0, fold=Side.RIGHT), take(1, 0, fold=Side.RIGHT))]
    refused(scripted("reduce", root, one, two), 3, "0.0 ⊕ 2.0 ⊕ 1.0, not 0.0 ⊕ 1.0 ⊕ 2.0")


def test_a_send_gives_what_was_there_when_the_round_began():
    swap = scripted(
        "bcast",
        [(give(1, 0), Local(0, 0, Side.LEFT)), (take(1, 0),)],
        [(take(0, 0),), (give(0, 0),)],
    )
    verify(swap, 2)


# -------------------------------------------------------------------------------- deadlocks, messages


def test_each_waits_for_the_other_to_send():
    refused(
        scripted("barrier", [(take(1),), (give(1),)], [(take(0),), (give(0),)]),
        2,
        "buffered delivery: deadlock: rank 0, round 1, waits for rank 1 to send; rank 1, round 1, waits for "
        "rank 0 to send; ranks that have ended: none",
    )


def test_each_waits_for_the_other_to_take():
    refused(
        scripted("barrier", [(give(1),), (take(1),)], [(give(0),), (take(0),)]),
        2,
        "synchronous delivery: deadlock: rank 0, round 1, waits for rank 1 to take; rank 1, round 1, waits "
        "for rank 0 to take; ranks that have ended: none",
    )


def test_a_missing_send():
    refused(
        scripted("bcast", [], [(take(0, 0),)]),
        2,
        "rank 1, round 1, waits for rank 0 to send; ranks that have ended: 0",
    )


def test_a_missing_receive():
    algorithm = scripted("bcast", [(give(1, 0),), (give(1, 0),)], [(take(0, 0),)])
    refused(algorithm, 2, "unread: rank 0 sent rank 1 1 message(s) that it never takes")


def test_a_message_for_another():
    algorithm = scripted("bcast", [(give(2, 0),)], [(take(0, 0),)], [(take(0, 0),)])
    refused(algorithm, 3, "rank 1, round 1, waits for rank 0 to send")


def test_a_message_that_does_not_fit():
    algorithm = scripted("gather", [(take(1, 0, 1),)], [(give(0, 1),)])
    refused(algorithm, 2, "rank 0, round 1, expects 2 blocks from rank 1, which sends 1")


def test_blocks_that_may_differ_in_size():
    algorithm = scripted("gather", [(take(1, 0),)], [(give(0, 1),)])
    refused(algorithm, 2, "rank 0, round 1, takes block 1 of rank 1 as its block 0, which may differ in size")


def test_messages_between_two_ranks_keep_their_order():
    one = [(give(1, 0),), (give(1, 1),)]
    verify(scripted("bcast", one, [(take(0, 0), take(0, 1))]), 2, blocks=2)
    refused(scripted("bcast", one, [(take(0, 1), take(0, 0))]), 2, "may differ in size", blocks=2)


def test_an_endless_schedule_is_stopped():
    algorithm = dataclasses.replace(
        scripted("bcast"), schedule=lambda rank, size, root, blocks: itertools.repeat((Local(0, 0),))
    )
    refused(algorithm, 1, "rank 0, round 97, is one too many: no schedule should take 96 rounds")


def test_a_barrier_that_lets_a_rank_go_early():
    algorithm = scripted("barrier", [(give(1),)], [(take(0), give(2))], [(take(1),)])
    refused(algorithm, 3, "rank 0 leaves the barrier without knowing that these came: 1, 2")


def test_what_is_told_in_a_round_was_known_before_it():
    algorithm = scripted("barrier", [(give(1), take(1))], [(take(0), give(0), give(2), take(2))], [(give(1), take(1))])
    refused(algorithm, 3, "rank 0 leaves the barrier without knowing that these came: 2")


# ---------------------------------------------------------------------------------------------- links


def nobody(rank, size, root):
    return frozenset()


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (
            [(give(1, 0),)],
            [(take(0, 0),)],
            "rank 0, round 1, sends to rank 1 over a link that it did not declare",
        ),
        ([], [(take(0, 0),)], "rank 1, round 1, receives from rank 0 over a link that it did not declare"),
    ],
)
def test_a_link_that_was_not_declared(lower, upper, text):
    refused(scripted("bcast", lower, upper, links=nobody), 2, text)


def test_a_link_with_one_end():
    one_end = scripted("bcast", [], [], links=lambda rank, size, root: frozenset((1,)) if rank == 0 else frozenset())
    refused(one_end, 2, "rank 0 declares a link to rank 1, but 1 none to 0")


@pytest.mark.parametrize("peer", [0, 2, -1])
def test_a_link_to_nowhere(peer):
    algorithm = scripted("bcast", [], [], links=lambda rank, size, root: frozenset((peer,)))
    refused(algorithm, 2, f"rank 0 declares a link to rank {peer}, which it cannot have")


@pytest.mark.parametrize("peer", [0, 2, -1])
def test_a_peer_that_is_no_other_rank(peer):
    text = f"rank {peer}; another rank of 0..1 is needed"
    refused(scripted("bcast", [(give(peer, 0),)], []), 2, f"sends to {text}")
    refused(scripted("bcast", [(take(peer, 0),)], []), 2, f"receives from {text}")


@pytest.mark.parametrize("peers", [(), (1, 1)])
def test_peers_of_a_send_are_named_once(peers):
    refused(
        scripted("bcast", [(Send(peers, ONE),)], []),
        2,
        f"sends to peers {peers}: each once, and at least one",
    )


# --------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("step", [give(1, -1), give(1, 1), take(1, 1), Local(1, 0), Local(0, 1), Local(0, -1)])
def test_a_block_out_of_range(step):
    refused(scripted("bcast", [(step,)], []), 2, "it has 0..0, scratch included")


def test_a_barrier_has_no_blocks():
    refused(scripted("barrier", [(give(1, 0),)], []), 2, "names block 0; it has none, scratch included")


def test_scratch_must_be_declared():
    ranks = [(Local(1, 0),)], [(take(0, 0),)]
    refused(scripted("bcast", *ranks), 2, "names block 1")
    deadlocked = scripted("bcast", *ranks, scratch=lambda size, blocks: blocks)
    refused(deadlocked, 2, "rank 1, round 1, waits for rank 0 to send")


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (give(0, 0), "sends block 0, which is undefined there"),
        (take(0, 0, fold=Side.LEFT), "folds into block 0, which is undefined there"),
        (take(0, 0, fold=Side.RIGHT), "folds into block 0, which is undefined there"),
        (Local(1, 0), "works on block 0, which is undefined there"),
    ],
)
def test_a_block_that_is_undefined(step, text):
    algorithm = scripted("bcast", [(give(1, 0),)], [(step,)], scratch=lambda size, blocks: 1)
    assert refused(algorithm, 2, text).rank == 1


def test_a_block_that_is_stored_and_sent_in_one_round():
    algorithm = scripted("bcast", [(give(1, 0), take(1, 0))], [(take(0, 0),), (give(0, 0),)])
    refused(algorithm, 2, "rank 0, round 1, stores into block 0 and sends it in the same round")


@pytest.mark.parametrize("fold", [None, Side.LEFT])
def test_a_block_that_is_stored_and_received_again_in_one_round(fold):
    algorithm = scripted("bcast", [(give(1, 0),), (give(1, 0),)], [(take(0, 0), take(0, 0, fold=fold))])
    refused(algorithm, 2, "rank 1, round 1, stores into block 0 and receives it again in the same round")


@pytest.mark.parametrize("step", [take(1, 1), take(1, 0, fold=Side.LEFT), Local(0, 1)])
def test_alltoall_must_not_write_what_is_to_be_sent(step):
    block = step.dst if isinstance(step, Local) else step.blocks[0]
    algorithm = scripted("alltoall", [(step,)], [])
    refused(algorithm, 2, f"writes block {block}, which is the caller's own and only to be sent")


# ------------------------------------------------------------------------------------------ arguments


def test_sizes_and_roots_that_do_not_exist():
    with pytest.raises(ArgumentError, match="allgather/recursive_doubling cannot be proved for 6 ranks: it needs"):
        verify(lookup("allgather", "recursive_doubling"), 6)
    with pytest.raises(ArgumentError, match="size is 0"):
        verify(lookup("bcast", "flat"), 0)
    with pytest.raises(ArgumentError, match=r"root is 3; bcast over 3 ranks can have roots 0\.\.2"):
        verify(lookup("bcast", "flat"), 3, 3)
    with pytest.raises(ArgumentError, match=r"root is 1; scan over 3 ranks can have roots 0\.\.0"):
        verify(lookup("scan", "flat"), 3, 1)


# ----------------------------------------------------------- every algorithm with one step of it broken


def spoil(step):
    """The ways in which one step can go wrong, each enough to spoil any algorithm."""
    yield "lost", ()
    if isinstance(step, Send):
        yield "sent twice", (step, step)
        if step.blocks:
            yield "a block less", (step._replace(blocks=step.blocks[1:]),)
    elif isinstance(step, Recv):
        yield "awaited twice", (step, step)
        if step.fold is not None:
            yield "stored, not folded", (step._replace(fold=None),)
            yield "other side", (step._replace(fold=Side.LEFT if step.fold is Side.RIGHT else Side.RIGHT),)
    elif step.fold is not None:
        yield "copied, not folded", (step._replace(fold=None),)


def mutants(algorithm, size, root):
    """Every schedule that differs from ``algorithm`` in one step of one rank."""
    for broken in range(size):
        rounds = list(algorithm.schedule(broken, size, root, algorithm.blocks(size, 2)))
        for number, round_ in enumerate(rounds):
            for place, step in enumerate(round_):
                for what, steps in spoil(step):
                    if what == "other side" and algorithm.commutative_only:
                        continue
                    spoiled = (*round_[:place], *steps, *round_[place + 1 :])
                    yield what, broken, [*rounds[:number], spoiled, *rounds[number + 1 :]]


@pytest.mark.parametrize(
    "algorithm",
    [one for algorithms in catalog().values() for one in algorithms],
    ids=lambda one: f"{one.collective}-{one.name}",
)
def test_no_algorithm_survives_one_broken_step(algorithm):
    size = 4 if algorithm.power_of_two else 5
    root = 2 if algorithm.collective in {"bcast", "scatter", "gather", "reduce"} else 0
    count = 0
    for what, broken, rounds in mutants(algorithm, size, root):

        def schedule(rank, *rest, broken=broken, rounds=rounds):
            return iter(rounds) if rank == broken else algorithm.schedule(rank, *rest)

        mutant = dataclasses.replace(algorithm, schedule=schedule)
        try:
            verify(mutant, size, root, algorithm.blocks(size, 2))
        except ScheduleError:
            count += 1
        else:
            pytest.fail(f"rank {broken}: {what} went unnoticed in {rounds}")
    assert count >= 2 * (size - 1)


def test_declaring_fewer_links_is_noticed():
    algorithm = dataclasses.replace(lookup("alltoall", "flat"), links=hypercube)
    refused(algorithm, 4, "over a link that it did not declare")
