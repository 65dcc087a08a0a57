"""Groups: ordered sets of ranks, from which communicators are made."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

from fmi_core.communicator.status import PROC_NULL, UNDEFINED
from fmi_core.errors import ArgumentError

__all__ = ["CONGRUENT", "GROUP_EMPTY", "IDENT", "SIMILAR", "UNEQUAL", "Group", "compare"]

IDENT = 0
"""The same."""
CONGRUENT = 1
"""The same members in the same order, but another communicator."""
SIMILAR = 2
"""The same members in another order."""
UNEQUAL = 3
"""Other members."""


def compare(one: Sequence[int], other: Sequence[int]) -> int:
    """How two sequences of members compare: :data:`IDENT`, :data:`SIMILAR` or :data:`UNEQUAL`."""
    if list(one) == list(other):
        return IDENT
    return SIMILAR if sorted(one) == sorted(other) else UNEQUAL


class Group:
    """An ordered set of ranks of the job, without a way to talk to them.

    Args:
        members: ranks of the job, by rank of the group.
        me: this rank of the job; ``None``: unknown.
    """

    __slots__ = ("_me", "members")

    def __init__(self, members: Sequence[int] = (), me: int | None = None) -> None:
        self.members = tuple(members)
        self._me = me

    @property
    def size(self) -> int:
        """How many members it has."""
        return len(self.members)

    @property
    def rank(self) -> int:
        """This rank's number in the group; :data:`UNDEFINED` if it is no member."""
        return self.members.index(self._me) if self._me in self.members else UNDEFINED

    def Get_size(self) -> int:
        """As :attr:`size`."""
        return self.size

    def Get_rank(self) -> int:
        """As :attr:`rank`."""
        return self.rank

    def Translate_ranks(self, ranks: Sequence[int] | None = None, group: Group | None = None) -> list[int]:
        """The numbers in ``group`` of this group's ``ranks`` (default: all); :data:`UNDEFINED` for those not in it.

        Without ``group``, ranks of the job.

        Raises:
            ArgumentError: one of ``ranks`` is no rank of this group.
        """
        wanted = range(self.size) if ranks is None else ranks
        members = [PROC_NULL if rank == PROC_NULL else self._member(rank) for rank in wanted]
        if group is None:
            return members
        index = {member: number for number, member in enumerate(group.members)}
        index[PROC_NULL] = PROC_NULL
        return [index.get(member, UNDEFINED) for member in members]

    def Compare(self, group: Group) -> int:
        """:data:`IDENT`, :data:`SIMILAR` (the same members in another order) or :data:`UNEQUAL`."""
        return compare(self.members, group.members)

    def Dup(self) -> Group:
        """Another group of the same members."""
        return self._of(self.members)

    def Incl(self, ranks: Sequence[int]) -> Group:
        """The group of ``ranks``, in their order."""
        return self._of([self._member(rank) for rank in self._distinct(ranks)])

    def Excl(self, ranks: Sequence[int]) -> Group:
        """The group of all but ``ranks``."""
        excluded = {self._member(rank) for rank in self._distinct(ranks)}
        return self._of([member for member in self.members if member not in excluded])

    def Range_incl(self, ranks: Sequence[tuple[int, int, int]]) -> Group:
        """As :meth:`Incl`, of the ranks in ranges ``(first, last, stride)``; ``last`` is included."""
        return self.Incl(list(_ranges(ranks)))

    def Range_excl(self, ranks: Sequence[tuple[int, int, int]]) -> Group:
        """As :meth:`Excl`, of the ranks in ranges ``(first, last, stride)``; ``last`` is included."""
        return self.Excl(list(_ranges(ranks)))

    @classmethod
    def Union(cls, group1: Group, group2: Group) -> Group:
        """All members of ``group1``, then those of ``group2`` that are not in it."""
        return group1._of([*group1.members, *(m for m in group2.members if m not in group1.members)], group2)

    @classmethod
    def Intersection(cls, group1: Group, group2: Group) -> Group:
        """The members of ``group1`` that are in ``group2``."""
        return group1._of([m for m in group1.members if m in group2.members], group2)

    Intersect = Intersection

    @classmethod
    def Difference(cls, group1: Group, group2: Group) -> Group:
        """The members of ``group1`` that are not in ``group2``."""
        return group1._of([m for m in group1.members if m not in group2.members], group2)

    def Free(self) -> None:
        """Nothing to do: memory is Python's."""

    def _of(self, members: Sequence[int], other: Group | None = None) -> Group:
        me = self._me
        if me is None and other is not None:
            me = other._me  # noqa: SLF001  # of the same class
        return Group(members, me)

    def _member(self, rank: int) -> int:
        number = operator.index(rank)
        if not 0 <= number < self.size:
            raise ArgumentError(
                f"{rank!r} is no rank of a group of {self.size}; expected 0 to {self.size - 1}",
                argument="ranks",
                value=rank,
            )
        return self.members[number]

    @staticmethod
    def _distinct(ranks: Sequence[int]) -> Sequence[int]:
        if len(set(ranks)) != len(ranks):
            raise ArgumentError(f"ranks is {list(ranks)}; expected each rank once", argument="ranks", value=ranks)
        return ranks

    def __eq__(self, other: object) -> bool:
        return self.members == other.members if isinstance(other, Group) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.members)

    def __repr__(self) -> str:
        return f"<fmi group of {self.size}: {', '.join(map(str, self.members))}>"


def _ranges(ranges: Iterable[Sequence[int]]) -> Iterable[int]:
    for first, last, stride in ranges:
        if not stride:
            raise ArgumentError(f"a range has stride {stride}; expected another than 0", argument="ranks", value=stride)
        yield from range(first, last + (1 if stride > 0 else -1), stride)


GROUP_EMPTY = Group()
"""The group without members."""
