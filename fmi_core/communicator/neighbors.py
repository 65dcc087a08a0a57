"""Neighbour collectives: exchanges with the ranks that a topology places next to this one.

Each is a schedule of one round: all messages to and from neighbours at once. Between one pair of
ranks the k-th send meets the k-th receive; where a rank is a neighbour on two sides (a ring of two),
a topology says in which order it receives, so that what was sent upwards comes from below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.collectives import Algorithm, Granularity
from fmi_core.collectives.steps import Recv, Schedule, Send
from fmi_core.communicator.base import Plan
from fmi_core.communicator.objects import ObjectCollectives
from fmi_core.communicator.requests import Request
from fmi_core.communicator.specs import Vector, array_of, vector_of
from fmi_core.communicator.status import PROC_NULL
from fmi_core.communicator.vectors import VectorCollectives
from fmi_core.engine.blocks import ArrayBlocks, BlockSpace, ObjectBlocks, Region
from fmi_core.errors import ArgumentError
from fmi_core.payload import Array
from fmi_core.selection.select import Choice

__all__ = ["NeighborCollectives"]

_OBJECT = "object"


class NeighborCollectives(VectorCollectives, ObjectCollectives):
    """The collectives of a communicator with a topology.

    What is sent to a neighbour that does not exist (at an open border) goes nowhere, and what would
    come from there leaves its part of the receive buffer as it was (a list has ``None`` there).
    """

    def _sources(self) -> Sequence[int]:
        """The neighbours from which this rank receives, in MPI's order."""
        raise NotImplementedError

    def _targets(self) -> Sequence[int]:
        """The neighbours to which this rank sends, in MPI's order."""
        raise NotImplementedError

    def _receive_order(self) -> Sequence[int]:
        """Indices of :meth:`_sources`, in the order in which receives meet sends."""
        return range(len(self._sources()))

    # --- the calls --------------------------------------------------------------------------------

    def neighbor_allgather(self, sendobj: Any) -> list[Any]:
        """Send one object to all neighbours; the list of theirs."""
        received: list[Any] = self._run(self._plan_neighbor_objects("neighbor_allgather", [sendobj]))
        return received

    def neighbor_alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """Send one object of ``sendobj`` to each neighbour; the list of what they sent."""
        received: list[Any] = self._run(self._plan_neighbor_objects("neighbor_alltoall", self._for_each(sendobj)))
        return received

    def Neighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send ``sendbuf`` to all neighbours; ``recvbuf`` has one equal part for each."""
        self._run(self._plan_neighbor_allgather(sendbuf, self._equal(recvbuf), "neighbor_allgather"))

    def Neighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """As :meth:`Neighbor_allgather`; ``recvbuf`` has counts."""
        self._run(self._plan_neighbor_allgather(sendbuf, self._counted_parts(recvbuf), "neighbor_allgatherv"))

    def Neighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send one equal part of ``sendbuf`` to each neighbour, and receive one from each."""
        self._run(self._plan_neighbor_alltoall(sendbuf, recvbuf))

    def Neighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """As :meth:`Neighbor_alltoall`; both have counts."""
        self._run(self._plan_neighbor_alltoallv(sendbuf, recvbuf))

    def Neighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """As :meth:`Neighbor_alltoallv`, with a datatype for each part; see ``Alltoallw``."""
        self._run(self._plan_neighbor_alltoallw(sendbuf, recvbuf))

    def ineighbor_allgather(self, sendobj: Any) -> Request:
        """Begin :meth:`neighbor_allgather`."""
        return self._begin(self._plan_neighbor_objects("neighbor_allgather", [sendobj]))

    def ineighbor_alltoall(self, sendobj: Sequence[Any]) -> Request:
        """Begin :meth:`neighbor_alltoall`."""
        return self._begin(self._plan_neighbor_objects("neighbor_alltoall", self._for_each(sendobj)))

    def Ineighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin :meth:`Neighbor_allgather`."""
        return self._begin(self._plan_neighbor_allgather(sendbuf, self._equal(recvbuf), "neighbor_allgather"))

    def Ineighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin :meth:`Neighbor_allgatherv`."""
        return self._begin(self._plan_neighbor_allgather(sendbuf, self._counted_parts(recvbuf), "neighbor_allgatherv"))

    def Ineighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin :meth:`Neighbor_alltoall`."""
        return self._begin(self._plan_neighbor_alltoall(sendbuf, recvbuf))

    def Ineighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin :meth:`Neighbor_alltoallv`."""
        return self._begin(self._plan_neighbor_alltoallv(sendbuf, recvbuf))

    def Ineighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin :meth:`Neighbor_alltoallw`."""
        return self._begin(self._plan_neighbor_alltoallw(sendbuf, recvbuf))

    # --- plans ------------------------------------------------------------------------------------

    def _plan_neighbor_objects(self, call: str, values: list[Any]) -> Plan:
        """Blocks ``0`` … of what is sent (one for all, or one for each), then one for each source."""
        space = ObjectBlocks(dict(enumerate(values)))
        sources, first = self._sources(), len(values)

        def result() -> list[Any]:
            return [None if source == PROC_NULL else space.value(first + index) for index, source in enumerate(sources)]

        return self._neighborly(call, space, result, _OBJECT, shared=call == "neighbor_allgather", first=first)

    def _plan_neighbor_allgather(self, sendbuf: Any, receive: Vector, call: str) -> Plan:
        send = array_of(sendbuf, name="sendbuf")
        _check_dtypes(send, receive.array)
        regions = [Region(0, send, (0, send.size), writable=False), *_parts(1, receive)]
        space = ArrayBlocks(send.dtype, regions, _none)
        return self._neighborly(call, space, _nothing, send.dtype.str, shared=True, first=1)

    def _plan_neighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> Plan:
        send = self._equal_parts(sendbuf, "sendbuf", len(self._targets()), writable=False)
        return self._plan_neighbor_parts("neighbor_alltoall", send, self._equal(recvbuf))

    def _plan_neighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Plan:
        send = vector_of(sendbuf, name="sendbuf", blocks=len(self._targets()))
        return self._plan_neighbor_parts("neighbor_alltoallv", send, self._counted_parts(recvbuf))

    def _plan_neighbor_parts(self, call: str, send: Vector, receive: Vector) -> Plan:
        _check_dtypes(send.array, receive.array)
        dtype, first = send.array.dtype, len(send.counts)
        space = ArrayBlocks(dtype, [*_parts(0, send, writable=False), *_parts(first, receive)], _none)
        return self._neighborly(call, space, _nothing, dtype.str, shared=False, first=first)

    def _plan_neighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Plan:
        import numpy as np

        targets, sources = len(self._targets()), len(self._sources())
        sends = self._bytes_of_parts(sendbuf, "sendbuf", targets, writable=False)
        receives = self._bytes_of_parts(recvbuf, "recvbuf", sources, writable=True)
        regions = [Region(block, part, (0, part.size)) for block, (part, _) in enumerate([*sends, *receives])]

        def finish() -> None:
            for source, (_, unpack) in zip(self._sources(), receives, strict=True):
                if unpack is not None and source != PROC_NULL:
                    unpack()

        space = ArrayBlocks(np.dtype("u1"), regions, _none)
        return self._neighborly("neighbor_alltoallw", space, finish, "", shared=False, first=targets)

    # --- inside -----------------------------------------------------------------------------------

    def _neighborly(
        self, call: str, space: BlockSpace, result: Callable[[], Any], dtype: str, *, shared: bool, first: int
    ) -> Plan:
        """A plan of one round; block 0 goes to all if ``shared``, else block i to target i."""
        sources, targets, order = self._sources(), self._targets(), self._receive_order()

        def schedule(_rank: int, _size: int, _root: int, _blocks: int) -> Schedule:
            block = 0
            sends = [
                Send((target,), (block if shared else index,))
                for index, target in enumerate(targets)
                if target != PROC_NULL
            ]
            receives = [Recv(sources[index], (first + index,)) for index in order if sources[index] != PROC_NULL]
            if sends or receives:
                yield (*sends, *receives)

        def links(_rank: int, _size: int, _root: int) -> frozenset[int]:
            return frozenset({*sources, *targets} - {PROC_NULL, self.rank})

        algorithm = Algorithm("alltoall", "neighbors", schedule, links, Granularity.BLOCKS)
        return Plan(call, Choice(algorithm, len(targets)), space, result, dtype=dtype)

    def _for_each(self, items: Sequence[Any]) -> list[Any]:
        listed, count = list(items), len(self._targets())
        if len(listed) != count:
            raise ArgumentError(
                f"sendobj is {len(listed)} items; expected {count}, one for each neighbour",
                argument="sendobj",
                value=items,
            )
        return listed

    def _equal(self, recvbuf: Any) -> Vector:
        return self._equal_parts(recvbuf, "recvbuf", len(self._sources()), writable=True)

    def _counted_parts(self, recvbuf: Any) -> Vector:
        return vector_of(recvbuf, name="recvbuf", blocks=len(self._sources()), writable=True)

    @staticmethod
    def _equal_parts(buf: Any, name: str, blocks: int, *, writable: bool) -> Vector:
        array = array_of(buf, name=name, writable=writable, blocks=blocks)
        count, rest = divmod(array.size, blocks) if blocks else (0, 0)
        if rest:
            raise ArgumentError(
                f"{name} has {array.size} elements; expected a multiple of {blocks}, the number of neighbours",
                argument=name,
                value=array.size,
            )
        return Vector(array, [count] * blocks, [index * count for index in range(blocks)])


def _parts(first: int, vector: Vector, *, writable: bool = True) -> list[Region]:
    parts = [vector.part(index) for index in range(len(vector.counts))]
    return [Region(first + index, part, (0, part.size), writable=writable) for index, part in enumerate(parts)]


def _check_dtypes(send: Array, receive: Array) -> None:
    if send.dtype != receive.dtype:
        raise ArgumentError(
            f"recvbuf has elements of {receive.dtype}; expected {send.dtype}, as in sendbuf",
            argument="recvbuf",
            value=receive.dtype,
        )


def _none(_block: int) -> int:
    return 0


def _nothing() -> None:
    """The result is in the buffer."""
