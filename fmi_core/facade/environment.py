"""MPI's calls about the program itself: its beginning and end, versions, clocks, memory.

Where the state lives: the communicator of all ranks is made when it is first asked for, and kept per
rank: for the process, or, where ranks are threads, in the thread's context. Once it was closed, it stays closed.
"""

from __future__ import annotations

import ctypes
import platform
import threading
import time
from contextvars import ContextVar
from typing import Any, NoReturn

from fmi_core import runtime
from fmi_core.codes import text_of
from fmi_core.communicator import Communicator
from fmi_core.communicator.foreign import refuse
from fmi_core.communicator.topology import compute_dims
from fmi_core.payload import as_array, as_bytes, serialize_with
from fmi_core.startup import init

__all__ = [
    "THREAD_FUNNELED",
    "THREAD_MULTIPLE",
    "THREAD_SERIALIZED",
    "THREAD_SINGLE",
    "Pickle",
    "Rc",
    "buffer",
    "rc",
    "world",
]

THREAD_SINGLE = 0
THREAD_FUNNELED = 1
THREAD_SERIALIZED = 2
THREAD_MULTIPLE = 3

_of_process: Communicator | None = None
_of_thread: ContextVar[Communicator | None] = ContextVar("fmi_facade_world", default=None)


class Rc:
    """``mpi4py.rc``: options, which a program sets before it imports MPI. Only ``initialize`` has an effect.

    Call it to set several: ``mpi4py.rc(threads=False)``.
    """

    def __init__(self) -> None:
        self.initialize = True
        """Whether to import MPI counts as ``Init``."""
        self.threads = True
        self.thread_level = "multiple"
        self.finalize: bool | None = None
        self.fast_reduce = True
        self.recv_mprobe = True
        self.irecv_bufsz = 32768
        self.errors = "exception"

    def __call__(self, **options: Any) -> None:
        """Set options.

        Raises:
            TypeError: there is no such option.
        """
        for name, value in options.items():
            if name not in self.__dict__:
                raise TypeError(f"unexpected keyword argument {name!r}; expected one of {', '.join(self.__dict__)}")
            setattr(self, name, value)


rc = Rc()


def _known() -> Communicator | None:
    return _of_thread.get() or (_of_process if runtime.placement() is None else None)


def world() -> Communicator:
    """The communicator of all ranks of the job; the first call joins the job."""
    global _of_process  # noqa: PLW0603  # other threads of this process are the same rank
    comm = _known()
    if comm is None:
        comm = init()
        _of_thread.set(comm)
        if runtime.placement() is None:
            _of_process = comm
    return comm


# --- the beginning and the end --------------------------------------------------------------------


def Init() -> None:
    """Join the job now, not when ``COMM_WORLD`` is first used."""
    world()


def Init_thread(required: int = THREAD_MULTIPLE) -> int:
    """As :func:`Init`; returns ``THREAD_SERIALIZED``: one thread at a time may communicate."""
    del required
    world()
    return THREAD_SERIALIZED


def Finalize() -> None:
    """Leave the job together with the other ranks; communicators are of no use from then on."""
    world().close()


def Is_initialized() -> bool:
    """Whether MPI can be used: from its import on, unless ``rc.initialize`` is false."""
    return rc.initialize or _known() is not None


def Is_finalized() -> bool:
    """Whether the job was left."""
    comm = _known()
    return comm is not None and comm.closed


def Query_thread() -> int:
    """``THREAD_SERIALIZED``."""
    return THREAD_SERIALIZED


def Is_thread_main() -> bool:
    """Whether this is the thread that the rank began in."""
    return runtime.placement() is not None or threading.current_thread() is threading.main_thread()


# --- about MPI and the machine --------------------------------------------------------------------


def Get_version() -> tuple[int, int]:
    """The version of MPI's standard whose names these are."""
    return (4, 0)


def Get_library_version() -> str:
    """The name and version of this library."""
    from fmi_core import __version__

    return f"fmi-core {__version__}"


def Get_processor_name() -> str:
    """The name of this host."""
    return platform.node()


def Get_hw_resource_info() -> Any:
    """Nothing is known of the hardware."""
    from fmi_core.communicator.foreign import Info

    return Info()


def Get_error_class(errorcode: int) -> int:
    """The class of an error code: itself."""
    return errorcode


def Get_error_string(errorcode: int) -> str:
    """MPI's name of an error code, and what it means."""
    return text_of(errorcode)


def Wtime() -> float:
    """Seconds since some moment in the past; each rank has its own."""
    return time.perf_counter()


def Wtick() -> float:
    """The resolution of :func:`Wtime`, in seconds."""
    return time.get_clock_info("perf_counter").resolution


def Pcontrol(level: int) -> None:
    """Nothing: no profiler is there to be told."""


def Compute_dims(nnodes: int, dims: Any) -> list[int]:
    """Share ``nnodes`` out over the dimensions that are 0 in ``dims`` (or over so many), as evenly as possible."""
    return compute_dims(nnodes, dims)


# --- memory ---------------------------------------------------------------------------------------


class buffer:  # noqa: N801  # mpi4py's name
    """Memory as bytes. What it makes are memoryviews."""

    def __new__(cls, buf: Any) -> Any:
        """The bytes of ``buf``."""
        return cls.frombuffer(buf)

    @staticmethod
    def allocate(nbytes: int, clear: bool = False) -> memoryview:  # noqa: FBT001  # mpi4py's signature
        """``nbytes`` fresh bytes."""
        del clear
        return memoryview(bytearray(nbytes))

    @staticmethod
    def frombuffer(obj: Any, readonly: bool = False) -> memoryview:  # noqa: FBT001  # mpi4py's signature
        """The bytes of ``obj``."""
        view = as_bytes(as_array(obj, name="buf"))
        return view.toreadonly() if readonly else view

    @staticmethod
    def fromaddress(address: int, nbytes: int, readonly: bool = False) -> memoryview:  # noqa: FBT001  # mpi4py's
        """The ``nbytes`` bytes at ``address``; whoever owns them must keep them."""
        view = memoryview((ctypes.c_char * nbytes).from_address(address)).cast("B")
        return view.toreadonly() if readonly else view


def Alloc_mem(size: int, info: Any = None) -> memoryview:
    """``size`` fresh bytes."""
    del info
    return memoryview(bytearray(size))


def Free_mem(mem: memoryview) -> None:
    """Nothing to do: memory is Python's."""


def Get_address(location: Any) -> int:
    """The address of a buffer."""
    return int(as_array(location, name="location").ctypes.data)


def Aint_add(base: int, disp: int) -> int:
    """``base + disp``."""
    return base + disp


def Aint_diff(addr1: int, addr2: int) -> int:
    """``addr1 - addr2``."""
    return addr1 - addr2


def Attach_buffer(buf: Any) -> None:
    """Nothing to do: ``Bsend`` needs no buffer."""


def Detach_buffer() -> None:
    """Nothing to do."""


# --- pickle ---------------------------------------------------------------------------------------


class Pickle:
    """How objects become bytes: ``MPI.pickle``. Call its ``__init__`` to use others than :mod:`pickle`'s."""

    def __init__(self, dumps: Any = None, loads: Any = None, protocol: int | None = None, threshold: int = 0) -> None:
        import pickle

        self.PROTOCOL = 5 if protocol is None else protocol
        self.THRESHOLD = threshold
        self._dumps, self._loads = dumps, loads
        self._pickle = pickle
        serialize_with(None if dumps is None else self.dumps, None if loads is None else self.loads)

    def dumps(self, obj: Any) -> bytes:
        """``obj`` as bytes."""
        if self._dumps is None:
            return self._pickle.dumps(obj, self.PROTOCOL)
        try:
            return bytes(self._dumps(obj, self.PROTOCOL))
        except TypeError:  # a function without a protocol
            return bytes(self._dumps(obj))

    def loads(self, data: Any) -> Any:
        """The object of ``data``."""
        return self._pickle.loads(data) if self._loads is None else self._loads(data)


# --- not offered ----------------------------------------------------------------------------------


def Open_port(info: Any = None) -> NoReturn:
    """Refused: jobs do not meet."""
    del info
    refuse("Open_port", "start one job with the ranks of both, and use Split")


def Close_port(port_name: str) -> NoReturn:
    """Refused: jobs do not meet."""
    del port_name
    refuse("Close_port", "start one job with the ranks of both, and use Split")


def Publish_name(service_name: str, port_name: str, info: Any = None) -> NoReturn:
    """Refused: jobs do not meet."""
    del service_name, port_name, info
    refuse("Publish_name", "start one job with the ranks of both, and use Split")


def Unpublish_name(service_name: str, port_name: str, info: Any = None) -> NoReturn:
    """Refused: jobs do not meet."""
    del service_name, port_name, info
    refuse("Unpublish_name", "start one job with the ranks of both, and use Split")


def Lookup_name(service_name: str, info: Any = None) -> NoReturn:
    """Refused: jobs do not meet."""
    del service_name, info
    refuse("Lookup_name", "start one job with the ranks of both, and use Split")


def Register_datarep(*_: Any) -> NoReturn:
    """Refused: there are no files."""
    refuse("Register_datarep", "every rank may write a file or an object of its own, or gather to one rank")
