"""The communicator of nobody."""

from __future__ import annotations

from typing import Any

from fmi_core.communicator.communicator import Communicator
from fmi_core.errors import ArgumentError

__all__ = ["COMM_NULL"]


class _Null(Communicator):
    """What a rank gets that is in none of the new communicators: false, and of no use otherwise."""

    def __init__(self) -> None:
        self.name = "COMM_NULL"

    def __getattr__(self, name: str) -> Any:
        raise ArgumentError(
            "the communicator is COMM_NULL: this rank is not in it; ask 'if comm:' before using it", argument="comm"
        )

    @property
    def _handle(self) -> None:
        return None

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "fmi.COMM_NULL"

    def __reduce__(self) -> str:
        return "COMM_NULL"


COMM_NULL = _Null()
