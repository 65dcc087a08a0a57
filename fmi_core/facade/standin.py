"""``import mpi4py`` answered by :mod:`fmi_core.mpi4py`, even where the real one is installed.

``mpi4py`` and all that is below it become further names of modules of the core: ``mpi4py.MPI`` is
:mod:`fmi_core.MPI`, ``mpi4py.util.pkl5`` is :mod:`fmi_core.mpi4py.util.pkl5`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

__all__ = ["install"]


def _home(name: str) -> str:
    return "fmi_core.MPI" if name == "mpi4py.MPI" else f"fmi_core.{name}"


class _Alias(Loader):
    """Gives a module of the core under another name."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._spec.name)
        self._kept = module.__spec__
        del spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._kept  # the import system has put its own there

    def get_code(self, _name: str) -> CodeType | None:
        """The code, for ``python -m``."""
        code: CodeType | None = self._spec.loader.get_code(self._spec.name)  # type: ignore[union-attr]  # a file's
        return code


class _Finder(MetaPathFinder):
    """Finds ``mpi4py`` and what is below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != "mpi4py" and not fullname.startswith("mpi4py."):
            return None
        try:
            found = importlib.util.find_spec(_home(fullname))
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r} in the stand-in for mpi4py (fmi run --mpi4py)", name=fullname
            )
        package = found.submodule_search_locations is not None
        spec = ModuleSpec(fullname, _Alias(found), origin=found.origin, is_package=package)
        if package:
            spec.submodule_search_locations = list(found.submodule_search_locations or ())
        return spec


def install() -> None:
    """From now on answer ``import mpi4py``; idempotent."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
