"""How long a schedule takes on a channel: all ranks walked together on virtual time."""

from __future__ import annotations

from collections import deque

from fmi_core.channels.model import ChannelModel
from fmi_core.collectives import Algorithm, Granularity, Recv, Round, Send

__all__ = ["block_bytes", "seconds"]


def block_bytes(algorithm: Algorithm, nbytes: int, blocks: int) -> float:
    """The size of one block: of the whole data where it is cut, else ``nbytes`` itself."""
    if algorithm.granularity in {Granularity.SPLIT, Granularity.SEGMENTED} or (
        algorithm.collective == "reduce_scatter"
    ):
        return nbytes / blocks
    return nbytes


def seconds(
    algorithm: Algorithm, size: int, blocks: int, nbytes: int, model: ChannelModel, cores: int, budget: int
) -> float | None:
    """The time of ``algorithm`` for ``size`` ranks that share ``cores`` processors, root 0.

    Args:
        algorithm: what to price.
        size: the number of ranks.
        blocks: the number of data blocks.
        nbytes: the data of one rank (cut into blocks), or one block where the operation has one per rank.
        model: the channel.
        cores: how many processors all ranks share; as many as ranks, if each has its own.
        budget: give up after this many messages; blocks that are listed one by one count, too.

    Returns:
        Seconds: the critical path, or the processors' total work shared out, whichever is longer.
        ``None`` if the schedule is longer than the budget.
    """
    walk = _Walk(algorithm, size, blocks, block_bytes(algorithm, nbytes, blocks), model, budget)
    path_s = walk.run()
    return None if path_s is None else max(path_s, walk.work_s / cores)


class _Walk:
    """All ranks of one schedule on virtual time; a rank runs until it waits for a message."""

    def __init__(
        self, algorithm: Algorithm, size: int, blocks: int, unit: float, model: ChannelModel, budget: int
    ) -> None:
        self._schedules = [algorithm.schedule(rank, size, 0, blocks) for rank in range(size)]
        self._rounds: list[Round | None] = [None] * size
        self._clocks = [0.0] * size
        self._flying: dict[tuple[int, int], deque[float]] = {}
        self._unit = unit
        self._model = model
        self._budget = budget
        self._woken: set[int] = set()
        self.work_s = 0.0

    def run(self) -> float | None:
        """Walk all ranks to their end; ``None`` if the budget is used up."""
        ready = deque(range(len(self._clocks)))
        waiting: set[int] = set()
        while ready:
            rank = ready.popleft()
            while (step := self._rounds[rank] or self._begin(rank)) is not None:
                for peer in waiting.intersection(self._woken):
                    waiting.discard(peer)
                    ready.append(peer)
                self._woken.clear()
                if self._budget < 0:
                    return None
                if not self._arrive(rank, step):
                    waiting.add(rank)
                    break
                self._rounds[rank] = None
        return max(self._clocks)

    def _begin(self, rank: int) -> Round | None:
        step = next(self._schedules[rank], None)
        self._rounds[rank] = step
        if step is not None:
            self._depart(rank, step)
        return step

    def _depart(self, rank: int, step: Round) -> None:
        model = self._model
        for action in step:
            if type(action) is Send:
                cost = model.overhead_s + len(action.blocks) * self._unit * model.byte_s
                if type(action.blocks) is not range:  # listing blocks one by one takes time as well
                    self._budget -= len(action.blocks) // 16
                for peer in action.peers:
                    self._clocks[rank] += cost
                    self.work_s += cost
                    self._budget -= 1
                    self._flying.setdefault((rank, peer), deque()).append(self._clocks[rank] + model.latency_s)
                    self._woken.add(peer)

    def _arrive(self, rank: int, step: Round) -> bool:
        """Take a round's messages; ``False`` if one of them has not left yet."""
        receives = [action for action in step if type(action) is Recv]
        wanted: dict[int, int] = {}
        for action in receives:
            wanted[action.peer] = wanted.get(action.peer, 0) + 1
            if len(self._flying.get((action.peer, rank), ())) < wanted[action.peer]:
                return False
        for action in receives:
            arrival = self._flying[action.peer, rank].popleft()
            size = len(action.blocks) * self._unit
            cost = self._model.overhead_s + size * self._model.byte_s
            cost += size * self._model.fold_byte_s if action.fold else 0.0
            self.work_s += cost
            self._clocks[rank] = max(self._clocks[rank], arrival) + cost
        return True
