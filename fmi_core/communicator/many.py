"""Many requests at once: wait for all, for one, for some; or test them.

The lower-case methods also give results, as mpi4py's do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fmi_core.communicator.status import UNDEFINED, Status
from fmi_core.engine.progress import Pending

if TYPE_CHECKING:
    from fmi_core.communicator.requests import Request

__all__ = ["ManyRequests"]


class ManyRequests:
    """The part of :class:`~fmi_core.communicator.requests.Request` that deals with several of them."""

    @classmethod
    def waitall(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> list[Any]:
        """Wait for all; returns their results in order."""
        results = []
        for index, request in enumerate(requests):
            status = Status()
            results.append(request.wait(status))
            _put(statuses, index, status)
        return results

    @classmethod
    def waitany(cls, requests: Sequence[Request], status: Status | None = None) -> tuple[int, Any]:
        """Wait for one of those that had not been completed; returns its index and result.

        With none left, the index is :data:`UNDEFINED`.
        """
        open_ones = _open(requests)
        if not open_ones:
            _clear(status)
            return UNDEFINED, None
        index = _wait_for_one(requests, open_ones)
        return index, requests[index].wait(status)

    @classmethod
    def waitsome(
        cls, requests: Sequence[Request], statuses: list[Status] | None = None
    ) -> tuple[list[int] | None, list[Any] | None]:
        """Wait for at least one of those that had not been completed; returns indices and results of all that are.

        With none left, both are ``None``.
        """
        open_ones = _open(requests)
        if not open_ones:
            return None, None
        _wait_for_one(requests, open_ones)
        return cls.testsome(requests, statuses)

    @classmethod
    def testall(
        cls, requests: Sequence[Request], statuses: list[Status] | None = None
    ) -> tuple[bool, list[Any] | None]:
        """Whether all are complete, and then their results; never waits."""
        flags = [request.get_status() for request in requests]
        return (True, cls.waitall(requests, statuses)) if all(flags) else (False, None)

    @classmethod
    def testany(cls, requests: Sequence[Request], status: Status | None = None) -> tuple[int, bool, Any]:
        """Whether one of those that had not been completed now is: index, flag, result; never waits."""
        open_ones = _open(requests)
        for index in open_ones:
            flag, result = requests[index].test(status)
            if flag:
                return index, True, result
        if not open_ones:
            _clear(status)
        return UNDEFINED, not open_ones, None

    @classmethod
    def testsome(
        cls, requests: Sequence[Request], statuses: list[Status] | None = None
    ) -> tuple[list[int] | None, list[Any] | None]:
        """Indices and results of those that had not been completed and now are; never waits.

        With none left to complete, both are ``None``.
        """
        open_ones = _open(requests)
        if not open_ones:
            return None, None
        indices: list[int] = []
        results: list[Any] = []
        for index in open_ones:
            status = Status()
            flag, result = requests[index].test(status)
            if flag:
                _put(statuses, len(indices), status)
                indices.append(index)
                results.append(result)
        return indices, results

    @classmethod
    def Waitall(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> bool:
        """Wait for all; always true."""
        cls.waitall(requests, statuses)
        return True

    @classmethod
    def Waitany(cls, requests: Sequence[Request], status: Status | None = None) -> int:
        """Wait for one of those that had not been completed; returns its index."""
        return cls.waitany(requests, status)[0]

    @classmethod
    def Waitsome(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> list[int] | None:
        """Wait for at least one of those that had not been completed; returns the indices of all that are."""
        return cls.waitsome(requests, statuses)[0]

    @classmethod
    def Testall(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> bool:
        """Whether all are complete; never waits."""
        return cls.testall(requests, statuses)[0]

    @classmethod
    def Testany(cls, requests: Sequence[Request], status: Status | None = None) -> tuple[int, bool]:
        """Whether one of those that had not been completed now is: index and flag; never waits."""
        return cls.testany(requests, status)[:2]

    @classmethod
    def Testsome(cls, requests: Sequence[Request], statuses: list[Status] | None = None) -> list[int] | None:
        """Indices of those that had not been completed and now are; never waits."""
        return cls.testsome(requests, statuses)[0]


class _AnyOf:
    """Complete as soon as one of several is."""

    call = b""

    def __init__(self, pendings: Sequence[Pending]) -> None:
        self._pendings = pendings
        self.context = pendings[0].context & ~1  # as for a receive from any: one of the ranks is enough
        self.tag = pendings[0].tag
        self.first = 0

    def advance(self) -> bool:
        for index, pending in enumerate(self._pendings):
            if pending.advance():
                self.first = index
                return True
        return False

    def owed_by(self) -> Sequence[int]:
        return sorted({rank for pending in self._pendings for rank in pending.owed_by()})

    def describe(self) -> str:
        return "waitany of " + ", ".join(pending.describe() for pending in self._pendings)


def _open(requests: Sequence[Request]) -> list[int]:
    return [index for index, request in enumerate(requests) if not request.complete]


def _wait_for_one(requests: Sequence[Request], open_ones: Sequence[int]) -> int:
    any_of = _AnyOf([requests[index].pending for index in open_ones])
    requests[open_ones[0]].engine.wait(any_of)
    return open_ones[any_of.first]


def _clear(status: Status | None) -> None:
    if status is not None:
        status.copy_from(Status())


def _put(statuses: list[Status] | None, index: int, status: Status) -> None:
    if statuses is None:
        return
    if index < len(statuses):
        statuses[index].copy_from(status)
    else:
        statuses.append(status)
