from __future__ import annotations

import dataclasses

import pytest

from fmi_core.collectives import COLLECTIVES, Algorithm, Granularity, collective
from fmi_core.collectives.algorithm import algorithm, register, registered
from fmi_core.collectives.topology import everyone
from fmi_core.errors import ArgumentError, ConfigError


def nothing(rank, size, root, blocks):
    return iter(())


def make(**changes):
    fields = {
        "collective": "allreduce",
        "name": "nothing",
        "schedule": nothing,
        "links": everyone,
        "granularity": Granularity.WHOLE,
    }
    return Algorithm(**{**fields, **changes})


def test_collectives_say_whether_they_have_a_root_and_an_operator():
    assert [one.name for one in COLLECTIVES if one.rooted] == ["bcast", "scatter", "gather", "reduce"]
    assert {one.name for one in COLLECTIVES if one.reduces} == {
        "reduce",
        "reduce_scatter",
        "allreduce",
        "scan",
        "exscan",
    }
    assert collective("alltoall").spans == 2


def test_an_unknown_collective_is_told_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no collective 'broadcast'; choose one of: barrier, bcast,") as caught:
        collective("broadcast")
    assert (caught.value.name, caught.value.value) == ("collective", "broadcast")
    with pytest.raises(ConfigError, match="broadcast"):
        make(collective="broadcast")


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        (Granularity.NONE, 0),
        (Granularity.WHOLE, 1),
        (Granularity.SPLIT, 6),
        (Granularity.SEGMENTED, 9),
        (Granularity.BLOCKS, 6),
    ],
)
def test_granularity_gives_the_number_of_data_blocks(granularity, expected):
    assert make(granularity=granularity).blocks(6, segments=9) == expected


def test_an_algorithm_may_split_the_data_in_its_own_way():
    assert make(granularity=Granularity.SPLIT, split=lambda size: 2 * size).blocks(6) == 12


@pytest.mark.parametrize(("size", "segments", "argument"), [(0, 1, "size"), (-1, 1, "size"), (1, 0, "segments")])
def test_sizes_below_one_are_refused(size, segments, argument):
    with pytest.raises(ArgumentError, match="at least 1 is needed") as caught:
        make().blocks(size, segments)
    assert caught.value.argument == argument


def test_space_is_the_operations_own_blocks_and_scratch():
    assert make().space(4, 3) == 3
    assert make(scratch=lambda size, blocks: size * blocks).space(4, 3) == 3 + 12
    assert make(collective="alltoall").space(4, 4) == 8
    assert make(collective="barrier").space(4, 0) == 0


def test_why_not_says_what_stands_in_the_way():
    assert make().why_not(7, commutative=False, splittable=False, uniform=False) is None
    limited = make(power_of_two=True, commutative_only=True, uniform_blocks=True, granularity=Granularity.SPLIT)
    assert limited.why_not(8) is None
    assert "power of two as the number of ranks, not 6" in limited.why_not(6)
    assert "not known to be commutative" in limited.why_not(8, commutative=False)
    assert "cannot be cut" in limited.why_not(8, splittable=False)
    assert "differ in size" in limited.why_not(8, uniform=False)


@pytest.mark.parametrize("granularity", Granularity)
def test_objects_cannot_be_cut(granularity):
    cuts = granularity in {Granularity.SPLIT, Granularity.SEGMENTED}
    assert (make(granularity=granularity).why_not(4, splittable=False) is not None) == cuts


def test_an_algorithm_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().name = "another"


def test_one_name_stands_for_one_algorithm():
    with pytest.raises(ConfigError, match="allreduce has an algorithm 'ring' already; give the new one another name"):
        register(make(name="ring"))


def test_the_decorator_refuses_a_taken_name_and_an_unknown_collective():
    def ring(rank, size, root, blocks):
        return iter(())

    known = registered("allreduce")
    with pytest.raises(ConfigError, match="already"):
        algorithm("allreduce", links=everyone, granularity=Granularity.WHOLE, source="")(ring)
    with pytest.raises(ConfigError, match="no collective 'all'"):
        algorithm("all", links=everyone, granularity=Granularity.WHOLE, source="")(ring)
    assert registered("allreduce") == known


def test_what_is_registered_is_a_copy():
    registered("allreduce").clear()
    assert "ring" in registered("allreduce")
