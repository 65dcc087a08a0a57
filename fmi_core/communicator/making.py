"""Making communicators of communicators, and comparing, naming and freeing them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from fmi_core.collectives import lookup
from fmi_core.communicator.base import CONTEXT_STEP, CommunicatorBase, Plan
from fmi_core.communicator.group import CONGRUENT, IDENT, Group, compare
from fmi_core.communicator.status import UNDEFINED
from fmi_core.engine.agreement import call_text
from fmi_core.engine.blocks import ObjectBlocks
from fmi_core.engine.task import CollectiveTask
from fmi_core.errors import ArgumentError, UnsupportedError
from fmi_core.ops import MAX
from fmi_core.selection.select import Choice

__all__ = ["COMM_TYPE_HWTHREAD", "COMM_TYPE_RESOURCE_GUIDED", "COMM_TYPE_SHARED", "Making"]

COMM_TYPE_SHARED = 1
"""For ``Split_type``: ranks on one host belong together."""
COMM_TYPE_HWTHREAD = 2
"""Not offered: the processor's parts are not visible to a function."""
COMM_TYPE_RESOURCE_GUIDED = 3
"""Not offered, as :data:`COMM_TYPE_HWTHREAD`."""

_MAKING = 3
"""Added to a communicator's context: that of ``Create_group``, which only some of its ranks call."""
_SELF = CONTEXT_STEP
"""The context of the communicator of one rank alone, on every rank: no message ever leaves it."""


class Making(CommunicatorBase):
    """The methods of a communicator that give other communicators, and groups.

    All ranks of the communicator must call them, as collectives; ``Create_group`` those of the group.
    """

    # --- new ones ---------------------------------------------------------------------------------

    def Dup(self, info: Any = None) -> Self:
        """A communicator of the same ranks, whose messages never meet this one's."""
        del info
        context = self._agree_on_context("dup")
        return self._copy(context)

    def Clone(self) -> Self:
        """As :meth:`Dup`."""
        return self.Dup()

    def dup(self) -> Self:
        """As :meth:`Dup`."""
        return self.Dup()

    def Dup_with_info(self, info: Any) -> Self:
        """As :meth:`Dup`; nothing is made of ``info``."""
        return self.Dup(info)

    def Split(self, color: int = 0, key: int = 0) -> Any:
        """The communicator of the ranks that gave the same ``color``, in order of ``key``, then of rank.

        Args:
            color: a whole number that is not negative; :data:`UNDEFINED`: this rank is in none.
            key: a whole number.

        Returns:
            The new communicator, or ``COMM_NULL``.
        """
        if color != UNDEFINED and color < 0:
            raise ArgumentError(
                f"color is {color!r}; expected a whole number that is not negative, or UNDEFINED",
                argument="color",
                value=color,
            )
        return self._split("split", None if color == UNDEFINED else int(color), int(key))

    def split(self, color: int = 0, key: int = 0) -> Any:
        """As :meth:`Split`."""
        return self.Split(color, key)

    def Split_type(self, split_type: int, key: int = 0, info: Any = None) -> Any:
        """The communicator of the ranks on this host (``split_type`` is :data:`COMM_TYPE_SHARED`).

        Raises:
            UnsupportedError: ``split_type`` is another one.
        """
        del info
        if split_type not in (COMM_TYPE_SHARED, UNDEFINED):
            raise UnsupportedError(
                f"split_type is {split_type!r}; only COMM_TYPE_SHARED is offered: use Split with a colour of your own",
                feature="Split_type",
            )
        from fmi_core.channels.address import host_identity

        return self._split("split_type", None if split_type == UNDEFINED else host_identity(), int(key))

    def Create(self, group: Group) -> Any:
        """The communicator of ``group``; ``COMM_NULL`` on the ranks that are not in it."""
        self._check_members(group)
        context = self._agree_on_context("create")
        return self._derive(group.members, context, "create")

    def Create_group(self, group: Group, tag: int = 0) -> Any:
        """As :meth:`Create`, called by the ranks of ``group`` only.

        Args:
            group: ranks of this communicator.
            tag: tells apart calls that several threads of control make at the same time.
        """
        self._check_open()
        self._check_members(group)
        if self._engine.rank not in group.members:
            from fmi_core.communicator.null import COMM_NULL

            return COMM_NULL
        began = time.perf_counter()
        size = group.size
        algorithm = lookup("allreduce", "reduce_bcast")
        space = ObjectBlocks({0: self._family.next_context}, MAX)
        task = CollectiveTask(
            self._engine,
            self._context | _MAKING,
            tag,
            call_text("create_group", -1, "", -1, "", ""),
            algorithm.schedule(group.rank, size, 0, algorithm.blocks(size)),
            space,
            group.members,
        )
        self._engine.wait(task)
        self._record(Plan("create_group", Choice(algorithm, 1), space, lambda: None), task, time.perf_counter() - began)
        context = int(space.value(0))
        self._family.next_context = context + CONTEXT_STEP
        return self._derive(group.members, context, "create_group")

    # --- about this one ---------------------------------------------------------------------------

    def Get_group(self) -> Group:
        """The group of its ranks."""
        self._check_open()
        return Group(self._ranks, self._engine.rank)

    @property
    def group(self) -> Group:
        """The group of its ranks."""
        return self.Get_group()

    def Compare(self, comm: Making) -> int:
        """:data:`IDENT`, :data:`CONGRUENT` (the same ranks), :data:`SIMILAR` (in another order) or :data:`UNEQUAL`."""
        if self == comm:
            return IDENT
        relation = compare(self._ranks, comm._ranks)
        return CONGRUENT if relation == IDENT else relation

    def Is_inter(self) -> bool:
        """Whether it joins two groups: never."""
        return False

    def Is_intra(self) -> bool:
        """Whether it is of one group: always."""
        return True

    @property
    def is_inter(self) -> bool:
        """As :meth:`Is_inter`."""
        return False

    @property
    def is_intra(self) -> bool:
        """As :meth:`Is_intra`."""
        return True

    def Get_name(self) -> str:
        """The communicator's name."""
        return self.name

    def Set_name(self, name: str) -> None:
        """Give the communicator a name, for people."""
        self.name = name

    def Free(self) -> None:
        """Let go of the communicator; operations under way go on. That of the whole job is closed, not freed.

        Raises:
            ArgumentError: it is that of the whole job.
        """
        if not self._derived:
            raise ArgumentError(f"communicator {self.name} cannot be freed; close it", argument="comm", value=self.name)
        self._freed = True

    def Disconnect(self) -> None:
        """As :meth:`Free`."""
        self.Free()

    def alone(self) -> Any:
        """The communicator of this rank alone, MPI's ``COMM_SELF``: always the same one."""
        family = self._family
        if family.alone is None:
            family.alone = self._new((self._engine.rank,), _SELF, "self")
        return family.alone

    def __eq__(self, other: object) -> bool:
        return self._handle == other._handle if isinstance(other, Making) else NotImplemented

    def __hash__(self) -> int:
        return hash((id(self._engine), self._context))

    def __bool__(self) -> bool:
        return self._handle is not None

    @property
    def _handle(self) -> tuple[int, int] | None:
        """What two equal communicators have in common; ``None``: nothing any more."""
        return None if self._freed else (id(self._engine), self._context)

    # --- inside -----------------------------------------------------------------------------------

    def _agree_on_context(self, call: str) -> int:
        """A context that is free on all ranks, for a communicator that is made by ``call``."""
        context = max(self._run(self._plan_gossip(call, self._family.next_context)))
        self._family.next_context = context + CONTEXT_STEP
        return int(context)

    def _split(self, call: str, color: int | str | None, key: int) -> Any:
        said = self._run(self._plan_gossip(call, (color, key, self._family.next_context)))
        context = max(free for _, _, free in said)
        self._family.next_context = context + CONTEXT_STEP
        mine = sorted((key, rank) for rank, (theirs, key, _) in enumerate(said) if theirs == color)
        return self._derive([] if color is None else [self._ranks[rank] for _, rank in mine], context, call)

    def _check_members(self, group: Group) -> None:
        strangers = [member for member in group.members if member not in self._index]
        if strangers:
            raise ArgumentError(
                f"group has ranks {strangers} of the job, which are not in communicator {self.name}",
                argument="group",
                value=group,
            )

    def _derive(self, ranks: Any, context: int, call: str) -> Any:
        """The communicator of ``ranks``; ``COMM_NULL`` if this rank is not among them."""
        if self._engine.rank not in ranks:
            from fmi_core.communicator.null import COMM_NULL

            return COMM_NULL
        return self._new(tuple(ranks), context, f"{self.name}.{call}")

    def _copy(self, context: int) -> Self:
        """One like this with another context."""
        made: Self = self._new(self._ranks, context, f"{self.name}.dup")
        return made

    def _new(self, ranks: Any, context: int, name: str) -> Any:
        from fmi_core.communicator.communicator import Communicator

        return Communicator(*self._share(ranks, context, name))

    def _share(self, ranks: Sequence[int], context: int, name: str) -> tuple[Any, ...]:
        """The arguments of a communicator that is made from this one."""
        selector = self._selector.resized(len(ranks))
        return self._engine, ranks, context, selector, self.ledger, name, self._family
