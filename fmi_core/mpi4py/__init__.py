"""What a program gets for ``import mpi4py`` under ``fmi run --mpi4py``.

``mpi4py.MPI`` is :mod:`fmi_core.MPI`; beside it there are ``rc``, ``util``, ``futures`` and ``run``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fmi_core.facade.environment import Rc, rc

__all__ = ["Rc", "__version__", "get_config", "get_include", "profile", "rc"]

__version__ = "4.0.0"
"""The version of mpi4py whose interface this is."""


def get_include() -> str:
    """A folder for C headers. There are none: no extension can be compiled against fmi-core."""
    return str(Path(__file__).parent)


def get_config() -> dict[str, str]:
    """How MPI was built: nothing to tell, no compiler was needed."""
    return {}


def profile(name: str, *, path: str | None = None) -> None:
    """Nothing: ``fmi run --report`` profiles."""
    del name, path


def __getattr__(name: str) -> Any:
    if name == "MPI":  # only now, so that rc may be set before
        from fmi_core import MPI

        return MPI
    raise AttributeError(f"module 'mpi4py' has no attribute {name!r}")
