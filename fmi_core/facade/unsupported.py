"""Classes of MPI's that functions cannot offer: their names exist, any use says what to do instead."""

from __future__ import annotations

from typing import Any

from fmi_core.communicator import Communicator
from fmi_core.communicator.foreign import refuse

__all__ = ["File", "Grequest", "Intercomm", "Null", "Session", "Win"]


class _Refusing(type):
    """A class whose every attribute, and whose every call, is refused."""

    _instead: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"MPI.{cls.__name__}.{name}", cls._instead)

    def __call__(cls, *_: Any, **__: Any) -> Any:
        refuse(f"MPI.{cls.__name__}", cls._instead)


class Win(metaclass=_Refusing):
    """One-sided communication."""

    _instead = "functions do not see each other's memory; use Send and Recv, or a collective"


class File(metaclass=_Refusing):
    """Parallel files."""

    _instead = "functions share no files; let every rank write an object of its own, or gather to one rank"


class Grequest(metaclass=_Refusing):
    """Requests of a program's own."""

    _instead = "use concurrent.futures.Future for operations of your own"


class Session(metaclass=_Refusing):
    """Sessions."""

    _instead = "use COMM_WORLD and Create_group"


class _RefusingComm(_Refusing):
    pass


class Intercomm(Communicator, metaclass=_RefusingComm):
    """Communicators that join two groups; no communicator is one."""

    _instead = "use Split, and messages between ranks of a communicator that has both groups"


class Null:
    """What stands for no window, no file, no session: false, and any use is refused."""

    def __init__(self, name: str, of: Any) -> None:
        self._name = name
        self._of = of

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._of, name)

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"fmi.{self._name}"
