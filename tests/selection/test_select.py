"""The choice: forced, possible, fastest, and the same on all ranks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmi_core.channels.model import model_of
from fmi_core.collectives import COLLECTIVES, Granularity, catalog, lookup
from fmi_core.errors import ConfigError
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
