"""fmi-core: message passing for serverless functions, and for everything that can start a Python.

::

    import numpy as np
    import fmi_core as fmi

    with fmi.init() as comm:
        x = np.full(1_000_000, comm.rank, dtype="f8")
        comm.Allreduce(fmi.IN_PLACE, x, op=fmi.SUM)

Everything public is here; names are loaded when they are first used (PEP 562), so that the import
itself costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true; importing typing for it would cost 5 ms
if TYPE_CHECKING:
    from typing import Any

    from fmi_core import errors, testing
    from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG
    from fmi_core.communicator import Communicator
    from fmi_core.communicator.base import TAG_UB
    from fmi_core.communicator.requests import PROC_NULL, UNDEFINED, Request, Status
    from fmi_core.errors import (
        AbortedError,
        ArgumentError,
        ChannelError,
        ConfigError,
        DeadlineExceeded,
        FmiError,
        IntegrityError,
        MismatchError,
        PeerLostError,
        PluginError,
        RendezvousError,
        TruncationError,
        UnsupportedError,
    )
    from fmi_core.ops import (
        BAND,
        BOR,
        BXOR,
        LAND,
        LOR,
        LXOR,
        MAX,
        MAXLOC,
        MIN,
        MINLOC,
        PROD,
        SUM,
        Op,
    )
    from fmi_core.payload import IN_PLACE
    from fmi_core.settings import Settings
    from fmi_core.startup import init

__version__ = "0.1.0"

_HOMES = {
    "channels.matching": ("ANY_SOURCE", "ANY_TAG"),
    "communicator": ("Communicator",),
    "communicator.base": ("TAG_UB",),
    "communicator.requests": ("PROC_NULL", "UNDEFINED", "Request", "Status"),
    "errors": (
        "AbortedError", "ArgumentError", "ChannelError", "ConfigError", "DeadlineExceeded", "FmiError",
        "IntegrityError", "MismatchError", "PeerLostError", "PluginError", "RendezvousError", "TruncationError",
        "UnsupportedError",
    ),
    "ops": (
        "BAND", "BOR", "BXOR", "LAND", "LOR", "LXOR", "MAX", "MAXLOC", "MIN", "MINLOC", "PROD", "SUM", "Op",
    ),
    "payload": ("IN_PLACE",),
    "settings": ("Settings",),
    "startup": ("init",),
}  # fmt: skip
_MODULES = ("errors", "testing")
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ANY_SOURCE",
    "ANY_TAG",
    "BAND",
    "BOR",
    "BXOR",
    "IN_PLACE",
    "LAND",
    "LOR",
    "LXOR",
    "MAX",
    "MAXLOC",
    "MIN",
    "MINLOC",
    "PROC_NULL",
    "PROD",
    "SUM",
    "TAG_UB",
    "UNDEFINED",
    "AbortedError",
    "ArgumentError",
    "ChannelError",
    "Communicator",
    "ConfigError",
    "DeadlineExceeded",
    "FmiError",
    "IntegrityError",
    "MismatchError",
    "Op",
    "PeerLostError",
    "PluginError",
    "RendezvousError",
    "Request",
    "Settings",
    "Status",
    "TruncationError",
    "UnsupportedError",
    "__version__",
    "errors",
    "init",
    "testing",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None and name not in _MODULES:
        raise AttributeError(f"module 'fmi_core' has no attribute {name!r}")
    from importlib import import_module

    if home is None:
        return import_module(f"fmi_core.{name}")
    value = getattr(import_module(f"fmi_core.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
