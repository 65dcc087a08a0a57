"""Collectives on buffers whose parts differ in size: Scatterv, Gatherv, Allgatherv, Alltoallv, Alltoallw.

What decides on the algorithm must be the same on all ranks. In Scatterv and Gatherv only the root
knows all counts, so each part goes straight between the root and its rank. In Alltoallv no rank
knows all counts, so the choice is made without them, among the algorithms in which a block goes
straight to its owner. In Allgatherv every rank knows all counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.collectives import lookup
from fmi_core.communicator.base import CommunicatorBase, Plan
from fmi_core.communicator.specs import Vector, array_of, parts_of, split_counts, strided_of, vector_of
from fmi_core.datatypes import as_datatype
from fmi_core.engine.blocks import ArrayBlocks, Region
from fmi_core.errors import ArgumentError
from fmi_core.payload import IN_PLACE, Array
from fmi_core.selection.select import Choice

__all__ = ["VectorCollectives"]


class VectorCollectives(CommunicatorBase):
    """Collectives with one count for each rank; specs are those of :mod:`fmi_core.communicator.specs`.

    A part that is received may be smaller than the memory meant for it, as in MPI's point-to-point
    calls; in Allgatherv, whose parts are passed on from rank to rank, counts must agree. Errors are
    those of :class:`~fmi_core.communicator.buffers.BufferCollectives`.
    """

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Give part i of rank ``root``'s ``sendbuf``, which has counts, to rank i's ``recvbuf``.

        ``sendbuf`` may be ``None`` on the other ranks; ``recvbuf`` may be ``IN_PLACE`` on the root.
        """
        self._run(self._plan_scatterv(sendbuf, recvbuf, root))

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Collect every rank's ``sendbuf`` as the parts of rank ``root``'s ``recvbuf``, which has counts.

        ``recvbuf`` may be ``None`` on the other ranks; ``sendbuf`` may be ``IN_PLACE`` on the root.
        """
        self._run(self._plan_gatherv(sendbuf, recvbuf, root))

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Collect every rank's ``sendbuf`` as the parts of each rank's ``recvbuf``, which has counts.

        ``sendbuf`` may be ``IN_PLACE``, on all ranks.
        """
        self._run(self._plan_allgatherv(sendbuf, recvbuf))

    def Alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Part j of rank i's ``sendbuf`` becomes part i of rank j's ``recvbuf``; both have counts.

        ``sendbuf`` may be ``IN_PLACE``, on all ranks.
        """
        self._run(self._plan_alltoallv(sendbuf, recvbuf))

    def Alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """As :meth:`Alltoallv`, with a datatype for each part, which may have gaps.

        Both are ``[buf, datatypes]``, ``[buf, counts, datatypes]``, ``[buf, (counts, displs), datatypes]`` or
        ``[buf, counts, displs, datatypes]``, with displacements in bytes; counts are 1 and displacements 0
        where they are not given. ``sendbuf`` may be ``IN_PLACE``, on all ranks.
        """
        self._run(self._plan_alltoallw(sendbuf, recvbuf))

    # --- plans ------------------------------------------------------------------------------------

    def _plan_scatterv(self, sendbuf: Any, recvbuf: Any, root: int) -> Plan:
        if self.rank == self._check_rank(root, "root"):
            send = vector_of(sendbuf, name="sendbuf", blocks=self.size)
            dtype = send.array.dtype
            if recvbuf is not IN_PLACE:
                receive = array_of(recvbuf, name="recvbuf", writable=True)
                _fill("recvbuf", receive, send.part(self.rank), "this rank's part of sendbuf")
            regions = _regions(0, send, writable=False)
        else:
            receive = array_of(recvbuf, name="recvbuf", writable=True)
            dtype = receive.dtype
            regions = [Region(self.rank, receive, (0, receive.size))]
        space = ArrayBlocks(dtype, regions, _none)
        return Plan("scatterv", self._straight("scatter"), space, _nothing, root=root, dtype=dtype.str, exact=False)

    def _plan_gatherv(self, sendbuf: Any, recvbuf: Any, root: int) -> Plan:
        if self.rank == self._check_rank(root, "root"):
            receive = vector_of(recvbuf, name="recvbuf", blocks=self.size, writable=True)
            dtype = receive.array.dtype
            self._place_part(sendbuf, receive)
            regions = _regions(0, receive)
        else:
            send = array_of(sendbuf, name="sendbuf")
            dtype = send.dtype
            regions = [Region(self.rank, send, (0, send.size), writable=False)]
        space = ArrayBlocks(dtype, regions, _none)
        return Plan("gatherv", self._straight("gather"), space, _nothing, root=root, dtype=dtype.str, exact=False)

    def _plan_allgatherv(self, sendbuf: Any, recvbuf: Any) -> Plan:
        receive = vector_of(recvbuf, name="recvbuf", blocks=self.size, writable=True)
        array, total = receive.array, sum(receive.counts)
        mine = receive.counts[self.rank]
        if sendbuf is not IN_PLACE:
            send = array_of(sendbuf, name="sendbuf")
            if send.size != mine:
                raise ArgumentError(
                    f"sendbuf has {send.size} elements; expected {mine}, the count of this rank in recvbuf",
                    argument="sendbuf",
                    value=send.size,
                )
            _fill("recvbuf", receive.part(self.rank), send, "sendbuf")
        choice = self._selector.choose("allgather", total * array.itemsize // self.size, uniform=False)
        space = ArrayBlocks(array.dtype, _regions(0, receive), _none)
        return Plan("allgatherv", choice, space, _nothing, dtype=array.dtype.str, count=total)

    def _plan_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Plan:
        receive = vector_of(recvbuf, name="recvbuf", blocks=self.size, writable=True)
        if sendbuf is IN_PLACE:
            send = Vector(receive.array.copy(), receive.counts, receive.displs)
        else:
            send = vector_of(sendbuf, name="sendbuf", blocks=self.size)
        if send.array.dtype != receive.array.dtype:
            raise ArgumentError(
                f"recvbuf has elements of {receive.array.dtype}; expected {send.array.dtype}, as in sendbuf",
                argument="recvbuf",
                value=receive.array.dtype,
            )
        own = self._own_part(send.counts[self.rank], receive.counts[self.rank])
        receive = receive._replace(counts=[*receive.counts[: self.rank], own, *receive.counts[self.rank + 1 :]])
        dtype = send.array.dtype
        regions = [*_regions(0, send, writable=False), *_regions(self.size, receive)]
        space = ArrayBlocks(dtype, regions, _none)
        choice = self._selector.choose("alltoall", None, uniform=False)
        return Plan("alltoallv", choice, space, _nothing, dtype=dtype.str, exact=False)

    def _plan_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Plan:
        """Each part as bytes: packed before, and unpacked after, where its datatype has gaps."""
        import numpy as np

        receives = self._bytes_of_parts(recvbuf, "recvbuf", self.size, writable=True)
        if sendbuf is IN_PLACE:
            sends = [part.copy() for part, _ in receives]
        else:
            sends = [part for part, _ in self._bytes_of_parts(sendbuf, "sendbuf", self.size, writable=False)]
        own = self._own_part(sends[self.rank].size, receives[self.rank][0].size)
        parts = [*sends, *(part for part, _ in receives)]
        parts[self.size + self.rank] = parts[self.size + self.rank][:own]
        regions = [Region(block, part, (0, part.size)) for block, part in enumerate(parts)]
        choice = self._selector.choose("alltoall", None, uniform=False)

        def finish() -> None:
            for _, unpack in receives:
                if unpack is not None:
                    unpack()

        return Plan("alltoallw", choice, ArrayBlocks(np.dtype("u1"), regions, _none), finish, exact=False)

    # --- inside -----------------------------------------------------------------------------------

    def _straight(self, collective: str) -> Choice:
        """The algorithm in which every part goes straight between the root and its rank."""
        return Choice(lookup(collective, "flat"), self.size)

    def _place_part(self, sendbuf: Any, receive: Vector) -> None:
        if sendbuf is not IN_PLACE:
            send = array_of(sendbuf, name="sendbuf")
            _fill("this rank's part of recvbuf", receive.part(self.rank), send, "sendbuf")

    @staticmethod
    def _own_part(sent: int, received: int) -> int:
        """How much of the part for this rank itself goes over."""
        if sent > received:
            raise ArgumentError(
                f"this rank sends {sent} elements to itself, but receives {received}; counts must agree",
                argument="recvbuf",
                value=received,
            )
        return sent

    def _bytes_of_parts(
        self, spec: Any, name: str, blocks: int, *, writable: bool
    ) -> list[tuple[Array, Callable[[], None] | None]]:
        buf, counts, displs, kinds = self._fields_w(spec, name, blocks)
        memory = array_of([None, 0] if buf is None else buf, name=name, writable=writable).view("u1")
        parts: list[tuple[Array, Callable[[], None] | None]] = []
        for count, displ, kind in zip(counts, displs, kinds, strict=True):
            datatype = as_datatype(kind)
            itemsize = datatype.dtype.itemsize
            start = memory[displ:]
            start = start[: start.size - start.size % itemsize]
            part, unpack = strided_of([start, count, datatype], name=name, writable=writable)
            parts.append((part.view("u1"), None if unpack is None else _with(unpack, part.size)))
        return parts

    @staticmethod
    def _fields_w(spec: Any, name: str, blocks: int) -> tuple[Any, list[int], list[int], Sequence[Any]]:
        fields = list(spec) if isinstance(spec, list | tuple) else []
        counts: Any = 1
        displs: Any = 0
        match fields:
            case [buf, kinds]:
                pass
            case [buf, numbers, kinds]:
                counts, displs = split_counts(numbers)
            case [buf, counts, displs, kinds]:
                pass
            case _:
                raise ArgumentError(
                    f"{name} is {type(spec).__name__}; expected [buffer, (counts, displacements), datatypes]",
                    argument=name,
                    value=spec,
                )
        if not isinstance(kinds, list | tuple) or len(kinds) != blocks:
            raise ArgumentError(
                f"the datatypes of {name} are {kinds!r}; expected a list of {blocks}, one for each rank",
                argument=name,
                value=kinds,
            )
        return (
            buf,
            parts_of(counts, blocks, f"the counts of {name}"),
            parts_of(0 if displs is None else displs, blocks, f"the displacements of {name}"),
            kinds,
        )


def _regions(first: int, vector: Vector, *, writable: bool = True) -> list[Region]:
    """The parts of ``vector`` as blocks from ``first`` on: one region where they lie side by side."""
    offsets, ends = list(vector.displs), [d + c for d, c in zip(vector.displs, vector.counts, strict=True)]
    if offsets[1:] == ends[:-1] and ends[-1] <= vector.array.size:
        return [Region(first, vector.array, [*offsets, ends[-1]], writable=writable)]
    parts = [vector.part(rank) for rank in range(len(offsets))]
    return [Region(first + rank, part, (0, part.size), writable=writable) for rank, part in enumerate(parts)]


def _fill(name: str, target: Array, source: Array, what: str) -> None:
    """Put ``source`` at the beginning of ``target``."""
    if source.dtype != target.dtype or source.size > target.size:
        raise ArgumentError(
            f"{name} has {target.size} elements of {target.dtype}; expected {source.size} of {source.dtype}, "
            f"as in {what}",
            argument=name.rsplit(maxsplit=1)[-1],
            value=target.size,
        )
    target[: source.size] = source


def _with(unpack: Callable[[int], None], elements: int) -> Callable[[], None]:
    return lambda: unpack(elements)


def _none(_block: int) -> int:
    return 0


def _nothing() -> None:
    """The result is in the buffer."""
