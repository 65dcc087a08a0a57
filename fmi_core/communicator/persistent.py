"""Persistent requests: calls whose arguments are given once, to be started again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG
from fmi_core.communicator.buffers import OpLike
from fmi_core.communicator.matched import MatchedProbes
from fmi_core.communicator.nonblocking import NonBlockingCollectives
from fmi_core.communicator.requests import Prequest, Request
from fmi_core.communicator.specs import strided_of
from fmi_core.communicator.status import PROC_NULL
from fmi_core.ops import SUM

__all__ = ["PersistentRequests"]


class PersistentRequests(MatchedProbes, NonBlockingCollectives):
    """``Send_init`` … ``Exscan_init``: the arguments are those of the calls themselves.

    Each gives an inactive request: ``Start`` begins the call, ``Wait`` completes it. Data is taken from
    the buffers when the call is started. All ranks must start persistent collectives in the same order.
    ``info`` is accepted, and nothing is made of it.
    """

    # --- point to point ---------------------------------------------------------------------------

    def Send_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """A persistent ``Send``."""
        self._check_outgoing(buf, dest, tag)
        return self._persistent(lambda: self.Isend(buf, dest, tag))

    def Ssend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """A persistent ``Ssend``."""
        self._check_outgoing(buf, dest, tag)
        return self._persistent(lambda: self.Issend(buf, dest, tag))

    def Bsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """As :meth:`Send_init`."""
        return self.Send_init(buf, dest, tag)

    def Rsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """As :meth:`Send_init`."""
        return self.Send_init(buf, dest, tag)

    def Recv_init(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Prequest:
        """A persistent ``Recv``."""
        if self._where(source, tag) is not None:
            strided_of(buf, name="buf", writable=True)
        return self._persistent(lambda: self.Irecv(buf, source, tag))

    # --- collectives ------------------------------------------------------------------------------

    def Barrier_init(self, info: Any = None) -> Prequest:
        """A persistent ``Barrier``."""
        del info
        return self._persistent(self.Ibarrier)

    def Bcast_init(self, buf: Any, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Bcast``."""
        del info
        return self._persistent(lambda: self.Ibcast(buf, root))

    def Scatter_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Scatter``."""
        del info
        return self._persistent(lambda: self.Iscatter(sendbuf, recvbuf, root))

    def Scatterv_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Scatterv``."""
        del info
        return self._persistent(lambda: self.Iscatterv(sendbuf, recvbuf, root))

    def Gather_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Gather``."""
        del info
        return self._persistent(lambda: self.Igather(sendbuf, recvbuf, root))

    def Gatherv_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Gatherv``."""
        del info
        return self._persistent(lambda: self.Igatherv(sendbuf, recvbuf, root))

    def Allgather_init(self, sendbuf: Any, recvbuf: Any, info: Any = None) -> Prequest:
        """A persistent ``Allgather``."""
        del info
        return self._persistent(lambda: self.Iallgather(sendbuf, recvbuf))

    def Allgatherv_init(self, sendbuf: Any, recvbuf: Any, info: Any = None) -> Prequest:
        """A persistent ``Allgatherv``."""
        del info
        return self._persistent(lambda: self.Iallgatherv(sendbuf, recvbuf))

    def Alltoall_init(self, sendbuf: Any, recvbuf: Any, info: Any = None) -> Prequest:
        """A persistent ``Alltoall``."""
        del info
        return self._persistent(lambda: self.Ialltoall(sendbuf, recvbuf))

    def Alltoallv_init(self, sendbuf: Any, recvbuf: Any, info: Any = None) -> Prequest:
        """A persistent ``Alltoallv``."""
        del info
        return self._persistent(lambda: self.Ialltoallv(sendbuf, recvbuf))

    def Alltoallw_init(self, sendbuf: Any, recvbuf: Any, info: Any = None) -> Prequest:
        """A persistent ``Alltoallw``."""
        del info
        return self._persistent(lambda: self.Ialltoallw(sendbuf, recvbuf))

    def Reduce_init(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, root: int = 0, info: Any = None) -> Prequest:
        """A persistent ``Reduce``."""
        del info
        return self._persistent(lambda: self.Ireduce(sendbuf, recvbuf, op, root))

    def Allreduce_init(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, info: Any = None) -> Prequest:
        """A persistent ``Allreduce``."""
        del info
        return self._persistent(lambda: self.Iallreduce(sendbuf, recvbuf, op))

    def Reduce_scatter_block_init(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, info: Any = None) -> Prequest:
        """A persistent ``Reduce_scatter_block``."""
        del info
        return self._persistent(lambda: self.Ireduce_scatter_block(sendbuf, recvbuf, op))

    def Reduce_scatter_init(
        self,
        sendbuf: Any,
        recvbuf: Any,
        recvcounts: Sequence[int] | None = None,
        op: OpLike = SUM,
        info: Any = None,
    ) -> Prequest:
        """A persistent ``Reduce_scatter``; without ``recvcounts``, all ranks must call this at the same time."""
        del info
        counts = self._counts(sendbuf, recvbuf, recvcounts)
        return self._persistent(lambda: self._begin(self._plan_reduce_scatter(sendbuf, recvbuf, counts, op)))

    def Scan_init(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, info: Any = None) -> Prequest:
        """A persistent ``Scan``."""
        del info
        return self._persistent(lambda: self.Iscan(sendbuf, recvbuf, op))

    def Exscan_init(self, sendbuf: Any, recvbuf: Any, op: OpLike = SUM, info: Any = None) -> Prequest:
        """A persistent ``Exscan``."""
        del info
        return self._persistent(lambda: self.Iexscan(sendbuf, recvbuf, op))

    # --- inside -----------------------------------------------------------------------------------

    def _persistent(self, begin: Callable[[], Request]) -> Prequest:
        self._check_open()
        return Prequest(self._engine, begin)

    def _check_outgoing(self, buf: Any, dest: int, tag: int) -> None:
        self._check_tag(tag)
        if dest != PROC_NULL:
            self._check_rank(dest, "dest")
        self._outgoing(buf, dest)
