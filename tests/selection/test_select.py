"""The choice: forced, possible, fastest, and the same on all ranks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmi_core.channels.model import model_of
from fmi_core.collectives import COLLECTIVES, Granularity, catalog, lookup
from fmi_core.errors import ConfigError
from fmi_core.selection import select
from fmi_core.selection.price import seconds
from fmi_core.selection.select import Selector

TCP = model_of("tcp")


def selector(size=8, tune=None, cores=2):
    return Selector(size, TCP, cores, tune or {})


@pytest.mark.parametrize("record", COLLECTIVES, ids=lambda record: record.name)
@pytest.mark.parametrize("size", [1, 2, 3, 8, 13])
def test_the_choice_is_possible_and_nothing_else_is_faster(record, size):
    for nbytes in (0, 1 << 10, 1 << 20):
        choice = selector(size).choose(record.name, nbytes, commutative=False)
        assert choice.algorithm.why_not(size, commutative=False) is None
        chosen = seconds(choice.algorithm, size, choice.blocks, nbytes, TCP, min(2, size), 10**6)
        for other in catalog()[record.name]:
            if other.why_not(size, commutative=False) is None:
                assert chosen <= seconds(other, size, other.blocks(size), nbytes, TCP, min(2, size), 10**6)


def test_small_and_large_data_are_treated_differently():
    roomy = selector(cores=8)
    assert roomy.choose("allreduce", 8) != roomy.choose("allreduce", 1 << 26)
    assert roomy.choose("bcast", 8) != roomy.choose("bcast", 1 << 26)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["bcast", "allreduce", "scan"]), st.integers(0, 10**7)), max_size=6))
def test_a_choice_does_not_depend_on_what_was_chosen_before(calls):
    used = selector()
    for collective, nbytes in calls:
        assert used.choose(collective, nbytes) == selector().choose(collective, nbytes)
        assert used.choose(collective, nbytes) is used.choose(collective, nbytes)


def test_objects_are_never_cut_and_their_size_does_not_matter():
    for record in COLLECTIVES:
        choice = selector().choose(record.name, None, commutative=False, splittable=False)
        assert choice.algorithm.granularity not in (Granularity.SPLIT, Granularity.SEGMENTED)


def test_large_jobs_are_chosen_for_without_walking_every_message():
    assert selector(3000, cores=3000).choose("allreduce", 8).algorithm.name in ("recursive_doubling", "reduce_bcast")
    assert selector(3000).choose("alltoall", 8).algorithm in catalog()["alltoall"]


def test_what_is_forced_is_taken_with_its_segments():
    forced = selector(tune={"allreduce": "ring", "bcast": "chain/5", "reduce": "chain"})
    assert forced.choose("allreduce", 8).label == "ring"
    assert forced.choose("bcast", 10).label == "chain/5"
    assert forced.choose("reduce", 10).label == "chain/8"
    assert forced.choose("scan", 8) == selector().choose("scan", 8)


def test_what_is_forced_and_impossible_is_an_error_with_the_reason():
    with pytest.raises(ConfigError, match=r"no algorithm can be used for allreduce: ring: it folds .* change FMI_TUNE"):
        selector(tune={"allreduce": "ring"}).choose("allreduce", 8, commutative=False)


@pytest.mark.parametrize(
    ("tune", "text"),
    [
        ({"bcast": "pigeon"}, "bcast has no algorithm 'pigeon'"),
        ({"pigeon": "flat"}, "no collective 'pigeon'"),
        ({"bcast": "chain/x"}, "expected a number of segments after '/', such as chain/8"),
        ({"bcast": "chain/0"}, "expected a number of segments"),
    ],
)
def test_tuning_that_means_nothing_is_refused_at_once(tune, text):
    with pytest.raises(ConfigError, match=text):
        selector(tune=tune)


def test_labels_name_segments_where_they_were_chosen():
    choice = selector().choose("bcast", 1 << 26)
    assert choice.label.startswith(choice.algorithm.name)
    assert ("/" in choice.label) == (choice.algorithm.granularity is Granularity.SEGMENTED)
    assert lookup("bcast", choice.algorithm.name) is choice.algorithm


def test_a_selector_of_another_size_chooses_as_one_made_for_it():
    world = selector(16)
    assert world.resized(16) is world
    for size in (1, 4, 5):
        for collective in ("bcast", "allreduce", "alltoall"):
            assert world.resized(size).choose(collective, 5000) == selector(size).choose(collective, 5000)


def test_what_is_forced_stays_forced_in_other_sizes_unless_it_cannot_be_used_there():
    (name,) = [a.name for a in catalog()["allgather"] if a.power_of_two]
    world = selector(8, tune={"allgather": name, "allreduce": "ring"})
    assert world.choose("allgather", 10).label == name
    assert world.resized(4).choose("allgather", 10).label == name
    assert world.resized(6).choose("allgather", 10) == selector(6).choose("allgather", 10)
    assert [world.resized(size).choose("allreduce", 1).label for size in (4, 6)] == ["ring", "ring"]
    with pytest.raises(ConfigError, match="needs a power of two as the number of ranks, not 6") as caught:
        selector(6, tune={"allgather": name}).choose("allgather", 10)
    assert (caught.value.name, caught.value.value) == ("FMI_TUNE", "allgather")


def test_blocks_of_different_sizes_are_not_passed_through_each_other():
    for size in (4, 7, 16):
        for record in COLLECTIVES:
            assert not selector(size).choose(record.name, 8, commutative=False, uniform=False).algorithm.uniform_blocks


def test_an_operator_whose_order_matters_keeps_it():
    roomy = selector(13, cores=13)
    assert roomy.choose("allreduce", 1 << 26).algorithm.commutative_only
    assert not roomy.choose("allreduce", 1 << 26, commutative=False).algorithm.commutative_only


def test_objects_of_any_size_are_one_choice_that_was_forced_or_not():
    forced = selector(tune={"bcast": "chain"})
    assert forced.choose("bcast", 10).label == "chain/8"
    with pytest.raises(ConfigError, match="Python objects cannot be cut"):
        forced.choose("bcast", None, splittable=False)


def test_an_object_is_taken_for_one_of_a_kilobyte():
    used = selector()
    assert used.choose("bcast", None, splittable=False) is used.choose("bcast", 1024, splittable=False)


def test_sizes_up_to_a_power_of_two_are_one_choice():
    used = selector()
    assert used.choose("allreduce", 4097) is used.choose("allreduce", 8192)
    assert used.choose("allreduce", 0) is used.choose("allreduce", 0)
    assert len(used._known) == 2


def test_segments_are_never_smaller_than_is_worth_it():
    alone = Selector(64, TCP, 64, {})
    (chain,) = [a for a in catalog()["bcast"] if a.name == "chain"]
    assert list(alone._cuts(chain, 16 * 1024)) == [1]
    assert list(alone._cuts(chain, 32 * 1024)) == [1, 2]
    assert list(alone._cuts(chain, 100 * 1024)) == [1, 2, 4]
    assert list(alone._cuts(chain, 1 << 30)) == [1, 2, 4, 8, 16, 32]
    assert list(alone._cuts(lookup("allreduce", "ring"), 1 << 30)) == [64]


def test_with_no_time_known_the_first_that_is_possible_is_taken_and_any_time_is_better(monkeypatch):
    monkeypatch.setattr(select, "_BUDGET", -1)
    possible = [a for a in catalog()["allreduce"] if a.why_not(8, commutative=False) is None]
    assert selector().choose("allreduce", 8, commutative=False).algorithm is possible[0]
    monkeypatch.setattr(select, "_BUDGET", 14)  # 2 (p - 1) messages: what the trees and stars take
    assert selector().choose("allreduce", 8, commutative=False).algorithm.name in ("reduce_bcast", "flat")


def test_more_processors_than_ranks_are_no_help():
    assert Selector(4, TCP, 4, {}).choose("bcast", 1 << 20) == Selector(4, TCP, 1000, {}).choose("bcast", 1 << 20)
