"""What is known of a message."""

from __future__ import annotations

from typing import Any, Final

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG
from fmi_core.datatypes import as_datatype

__all__ = ["PROC_NULL", "UNDEFINED", "Status"]

PROC_NULL: Final = -2
"""A peer that does not exist: sending to it and receiving from it does nothing."""
UNDEFINED: Final = -32766
"""An index, a rank, a colour or a count that has no value."""


class Status:
    """What is known of a message: ``source``, ``tag`` and ``nbytes``, as in MPI."""

    __slots__ = ("cancelled", "error", "nbytes", "source", "tag")

    def __init__(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, nbytes: int = 0) -> None:
        self.source = source
        self.tag = tag
        self.nbytes = nbytes
        self.error = 0
        self.cancelled = False

    def set(self, source: int, tag: int, nbytes: int) -> None:
        """Fill in all three; of a message that was not cancelled."""
        self.source, self.tag, self.nbytes = source, tag, nbytes
        self.cancelled = False

    def copy_from(self, other: Status) -> None:
        """Become equal to ``other``."""
        self.set(other.source, other.tag, other.nbytes)
        self.error, self.cancelled = other.error, other.cancelled

    @property
    def count(self) -> int:
        """The payload's size in bytes."""
        return self.nbytes

    @count.setter
    def count(self, nbytes: int) -> None:
        self.nbytes = nbytes

    def Get_source(self) -> int:
        """The rank that sent the message."""
        return self.source

    def Set_source(self, source: int) -> None:
        """Set the rank that sent the message."""
        self.source = source

    def Get_tag(self) -> int:
        """The message's tag."""
        return self.tag

    def Set_tag(self, tag: int) -> None:
        """Set the message's tag."""
        self.tag = tag

    def Get_error(self) -> int:
        """The error code: 0, since errors are raised."""
        return self.error

    def Set_error(self, error: int) -> None:
        """Set the error code."""
        self.error = error

    def Get_count(self, datatype: Any = None) -> int:
        """The payload's size, in bytes or in items of ``datatype``; :data:`UNDEFINED` if they do not divide it."""
        if datatype is None:
            return self.nbytes
        kind = as_datatype(datatype)
        size = len(kind.offsets) * kind.dtype.itemsize
        if not size:
            return 0
        return self.nbytes // size if self.nbytes % size == 0 else UNDEFINED

    def Set_count(self, datatype: Any, count: int) -> None:
        """Set the payload's size, in items of ``datatype``."""
        kind = as_datatype(datatype)
        self.nbytes = count * len(kind.offsets) * kind.dtype.itemsize

    def Get_elements(self, datatype: Any) -> int:
        """The payload's size in basic elements of ``datatype``; :data:`UNDEFINED` if they do not divide it."""
        size = as_datatype(datatype).dtype.itemsize
        return self.nbytes // size if self.nbytes % size == 0 else UNDEFINED

    def Set_elements(self, datatype: Any, count: int) -> None:
        """Set the payload's size, in basic elements of ``datatype``."""
        self.nbytes = count * as_datatype(datatype).dtype.itemsize

    def Is_cancelled(self) -> bool:
        """Whether the operation was cancelled."""
        return self.cancelled

    def Set_cancelled(self, flag: bool) -> None:  # noqa: FBT001  # MPI's signature
        """Set whether the operation was cancelled."""
        self.cancelled = flag

    def __repr__(self) -> str:
        return f"Status(source={self.source}, tag={self.tag}, nbytes={self.nbytes})"
