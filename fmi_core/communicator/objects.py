"""Collectives on Python objects: the lower-case methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.communicator.base import CommunicatorBase, Plan
from fmi_core.engine.blocks import ObjectBlocks
from fmi_core.errors import ArgumentError
from fmi_core.ops import SUM, Op, as_op
from fmi_core.selection.select import Choice

__all__ = ["ObjectCollectives"]

_OBJECT = "object"


class ObjectCollectives(CommunicatorBase):
    """Collectives that move any picklable object; all ranks must call them in the same order.

    All of them raise :class:`~fmi_core.errors.MismatchError` when ranks disagree,
    :class:`~fmi_core.errors.PeerLostError` when a rank is gone, and
    :class:`~fmi_core.errors.DeadlineExceeded` after :attr:`timeout_s` seconds.
    """

    def barrier(self) -> None:
        """Return once every rank has called this."""
        self._run(self._plan_barrier())

    def bcast(self, obj: Any = None, root: int = 0) -> Any:
        """Rank ``root``'s ``obj``, on every rank."""
        return self._run(self._plan_bcast(obj, root))

    def scatter(self, sendobj: Sequence[Any] | None = None, root: int = 0) -> Any:
        """Item ``rank`` of the sequence ``sendobj`` of rank ``root``, which has one item per rank."""
        return self._run(self._plan_scatter(sendobj, root))

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """On rank ``root`` the list of all ranks' ``sendobj``, by rank; ``None`` on the others."""
        gathered: list[Any] | None = self._run(self._plan_gather(sendobj, root))
        return gathered

    def allgather(self, sendobj: Any) -> list[Any]:
        """The list of all ranks' ``sendobj``, by rank."""
        gathered: list[Any] = self._run(self._plan_allgather(sendobj))
        return gathered

    def alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """Item ``rank`` of every rank's ``sendobj``, by rank; ``sendobj`` has one item per rank."""
        received: list[Any] = self._run(self._plan_alltoall(sendobj))
        return received

    def reduce(self, sendobj: Any, op: Op | Callable[[Any, Any], Any] = SUM, root: int = 0) -> Any:
        """On rank ``root`` the fold of all ranks' ``sendobj`` in rank order; ``None`` on the others."""
        return self._run(self._plan_fold("reduce", sendobj, op, root))

    def allreduce(self, sendobj: Any, op: Op | Callable[[Any, Any], Any] = SUM) -> Any:
        """The fold of all ranks' ``sendobj`` in rank order, on every rank."""
        return self._run(self._plan_fold("allreduce", sendobj, op))

    def scan(self, sendobj: Any, op: Op | Callable[[Any, Any], Any] = SUM) -> Any:
        """The fold of the ``sendobj`` of ranks 0 … this one."""
        return self._run(self._plan_fold("scan", sendobj, op))

    def exscan(self, sendobj: Any, op: Op | Callable[[Any, Any], Any] = SUM) -> Any:
        """The fold of the ``sendobj`` of all ranks below this one; ``None`` on rank 0."""
        return self._run(self._plan_fold("exscan", sendobj, op))

    def reduce_scatter(self, sendobj: Sequence[Any], op: Op | Callable[[Any, Any], Any] = SUM) -> Any:
        """The fold, in rank order, of item ``rank`` of every rank's ``sendobj``."""
        return self._run(self._plan_reduce_scatter_objects(sendobj, op))

    # --- plans ------------------------------------------------------------------------------------

    def _plan_bcast(self, obj: Any, root: int) -> Plan:
        here = self.rank == self._check_rank(root, "root")
        space = ObjectBlocks({0: obj} if here else {})
        result = (lambda: obj) if here else (lambda: space.value(0))
        return Plan("bcast", self._choose("bcast"), space, result, root=root, dtype=_OBJECT)

    def _plan_scatter(self, sendobj: Sequence[Any] | None, root: int) -> Plan:
        here = self.rank == self._check_rank(root, "root")
        items = self._one_per_rank(sendobj, "sendobj") if here else []
        space = ObjectBlocks(dict(enumerate(items)))
        choice = self._choose("scatter")
        rank = self.rank
        return Plan("scatter", choice, space, lambda: space.value(rank), root=root, dtype=_OBJECT)

    def _plan_gather(self, sendobj: Any, root: int) -> Plan:
        here = self.rank == self._check_rank(root, "root")
        space = ObjectBlocks({self.rank: sendobj})
        size = self.size
        result = (lambda: [space.value(block) for block in range(size)]) if here else (lambda: None)
        return Plan("gather", self._choose("gather"), space, result, root=root, dtype=_OBJECT)

    def _plan_allgather(self, sendobj: Any) -> Plan:
        space = ObjectBlocks({self.rank: sendobj})
        size = self.size
        choice = self._choose("allgather")
        return Plan("allgather", choice, space, lambda: [space.value(block) for block in range(size)], dtype=_OBJECT)

    def _plan_alltoall(self, sendobj: Sequence[Any]) -> Plan:
        space = ObjectBlocks(dict(enumerate(self._one_per_rank(sendobj, "sendobj"))))
        size = self.size
        choice = self._choose("alltoall")
        return Plan(
            "alltoall", choice, space, lambda: [space.value(size + rank) for rank in range(size)], dtype=_OBJECT
        )

    def _plan_fold(self, collective: str, sendobj: Any, op: Op | Callable[[Any, Any], Any], root: int = -1) -> Plan:
        operator = as_op(op)
        nothing = (
            self.rank != self._check_rank(root, "root")
            if collective == "reduce"
            else collective == "exscan" and self.rank == 0
        )
        space = ObjectBlocks({0: sendobj}, operator)
        result = (lambda: None) if nothing else (lambda: space.value(0))
        choice = self._choose(collective)
        return Plan(collective, choice, space, result, root=root, dtype=_OBJECT, op=operator)

    def _plan_reduce_scatter_objects(self, sendobj: Sequence[Any], op: Op | Callable[[Any, Any], Any]) -> Plan:
        operator = as_op(op)
        items = self._one_per_rank(sendobj, "sendobj")
        space = ObjectBlocks(dict(enumerate(items)), operator)
        choice = self._choose("reduce_scatter")
        rank = self.rank
        return Plan("reduce_scatter", choice, space, lambda: space.value(rank), dtype=_OBJECT, op=operator)

    # --- inside -----------------------------------------------------------------------------------

    def _choose(self, collective: str) -> Choice:
        # Rank order is kept whatever the operator says: SUM joins strings and lists too.
        return self._selector.choose(collective, None, commutative=False, splittable=False)

    def _one_per_rank(self, items: Sequence[Any] | None, argument: str) -> list[Any]:
        try:
            listed = list(items)  # type: ignore[arg-type]  # this is the check
        except TypeError:
            listed = None
        if listed is None or len(listed) != self.size:
            found = type(items).__name__ if listed is None else f"{len(listed)} items"
            raise ArgumentError(
                f"{argument} is {found}; expected a sequence of {self.size} items, one for each rank",
                argument=argument,
                value=items,
            )
        return listed
