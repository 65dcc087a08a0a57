"""What MPI programs ask of a communicator beside messages: attributes, error handlers, hints, handles.

And what is not offered: processes that come and go, and communicators that join two groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Self

from fmi_core.communicator.base import TAG_UB, CommunicatorBase
from fmi_core.errors import ArgumentError, UnsupportedError

__all__ = ["ATTRIBUTES", "ERRORS_RETURN", "Errhandler", "Foreign", "Info", "refuse"]

ATTRIBUTES = {"TAG_UB": 1, "IO": 2, "HOST": 3, "WTIME_IS_GLOBAL": 4, "UNIVERSE_SIZE": 5, "APPNUM": 6, "LASTUSEDCODE": 7}
"""The keys of MPI's own attributes."""
_FIRST_KEY = 100
_ATTRIBUTES: dict[int, int] = {1: TAG_UB, 2: -1, 3: -2, 4: 0}  # IO: any rank, HOST: none, clocks differ


def refuse(feature: str, instead: str) -> NoReturn:
    """Refuse ``feature``, which functions cannot have.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(f"{feature} is not offered by fmi-core: {instead}", feature=feature)


class Errhandler:
    """What MPI does about an error. Accepted and remembered: an error is an exception in any case."""

    def __init__(self, name: str = "ERRHANDLER_NULL") -> None:
        self.name = name

    def Free(self) -> None:
        """Nothing to do."""

    def __bool__(self) -> bool:
        return self.name != "ERRHANDLER_NULL"

    def __repr__(self) -> str:
        return f"fmi.{self.name}"


ERRORS_RETURN = Errhandler("ERRORS_RETURN")


class Info(dict[str, str]):
    """Hints: a dictionary of texts, of which nothing is made."""

    @classmethod
    def Create(cls, items: Any = ()) -> Self:
        """One of ``items``."""
        return cls(items)

    @classmethod
    def Create_env(cls, args: Any = None) -> Self:
        """An empty one."""
        del args
        return cls()

    def Dup(self) -> Self:
        """Another one like it."""
        return type(self)(self)

    def Free(self) -> None:
        """Forget all hints."""
        self.clear()

    def Set(self, key: str, value: str) -> None:
        """Set a hint."""
        self[key] = value

    def Get(self, key: str) -> str | None:
        """A hint; ``None``: there is none."""
        return self.get(key)

    def Delete(self, key: str) -> None:
        """Forget a hint."""
        if key not in self:
            raise ArgumentError(f"there is no hint {key!r}", argument="key", value=key)
        del self[key]

    def Get_nkeys(self) -> int:
        """The number of hints."""
        return len(self)

    def Get_nthkey(self, n: int) -> str:
        """The name of hint ``n``, from 0."""
        return list(self)[n]


_keyvals = iter(range(_FIRST_KEY, 2**31))


class Foreign(CommunicatorBase):
    """The rest of mpi4py's methods of a communicator."""

    # --- attributes, handlers, hints --------------------------------------------------------------

    @classmethod
    def Create_keyval(
        cls,
        copy_fn: Callable[..., Any] | None = None,
        delete_fn: Callable[..., Any] | None = None,
        nopython: bool = False,  # noqa: FBT001  # mpi4py's signature
    ) -> int:
        """A key for an attribute of your own; ``Dup`` copies no attributes, and the functions are not called."""
        del copy_fn, delete_fn, nopython
        return next(_keyvals)

    @classmethod
    def Free_keyval(cls, keyval: int) -> int:
        """Nothing to do; gives an invalid key."""
        del keyval
        return 0

    def Get_attr(self, keyval: int) -> Any:
        """An attribute of MPI's, such as that of ``MPI.TAG_UB``, or one of your own; ``None``: it is not set."""
        if keyval == ATTRIBUTES["UNIVERSE_SIZE"]:
            return self._engine.size
        return _ATTRIBUTES.get(keyval, self._extras.get(keyval))

    def Set_attr(self, keyval: int, attrval: Any) -> None:
        """Set an attribute of your own, of this communicator on this rank."""
        if not keyval >= _FIRST_KEY:
            raise ArgumentError(
                f"keyval is {keyval!r}; expected one that Create_keyval gave", argument="keyval", value=keyval
            )
        self._extras[keyval] = attrval

    def Delete_attr(self, keyval: int) -> None:
        """Forget an attribute of your own."""
        self._extras.pop(keyval, None)

    def Set_errhandler(self, errhandler: Errhandler) -> None:
        """Remember ``errhandler``; errors are exceptions as before."""
        self._extras["errhandler"] = errhandler

    def Get_errhandler(self) -> Errhandler:
        """The one that was set; at first ``MPI.ERRORS_RETURN``."""
        handler: Errhandler = self._extras.get("errhandler", ERRORS_RETURN)
        return handler

    def Call_errhandler(self, errorcode: int) -> None:
        """Nothing: who calls it goes on."""

    def Set_info(self, info: Info) -> None:
        """Remember ``info``; nothing is made of it."""
        self._extras["info"] = info.Dup()

    def Get_info(self) -> Info:
        """The hints that were set."""
        return Info(self._extras.get("info", {}))

    @property
    def info(self) -> Info:
        """The hints that were set; may be set."""
        return self.Get_info()

    @info.setter
    def info(self, info: Info) -> None:
        self.Set_info(info)

    @property
    def _extras(self) -> dict[Any, Any]:
        found: dict[Any, Any] = self.__dict__.setdefault("_extra", {})
        return found

    def Attach_buffer(self, buf: Any) -> None:
        """Nothing to do: ``Bsend`` needs no buffer."""

    def Detach_buffer(self) -> None:
        """Nothing to do."""

    def Flush_buffer(self) -> None:
        """Nothing to do."""

    @classmethod
    def Get_parent(cls) -> Any:
        """``COMM_NULL``: no program is started by another."""
        from fmi_core.communicator.null import COMM_NULL

        return COMM_NULL

    def Get_remote_size(self) -> int:
        """Refused: there are no inter-communicators."""
        refuse("Get_remote_size", _NO_INTER)

    def Get_remote_group(self) -> Any:
        """Refused: there are no inter-communicators."""
        refuse("Get_remote_group", _NO_INTER)

    # --- not offered ------------------------------------------------------------------------------

    def Create_intercomm(self, local_leader: int, peer_comm: Any, remote_leader: int, tag: int = 0) -> Any:
        """Refused: there are no inter-communicators."""
        del local_leader, peer_comm, remote_leader, tag
        refuse("Create_intercomm", _NO_INTER)

    def Spawn(self, command: str, args: Any = None, maxprocs: int = 1, info: Any = None, root: int = 0) -> Any:
        """Refused: ranks are started all at once, by whoever starts the job."""
        del command, args, maxprocs, info, root
        refuse("Spawn", _NO_SPAWN)

    def Spawn_multiple(
        self, command: Any, args: Any = None, maxprocs: Any = None, info: Any = None, root: int = 0
    ) -> Any:
        """Refused, as :meth:`Spawn`."""
        del command, args, maxprocs, info, root
        refuse("Spawn_multiple", _NO_SPAWN)

    def Connect(self, port_name: str, info: Any = None, root: int = 0) -> Any:
        """Refused: jobs do not meet."""
        del port_name, info, root
        refuse("Connect", _NO_MEETING)

    def Accept(self, port_name: str, info: Any = None, root: int = 0) -> Any:
        """Refused: jobs do not meet."""
        del port_name, info, root
        refuse("Accept", _NO_MEETING)

    @classmethod
    def Join(cls, fd: int) -> Any:
        """Refused: jobs do not meet."""
        del fd
        refuse("Join", _NO_MEETING)

    @classmethod
    def Create_from_group(cls, group: Any, stringtag: str = "", info: Any = None, errhandler: Any = None) -> Any:
        """Refused: there are no sessions."""
        del group, stringtag, info, errhandler
        refuse("Create_from_group", "use Create_group of a communicator")


_NO_INTER = "use Split, and messages between ranks of a communicator that has both groups"
_NO_SPAWN = "start all ranks at once with 'fmi run -n N', and give some of them the work"
_NO_MEETING = "start one job with the ranks of both, and use Split"
