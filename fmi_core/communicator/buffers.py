"""Collectives on buffers: the upper-case methods, which move arrays without copying them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.communicator.base import CommunicatorBase, Plan
from fmi_core.communicator.specs import array_of
from fmi_core.engine.blocks import ArrayBlocks, Region
from fmi_core.errors import ArgumentError
from fmi_core.ops import SUM, Op, as_op
from fmi_core.payload import IN_PLACE, Array

__all__ = ["BufferCollectives"]

OpLike = Op | Callable[[Any, Any], Any]


class BufferCollectives(CommunicatorBase):
    """Collectives that move contiguous buffers of one dtype; all ranks must call them in the same order.

    All of them raise :class:`~fmi_core.errors.ArgumentError` for a buffer that cannot be used,
    :class:`~fmi_core.errors.MismatchError` when ranks disagree (operation, root, dtype, count or
    operator), :class:`~fmi_core.errors.PeerLostError` when a rank is gone, and
    :class:`~fmi_core.errors.DeadlineExceeded` after :attr:`timeout_s` seconds.

    Shapes are free: buffers are taken as 1-D, in memory order; what else may be given for a buffer is
    said in :mod:`fmi_core.communicator.specs`. ``p`` is the communicator's size.
    """

    def Barrier(self) -> None:
        """Return once every rank has called this."""
        self._run(self._plan_barrier())

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """Fill ``buf`` on every rank with rank ``root``'s; the same size everywhere."""
        self._run(self._plan_bcast_buffer(buf, root))

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Give part ``rank`` of rank ``root``'s ``sendbuf`` (p equal parts) to each rank's ``recvbuf``.

        ``sendbuf`` may be ``None`` on the other ranks; ``recvbuf`` may be ``IN_PLACE`` on the root.
        """
        self._run(self._plan_scatter_buffer(sendbuf, recvbuf, root))

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Collect every rank's ``sendbuf`` in rank ``root``'s ``recvbuf`` (p times as large), by rank.

        ``recvbuf`` may be ``None`` on the other ranks; ``sendbuf`` may be ``IN_PLACE`` on the root.
        """
        self._run(self._plan_gather_buffer(sendbuf, recvbuf, root))

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Collect every rank's ``sendbuf`` in each rank's ``recvbuf`` (p times as large), by rank."""
        self._run(self._plan_allgather_buffer(sendbuf, recvbuf))

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Part j of rank i's ``sendbuf`` becomes part i of rank j's ``recvbuf``; p equal parts each."""
        self._run(self._plan_alltoall_buffer(sendbuf, recvbuf))

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, root: int = 0) -> None:
        """Fold all ranks' ``sendbuf`` element by element, in rank order, into rank ``root``'s ``recvbuf``.

        ``recvbuf`` may be ``None`` on the other ranks; ``sendbuf`` may be ``IN_PLACE`` on the root.
        """
        self._run(self._plan_reduce(sendbuf, recvbuf, op, root))

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> None:
        """Fold all ranks' ``sendbuf`` element by element, in rank order, into every rank's ``recvbuf``.

        The result has the same bits on all ranks, and again in the next run.
        """
        self._run(self._plan_fold_buffer("allreduce", sendbuf, recvbuf, op))

    def Scan(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> None:
        """Fold the ``sendbuf`` of ranks 0 … this one into ``recvbuf``."""
        self._run(self._plan_fold_buffer("scan", sendbuf, recvbuf, op))

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> None:
        """Fold the ``sendbuf`` of all ranks below this one into ``recvbuf``, which rank 0 leaves as it is."""
        self._run(self._plan_exscan(sendbuf, recvbuf, op))

    def Reduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> None:
        """Fold all ranks' ``sendbuf`` (p equal parts), and give part ``rank`` of it to each ``recvbuf``.

        With ``IN_PLACE``, ``recvbuf`` holds all p parts, and the result is at its beginning.
        """
        self._run(self._plan_reduce_scatter(sendbuf, recvbuf, None, op))

    def Reduce_scatter(
        self, sendbuf: Any, recvbuf: Any, recvcounts: Sequence[int] | None = None, op: OpLike = SUM
    ) -> None:
        """As :meth:`Reduce_scatter_block`, with ``recvcounts[rank]`` elements for each rank.

        Without ``recvcounts``, ranks first tell each other the sizes of their ``recvbuf``.
        """
        self._run(self._plan_reduce_scatter(sendbuf, recvbuf, self._counts(sendbuf, recvbuf, recvcounts), op))

    # --- plans: moving ----------------------------------------------------------------------------

    def _plan_bcast_buffer(self, buf: Any, root: int) -> Plan:
        here = self.rank == self._check_rank(root, "root")
        array = array_of(buf, name="buf", writable=not here)
        choice = self._selector.choose("bcast", array.nbytes)
        region = Region(0, array, _cut(array.size, choice.blocks), writable=not here)
        space = ArrayBlocks(array.dtype, [region], _none)
        return Plan("bcast", choice, space, _nothing, root=root, dtype=array.dtype.str, count=array.size)

    def _plan_scatter_buffer(self, sendbuf: Any, recvbuf: Any, root: int) -> Plan:
        size = self.size
        if self.rank == self._check_rank(root, "root"):
            send = array_of(sendbuf, name="sendbuf", blocks=self.size)
            count = self._part(send, "sendbuf")
            part = send[self.rank * count : (self.rank + 1) * count]
            if recvbuf is not IN_PLACE:
                receive = array_of(recvbuf, name="recvbuf", writable=True)
                _check_like("recvbuf", receive, part, "one part of sendbuf")
                receive[...] = part
            regions = [Region(0, send, _even(size, count), writable=False)]
            dtype = send.dtype
        else:
            receive = array_of(recvbuf, name="recvbuf", writable=True)
            count, dtype = receive.size, receive.dtype
            regions = [Region(self.rank, receive, (0, count))]
        choice = self._selector.choose("scatter", count * dtype.itemsize)
        space = ArrayBlocks(dtype, regions, lambda _: count)
        return Plan("scatter", choice, space, _nothing, root=root, dtype=dtype.str, count=count)

    def _plan_gather_buffer(self, sendbuf: Any, recvbuf: Any, root: int) -> Plan:
        size = self.size
        if self.rank == self._check_rank(root, "root"):
            receive = array_of(recvbuf, name="recvbuf", writable=True, blocks=self.size)
            count, dtype = self._part(receive, "recvbuf"), receive.dtype
            self._place(sendbuf, receive, count)
            regions = [Region(0, receive, _even(size, count))]
        else:
            send = array_of(sendbuf, name="sendbuf")
            count, dtype = send.size, send.dtype
            regions = [Region(self.rank, send, (0, count), writable=False)]
        choice = self._selector.choose("gather", count * dtype.itemsize)
        space = ArrayBlocks(dtype, regions, lambda _: count)
        return Plan("gather", choice, space, _nothing, root=root, dtype=dtype.str, count=count)

    def _plan_allgather_buffer(self, sendbuf: Any, recvbuf: Any) -> Plan:
        receive = array_of(recvbuf, name="recvbuf", writable=True, blocks=self.size)
        count, dtype = self._part(receive, "recvbuf"), receive.dtype
        self._place(sendbuf, receive, count)
        choice = self._selector.choose("allgather", count * dtype.itemsize)
        space = ArrayBlocks(dtype, [Region(0, receive, _even(self.size, count))], lambda _: count)
        return Plan("allgather", choice, space, _nothing, dtype=dtype.str, count=count)

    def _plan_alltoall_buffer(self, sendbuf: Any, recvbuf: Any) -> Plan:
        size = self.size
        receive = array_of(recvbuf, name="recvbuf", writable=True, blocks=self.size)
        send = receive.copy() if sendbuf is IN_PLACE else array_of(sendbuf, name="sendbuf", blocks=self.size)
        _check_like("recvbuf", receive, send, "sendbuf")
        count, dtype = self._part(send, "sendbuf"), send.dtype
        choice = self._selector.choose("alltoall", count * dtype.itemsize)
        regions = [
            Region(0, send, _even(size, count), writable=False),
            Region(size, receive, _even(size, count)),
        ]
        space = ArrayBlocks(dtype, regions, lambda _: count)
        return Plan("alltoall", choice, space, _nothing, dtype=dtype.str, count=count)

    # --- plans: folding ---------------------------------------------------------------------------

    def _plan_reduce(self, sendbuf: Any, recvbuf: Any, op: OpLike, root: int) -> Plan:
        if self.rank == self._check_rank(root, "root"):
            return self._plan_fold_buffer("reduce", sendbuf, recvbuf, op, root)
        send = array_of(sendbuf, name="sendbuf")
        return self._folding("reduce", send, as_op(op), root, writable=False)

    def _plan_exscan(self, sendbuf: Any, recvbuf: Any, op: OpLike) -> Plan:
        if self.rank:
            return self._plan_fold_buffer("exscan", sendbuf, recvbuf, op)
        send = array_of(recvbuf if sendbuf is IN_PLACE else sendbuf, name="sendbuf")
        return self._folding("exscan", send, as_op(op), -1, writable=False)

    def _plan_fold_buffer(self, collective: str, sendbuf: Any, recvbuf: Any, op: OpLike, root: int = -1) -> Plan:
        """A fold whose result goes to ``recvbuf``, where the work is done too."""
        operator = as_op(op)
        receive = array_of(recvbuf, name="recvbuf", writable=True)
        operator.check(receive.dtype)
        if sendbuf is not IN_PLACE:
            send = array_of(sendbuf, name="sendbuf")
            _check_like("recvbuf", receive, send, "sendbuf")
            receive[...] = send
        return self._folding(collective, receive, operator, root, writable=True)

    def _folding(self, collective: str, array: Array, op: Op, root: int, *, writable: bool) -> Plan:
        op.check(array.dtype)
        choice = self._selector.choose(collective, array.nbytes, commutative=op.commutative, splittable=op.elementwise)
        cuts = choice.blocks
        offsets = _cut(array.size, cuts)
        space = ArrayBlocks(
            array.dtype,
            [Region(0, array, offsets, writable=writable)],
            lambda block: offsets[block % cuts + 1] - offsets[block % cuts],
            op,
        )
        return Plan(collective, choice, space, _nothing, root=root, dtype=array.dtype.str, count=array.size, op=op)

    def _plan_reduce_scatter(self, sendbuf: Any, recvbuf: Any, recvcounts: Sequence[int] | None, op: OpLike) -> Plan:
        size, rank = self.size, self.rank
        operator = as_op(op)
        even = recvcounts is None
        whole = size if sendbuf is IN_PLACE and even else 1
        receive = array_of(recvbuf, name="recvbuf", writable=True, blocks=whole)
        send = receive if sendbuf is IN_PLACE else array_of(sendbuf, name="sendbuf", blocks=size if even else 1)
        operator.check(send.dtype)
        if recvcounts is None:
            offsets: Sequence[int] = _even(size, self._part(send, "sendbuf"))
        else:
            offsets = self._counted(recvcounts, send)
        mine = offsets[rank + 1] - offsets[rank]
        if receive.dtype != send.dtype or receive.size < mine:
            raise ArgumentError(
                f"recvbuf has {receive.size} elements of {receive.dtype}; expected {mine} of {send.dtype}",
                argument="recvbuf",
                value=receive.size,
            )
        choice = self._selector.choose(
            "reduce_scatter",
            send.nbytes,
            commutative=operator.commutative,
            splittable=operator.elementwise,
            uniform=recvcounts is None,
        )
        region = Region(0, send, offsets, writable=False)
        space = ArrayBlocks(
            send.dtype, [region], lambda block: offsets[block % size + 1] - offsets[block % size], operator
        )

        def result() -> None:
            receive[:mine] = region.part(rank, rank + 1)

        return Plan("reduce_scatter", choice, space, result, dtype=send.dtype.str, count=send.size, op=operator)

    # --- inside -----------------------------------------------------------------------------------

    def _part(self, array: Array, name: str) -> int:
        """The size of one of p equal parts of ``array``."""
        count, rest = divmod(array.size, self.size)
        if rest:
            raise ArgumentError(
                f"{name} has {array.size} elements; expected a multiple of {self.size}, the number of ranks",
                argument=name,
                value=array.size,
            )
        return count

    def _place(self, sendbuf: Any, receive: Array, count: int) -> None:
        """Put this rank's own part where the others' will be."""
        if sendbuf is not IN_PLACE:
            part = receive[self.rank * count : (self.rank + 1) * count]
            send = array_of(sendbuf, name="sendbuf")
            _check_like("sendbuf", send, part, f"one of {self.size} parts of recvbuf")
            part[...] = send

    def _counts(self, sendbuf: Any, recvbuf: Any, recvcounts: Sequence[int] | None) -> Sequence[int] | None:
        """The counts of a reduce_scatter; those that were not given are collected."""
        if recvcounts is not None or sendbuf is IN_PLACE:
            return recvcounts
        size = array_of(recvbuf, name="recvbuf", writable=True).size
        counts: list[int] = self._run(self._plan_gossip("reduce_scatter_counts", size))
        return counts

    def _counted(self, counts: Sequence[int], send: Array) -> list[int]:
        offsets = [0]
        for count in counts:
            offsets.append(offsets[-1] + int(count))
        if len(offsets) != self.size + 1 or min(counts, default=0) < 0 or offsets[-1] != send.size:
            raise ArgumentError(
                f"recvcounts is {list(counts)}; expected {self.size} counts, none negative, that add up to the "
                f"{send.size} elements of sendbuf",
                argument="recvcounts",
                value=counts,
            )
        return offsets


def _check_like(name: str, array: Array, model: Array, what: str) -> None:
    if array.size != model.size or array.dtype != model.dtype:
        raise ArgumentError(
            f"{name} has {array.size} elements of {array.dtype}; expected {model.size} of {model.dtype}, as in {what}",
            argument=name,
            value=array.size,
        )


def _cut(count: int, blocks: int) -> list[int]:
    """Where ``blocks`` nearly equal parts of ``count`` elements begin, and where the last one ends."""
    return [index * count // blocks for index in range(blocks + 1)]


def _even(parts: int, count: int) -> Sequence[int]:
    """Where ``parts`` parts of ``count`` elements begin, and where the last one ends."""
    return range(0, parts * count + 1, count) if count else (0,) * (parts + 1)


def _none(_block: int) -> int:
    return 0


def _nothing() -> None:
    """Upper-case collectives return nothing: their result is in the buffer."""
