"""What every part of a communicator shares: who is in it, its checks, and how a collective is run."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fmi_core.communicator.ledger import Ledger
from fmi_core.communicator.requests import Request
from fmi_core.engine.agreement import call_text
from fmi_core.engine.blocks import BlockSpace, ObjectBlocks
from fmi_core.engine.progress import Engine, Pending
from fmi_core.engine.task import CollectiveTask
from fmi_core.errors import ArgumentError, FmiError
from fmi_core.ops import Op
from fmi_core.selection.select import Choice, Selector

__all__ = ["CONTEXT_STEP", "TAG_UB", "CommunicatorBase", "Family", "Plan"]

TAG_UB = 2**31 - 1
"""The largest tag."""
CONTEXT_STEP = 4
"""How far the contexts of two communicators are apart at least."""

T = TypeVar("T")


class Plan:
    """A collective that is about to run: how, on which data, and what it returns.

    ``exact`` is whether messages must fill the memory that is meant for them.
    """

    __slots__ = ("blocks", "choice", "collective", "count", "dtype", "exact", "op", "result", "root")

    def __init__(
        self,
        collective: str,
        choice: Choice,
        blocks: BlockSpace,
        result: Callable[[], Any],
        *,
        root: int = -1,
        dtype: str = "",
        count: int = -1,
        op: Op | None = None,
        exact: bool = True,
    ) -> None:
        self.collective = collective
        self.choice = choice
        self.blocks = blocks
        self.result = result
        self.root = root
        self.dtype = dtype
        self.count = count
        self.op = op
        self.exact = exact


class Family:
    """What the communicators of one job share: the one of all ranks, and the next free context.

    A context is a multiple of :data:`CONTEXT_STEP`: of the four numbers from there on, the first is for
    the program's own messages, the second for collectives, the third for what point-to-point calls say
    to each other, the fourth for making communicators of a few ranks. A new communicator's context is the
    highest that is free on any of its members, so it is free on all of them, and above all earlier ones.
    """

    def __init__(self) -> None:
        self.closed = False
        self.next_context = 2 * CONTEXT_STEP
        self.alone: Any = None
        """The communicator of this rank alone, once it was asked for."""


class CommunicatorBase:
    """The identity of a communicator and the machinery below its methods.

    Args:
        engine: this rank's engine.
        ranks: ranks of the job, by rank of the communicator.
        context: a multiple of :data:`CONTEXT_STEP`, the same on all its ranks and unlike any other
            communicator's of one of them.
        selector: chooses algorithms.
        ledger: where calls are counted.
        name: for people.
        family: what it shares with the communicator that it was made from; ``None``: it is the first.
    """

    def __init__(
        self,
        engine: Engine,
        ranks: Sequence[int],
        context: int,
        selector: Selector,
        ledger: Ledger,
        name: str,
        family: Family | None = None,
    ) -> None:
        self._engine = engine
        self._ranks = ranks
        self._index = {rank: index for index, rank in enumerate(ranks)}
        self._context = context
        self._selector = selector
        self._rank = self._index[engine.rank]
        self._others = [rank for rank in ranks if rank != engine.rank]
        self._collectives = 0
        self._synchronous = 0
        self._calls: dict[tuple[Any, ...], bytes] = {}
        self._freed = False
        self._derived = family is not None
        self._family = Family() if family is None else family
        self.ledger = ledger
        self.name = name

    @property
    def rank(self) -> int:
        """This rank's number in the communicator, 0 … :attr:`size` - 1."""
        return self._rank

    @property
    def size(self) -> int:
        """How many ranks the communicator has."""
        return len(self._ranks)

    @property
    def timeout_s(self) -> float:
        """How many seconds one wait may take; may be set."""
        return self._engine.timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        if not seconds > 0:
            raise ArgumentError(f"timeout_s is {seconds!r}; expected more than 0", argument="timeout_s", value=seconds)
        self._engine.timeout_s = seconds

    @property
    def channel(self) -> str:
        """The name of the channel that messages take."""
        return self._engine.transport.name

    def __repr__(self) -> str:
        return f"<fmi {self.name}: rank {self.rank} of {self.size} over {self.channel}>"

    # --- checks -----------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._freed:
            raise ArgumentError(f"communicator {self.name} was freed; use it before", argument="comm", value=self.name)
        if self._family.closed:
            raise FmiError(f"communicator {self.name} is closed; call fmi.init() and use it before it is closed")

    def _check_rank(self, rank: int, argument: str) -> int:
        """``rank`` if it is one of this communicator's."""
        try:
            number = operator.index(rank)
        except TypeError:
            number = -1
        if not 0 <= number < self.size or isinstance(rank, bool):
            raise ArgumentError(
                f"{argument} is {rank!r}; expected a rank from 0 to {self.size - 1}", argument=argument, value=rank
            )
        return number

    # --- collectives ------------------------------------------------------------------------------

    def _start(self, plan: Plan) -> CollectiveTask:
        """Begin a collective; it is driven by whoever waits."""
        self._check_open()
        choice = plan.choice
        task = CollectiveTask(
            self._engine,
            self._context | 1,
            self._collectives,
            self._call(plan),
            choice.algorithm.schedule(self._rank, self.size, max(plan.root, 0), choice.blocks),
            plan.blocks,
            self._ranks,
            exact=plan.exact,
        )
        self._collectives += 1
        return task

    def _run(self, plan: Plan) -> Any:
        """Do a collective from beginning to end."""
        began = time.perf_counter()
        task = self._start(plan)
        self._engine.wait(task)
        result = plan.result()
        self._record(plan, task, time.perf_counter() - began)
        return result

    def _begin(self, plan: Plan) -> Request:
        """Begin a collective in the background."""
        began = time.perf_counter()
        task = self._start(plan)

        def finish() -> Any:
            result = plan.result()
            self._record(plan, task, time.perf_counter() - began)
            return result

        return Request(self._engine, task, finish)

    def _plan_barrier(self) -> Plan:
        return Plan("barrier", self._selector.choose("barrier", 0), ObjectBlocks({}), lambda: None)

    def _plan_gossip(self, collective: str, value: Any) -> Plan:
        """Every rank's ``value`` in a list, for a call named ``collective`` that is about something else."""
        space = ObjectBlocks({self._rank: value})
        choice = self._selector.choose("allgather", None, splittable=False)
        return Plan(collective, choice, space, lambda: [space.value(rank) for rank in range(self.size)])

    def _record(self, plan: Plan, task: CollectiveTask, seconds: float) -> None:
        self.ledger.record(plan.collective, self.channel, plan.choice.label, task.sent_bytes, seconds)

    def _call(self, plan: Plan) -> bytes:
        op = "" if plan.op is None else plan.op.name
        label = plan.choice.label
        key = (plan.collective, plan.root, plan.dtype, plan.count, op, label)
        call = self._calls.get(key)
        if call is None:
            if len(self._calls) >= 1024:
                self._calls.clear()
            call = self._calls[key] = call_text(*key)
        return call

    def _wait(self, operation: str, pending: Pending, nbytes: int, began: float) -> None:
        """Wait for a point-to-point operation and count it."""
        self._engine.wait(pending)
        self.ledger.record(operation, self.channel, "", nbytes, time.perf_counter() - began)
