"""Groups."""

from __future__ import annotations

import pytest

import fmi_core as fmi
from fmi_core.communicator.group import GROUP_EMPTY, IDENT, SIMILAR, UNEQUAL, Group

GROUP = Group([3, 1, 4, 8], me=4)


def test_size_and_rank():
    assert (GROUP.size, GROUP.Get_size()) == (4, 4)
    assert (GROUP.rank, GROUP.Get_rank()) == (2, 2)
    assert Group([1, 2], me=4).rank == fmi.UNDEFINED
    assert (GROUP_EMPTY.size, GROUP_EMPTY.rank) == (0, fmi.UNDEFINED)
    assert repr(GROUP) == "<fmi group of 4: 3, 1, 4, 8>"
    GROUP.Free()


def test_ranks_are_translated():
    other = Group([8, 3])
    assert GROUP.Translate_ranks([0, 1, 3, fmi.PROC_NULL], other) == [1, fmi.UNDEFINED, 0, fmi.PROC_NULL]
    assert Group.Translate_ranks(GROUP, None, other) == [1, fmi.UNDEFINED, fmi.UNDEFINED, 0]
    assert GROUP.Translate_ranks([1, 0]) == [1, 3]


def test_subsets():
    assert GROUP.Incl([3, 0]).members == (8, 3)
    assert GROUP.Incl([2]).rank == 0
    assert GROUP.Incl([]) == GROUP_EMPTY
    assert GROUP.Excl([1, 2]).members == (3, 8)
    assert GROUP.Range_incl([(0, 3, 2), (3, 1, -2)]).members == (3, 4, 8, 1)
    assert GROUP.Range_excl([(0, 2, 2)]).members == (1, 8)
    assert GROUP.Dup() == GROUP
    assert GROUP.Dup().rank == 2


def test_sets():
    other = Group([8, 5, 3], me=5)
    assert Group.Union(GROUP, other).members == (3, 1, 4, 8, 5)
    assert Group.Intersection(GROUP, other).members == (3, 8)
    assert Group.Intersect(GROUP, other).members == (3, 8)
    assert Group.Difference(GROUP, other).members == (1, 4)
    assert Group.Union(GROUP_EMPTY, other).rank == 1
    assert Group.Union(other, GROUP_EMPTY).rank == 1


def test_comparison():
    assert GROUP.Compare(Group([3, 1, 4, 8])) == IDENT
    assert GROUP.Compare(Group([8, 1, 4, 3])) == SIMILAR
    assert GROUP.Compare(Group([3, 1])) == UNEQUAL
    assert Group([3, 1, 4, 8]) == GROUP
    assert GROUP != GROUP_EMPTY
    assert GROUP != "something else"
    assert len({GROUP, Group([3, 1, 4, 8])}) == 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: GROUP.Incl([4]), "4 is no rank of a group of 4"),
        (lambda: GROUP.Excl([-1]), "-1 is no rank"),
        (lambda: GROUP.Incl([1, 1]), "expected each rank once"),
        (lambda: GROUP.Range_incl([(0, 3, 0)]), "stride 0"),
        (lambda: GROUP.Translate_ranks([9]), "9 is no rank"),
    ],
)
def test_bad_ranks_are_refused(call, text):
    with pytest.raises(fmi.ArgumentError, match=text):
        call()
