"""Non-blocking collectives: all of them, on buffers and on objects.

Each begins the schedule of its blocking form and gives a request. Any number may be in flight, and
be completed in any order; all ranks must begin them in the same order. They move along whenever this
rank is inside any call that waits, probes or tests; buffers must not change before the request is
complete. The lower-case methods give their result by the request's ``wait``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmi_core.communicator.buffers import BufferCollectives, OpLike
from fmi_core.communicator.objects import ObjectCollectives
from fmi_core.communicator.requests import Request
from fmi_core.communicator.vectors import VectorCollectives
from fmi_core.ops import SUM

__all__ = ["NonBlockingCollectives"]


class NonBlockingCollectives(BufferCollectives, VectorCollectives, ObjectCollectives):
    """``Ibarrier`` … ``Iexscan`` and ``ibarrier`` … ``iexscan``; arguments are those of the blocking forms."""

    # --- buffers ----------------------------------------------------------------------------------

    def Ibarrier(self) -> Request:
        """Begin a barrier; the request is complete once every rank has begun it."""
        return self._begin(self._plan_barrier())

    def Ibcast(self, buf: Any, root: int = 0) -> Request:
        """Begin ``Bcast``."""
        return self._begin(self._plan_bcast_buffer(buf, root))

    def Iscatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin ``Scatter``."""
        return self._begin(self._plan_scatter_buffer(sendbuf, recvbuf, root))

    def Igather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin ``Gather``."""
        return self._begin(self._plan_gather_buffer(sendbuf, recvbuf, root))

    def Iallgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin ``Allgather``."""
        return self._begin(self._plan_allgather_buffer(sendbuf, recvbuf))

    def Ialltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin ``Alltoall``."""
        return self._begin(self._plan_alltoall_buffer(sendbuf, recvbuf))

    def Ireduce(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, root: int = 0) -> Request:
        """Begin ``Reduce``."""
        return self._begin(self._plan_reduce(sendbuf, recvbuf, op, root))

    def Iallreduce(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> Request:
        """Begin ``Allreduce``."""
        return self._begin(self._plan_fold_buffer("allreduce", sendbuf, recvbuf, op))

    def Iscan(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> Request:
        """Begin ``Scan``."""
        return self._begin(self._plan_fold_buffer("scan", sendbuf, recvbuf, op))

    def Iexscan(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> Request:
        """Begin ``Exscan``."""
        return self._begin(self._plan_exscan(sendbuf, recvbuf, op))

    def Ireduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM) -> Request:
        """Begin ``Reduce_scatter_block``."""
        return self._begin(self._plan_reduce_scatter(sendbuf, recvbuf, None, op))

    def Ireduce_scatter(
        self, sendbuf: Any, recvbuf: Any, recvcounts: Sequence[int] | None = None, op: OpLike = SUM
    ) -> Request:
        """Begin ``Reduce_scatter``; without ``recvcounts``, this waits until ranks have told their sizes."""
        counts = self._counts(sendbuf, recvbuf, recvcounts)
        return self._begin(self._plan_reduce_scatter(sendbuf, recvbuf, counts, op))

    def Iscatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin ``Scatterv``."""
        return self._begin(self._plan_scatterv(sendbuf, recvbuf, root))

    def Igatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin ``Gatherv``."""
        return self._begin(self._plan_gatherv(sendbuf, recvbuf, root))

    def Iallgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin ``Allgatherv``."""
        return self._begin(self._plan_allgatherv(sendbuf, recvbuf))

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin ``Alltoallv``."""
        return self._begin(self._plan_alltoallv(sendbuf, recvbuf))

    def Ialltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin ``Alltoallw``."""
        return self._begin(self._plan_alltoallw(sendbuf, recvbuf))

    # --- objects ----------------------------------------------------------------------------------

    def ibarrier(self) -> Request:
        """As :meth:`Ibarrier`."""
        return self._begin(self._plan_barrier())

    def ibcast(self, obj: Any = None, root: int = 0) -> Request:
        """Begin ``bcast``."""
        return self._begin(self._plan_bcast(obj, root))

    def iscatter(self, sendobj: Sequence[Any] | None = None, root: int = 0) -> Request:
        """Begin ``scatter``."""
        return self._begin(self._plan_scatter(sendobj, root))

    def igather(self, sendobj: Any, root: int = 0) -> Request:
        """Begin ``gather``."""
        return self._begin(self._plan_gather(sendobj, root))

    def iallgather(self, sendobj: Any) -> Request:
        """Begin ``allgather``."""
        return self._begin(self._plan_allgather(sendobj))

    def ialltoall(self, sendobj: Sequence[Any]) -> Request:
        """Begin ``alltoall``."""
        return self._begin(self._plan_alltoall(sendobj))

    def ireduce(self, sendobj: Any, op: OpLike = SUM, root: int = 0) -> Request:
        """Begin ``reduce``."""
        return self._begin(self._plan_fold("reduce", sendobj, op, root))

    def iallreduce(self, sendobj: Any, op: OpLike = SUM) -> Request:
        """Begin ``allreduce``."""
        return self._begin(self._plan_fold("allreduce", sendobj, op))

    def iscan(self, sendobj: Any, op: OpLike = SUM) -> Request:
        """Begin ``scan``."""
        return self._begin(self._plan_fold("scan", sendobj, op))

    def iexscan(self, sendobj: Any, op: OpLike = SUM) -> Request:
        """Begin ``exscan``."""
        return self._begin(self._plan_fold("exscan", sendobj, op))

    def ireduce_scatter(self, sendobj: Sequence[Any], op: OpLike = SUM) -> Request:
        """Begin ``reduce_scatter``."""
        return self._begin(self._plan_reduce_scatter_objects(sendobj, op))
