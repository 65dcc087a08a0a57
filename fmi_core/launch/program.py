"""A Python program, ready to run as ``__main__``: as ``python file.py`` and ``python -m module`` do it."""

from __future__ import annotations

import builtins
import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

__all__ = ["Loaded", "adopt", "load"]


@dataclass(frozen=True)
class Loaded:
    """A program's ``code``, and the names that its namespace begins with."""

    code: CodeType
    names: dict[str, Any]

    def run(self, namespace: dict[str, Any]) -> None:
        """Run the program in ``namespace``; what it raises, passes."""
        namespace.update(self.names)
        exec(self.code, namespace)  # noqa: S102 - running the user's program is the purpose


def adopt(kind: str, name: str, arguments: list[str]) -> None:
    """Make ``sys.argv`` and ``sys.path[0]`` those of the program, under ``python -m`` of something else."""
    sys.argv = [name, *arguments]
    if os.environ.get("FMI_MPI4PY"):
        from fmi_core.facade.standin import install

        install()
    # For a module, sys.path[0] is the current folder, as it is now; with -P, Python puts nothing there.
    if kind == "script" and not sys.flags.safe_path:
        sys.path[0] = str(Path(name).resolve().parent)


def load(kind: str, name: str) -> Loaded:
    """The program ``name``: a path if ``kind`` is ``script``, else a module.

    Raises:
        ImportError: there is no such module, or it cannot be run.
        OSError: the script cannot be read.
        SyntaxError: the program cannot be compiled.
    """
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins, "__spec__": None}
    if kind == "module":
        spec, code = _module(name)
        sys.argv[0] = spec.origin or name
        return Loaded(
            code,
            names
            | {
                "__spec__": spec,
                "__loader__": spec.loader,
                "__package__": spec.parent,
                "__file__": spec.origin,
                "__cached__": spec.cached,
            },
        )
    path = os.path.abspath(name)  # noqa: PTH100 - resolve() would follow links, which Python does not here
    # dont_inherit: or this file's "from __future__" would hold for the program too.
    code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    return Loaded(code, names | {"__file__": path, "__package__": None, "__cached__": None})


def _module(name: str) -> tuple[ModuleSpec, CodeType]:
    spec = find_spec(name)
    if spec is None:
        raise ImportError(f"No module named {name}", name=name)
    if spec.submodule_search_locations is not None:
        if name.endswith(".__main__"):
            raise ImportError(f"{name} is a package and cannot be run")
        try:
            return _module(f"{name}.__main__")
        except ImportError as error:
            if error.name != f"{name}.__main__":
                raise
            raise ImportError(
                f"No module named {name}.__main__; {name!r} is a package and cannot be run by itself",
                name=name,
            ) from None
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(name) if get_code is not None else None
    if code is None:
        raise ImportError(f"No code object available for {name}", name=name)
    return spec, code
