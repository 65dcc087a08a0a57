"""``mpi4py.util.pkl5``: objects with their large buffers out of band, which is what fmi-core does in any case.

So ``pkl5.Intracomm(comm)`` is ``comm`` itself.
"""

from __future__ import annotations

from typing import Any

from fmi_core.communicator import Communicator
from fmi_core.communicator.matched import Message
from fmi_core.communicator.requests import Request
from fmi_core.facade.environment import Pickle

__all__ = ["Comm", "Intracomm", "Message", "Pickle", "Request", "pickle"]

pickle = Pickle()


class Comm:
    """The communicator that it is made of."""

    def __new__(cls, comm: Communicator) -> Any:
        """``comm``."""
        return comm


class Intracomm(Comm):
    """The communicator that it is made of."""
