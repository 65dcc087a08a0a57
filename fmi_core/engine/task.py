"""One rank's part in one collective: its schedule, stepped over a transport."""

from __future__ import annotations

from collections.abc import Sequence

from fmi_core.channels.matching import Receive
from fmi_core.channels.transport import Sending
from fmi_core.collectives.steps import Local, Recv, Round, Schedule, Send
from fmi_core.engine.agreement import describe_call
from fmi_core.engine.blocks import BlockSpace
from fmi_core.engine.progress import Engine
from fmi_core.errors import MismatchError
from fmi_core.payload import View

__all__ = ["CollectiveTask"]


class CollectiveTask:
    """A collective under way on this rank; see :class:`~fmi_core.engine.progress.Pending`.

    Args:
        engine: the rank's engine.
        context: the communicator's context for collectives.
        tag: which collective of the communicator this is, counted from 0.
        call: the call's text, compared between ranks.
        schedule: the rounds, in ranks of the communicator.
        blocks: where the data is.
        ranks: ranks of the job by rank of the communicator.
        exact: whether a message must fill the memory that is meant for it; if not, it may be smaller.
    """

    def __init__(
        self,
        engine: Engine,
        context: int,
        tag: int,
        call: bytes,
        schedule: Schedule,
        blocks: BlockSpace,
        ranks: Sequence[int],
        *,
        exact: bool = True,
    ) -> None:
        self.context = context
        self.tag = tag
        self.call = call
        self.sent_bytes = 0
        self._engine = engine
        self._schedule = schedule
        self._blocks = blocks
        self._ranks = ranks
        self._exact = exact
        self._round: Round = ()
        self._receives: list[tuple[Recv, Receive, Sequence[View] | None]] = []
        self._sends: list[Sending] = []
        self._complete = False
        engine.enter(context, tag, call)

    def advance(self) -> bool:
        """Take the schedule as far as it goes without waiting."""
        while not self._complete:
            for _, receive, _ in self._receives:
                if not receive.done:
                    return False
            for sending in self._sends:
                if sending.pending:
                    return False
            self._apply()
            step = next(self._schedule, None)
            if step is None:
                self._complete = True
            else:
                self._begin(step)
        return True

    def owed_by(self) -> Sequence[int]:
        """The ranks (of the job) whose messages of this round are not here yet."""
        return [receive.source for _, receive, _ in self._receives if not receive.done]

    def describe(self) -> str:
        """The call, for errors."""
        return describe_call(self.call)

    def _begin(self, step: Round) -> None:
        """Post the transfers of a round: receives first, so that what comes finds its place."""
        self._round = step
        ranks, blocks, engine = self._ranks, self._blocks, self._engine
        for action in step:
            if type(action) is Recv:
                views = blocks.incoming(action.blocks, action.fold)
                receive = Receive(self.context, ranks[action.peer], self.tag, views)
                self._receives.append((action, receive, views))
                engine.matcher.post(receive)
        for action in step:
            if type(action) is Send:
                out = blocks.outgoing(action.blocks)
                peers = [ranks[peer] for peer in action.peers]
                self._sends.append(engine.post(peers, self.context, self.tag, self.call, out))
                self.sent_bytes += sum(view.nbytes for view in out) * len(peers)

    def _apply(self) -> None:
        """The round's transfers are done: take what came, fold, and do the local steps, in order."""
        if not self._round:
            return
        self._engine.check()  # what came may belong to another call than this one
        received = iter(self._receives)
        for action in self._round:
            if type(action) is Recv:
                _, receive, views = next(received)
                self._check_size(receive)
                self._blocks.arrived(action.blocks, views if views is not None else [receive.data], action.fold)
            elif type(action) is Local:
                self._blocks.local(action.dst, action.src, action.fold)
        self._round = ()
        self._receives.clear()
        self._sends.clear()

    def _check_size(self, receive: Receive) -> None:
        arrival = receive.arrival
        assert arrival is not None
        fits = arrival.nbytes == receive.capacity or (not self._exact and arrival.nbytes < receive.capacity)
        if receive.views is not None and not fits:
            self._engine.fail(
                MismatchError(
                    f"rank {receive.source} sent {arrival.nbytes} bytes in {self.describe()}, "
                    f"rank {self._engine.rank} expected {receive.capacity}; counts must agree between ranks",
                    calls={receive.source: f"{arrival.nbytes} bytes", self._engine.rank: self.describe()},
                )
            )
            self._engine.check()
