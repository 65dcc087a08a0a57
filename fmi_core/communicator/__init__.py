"""The communicator: what a program holds, and how it talks to the other ranks."""

from __future__ import annotations

from fmi_core.communicator.communicator import Communicator

__all__ = ["Communicator"]
