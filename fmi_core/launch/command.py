"""The program to run: found, or refused, before any rank is started."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal

from fmi_core.errors import ConfigError

__all__ = ["Program", "resolve"]


@dataclass(frozen=True)
class Program:
    """What every rank runs: a Python ``script`` or ``module``, or another ``executable`` by its path."""

    kind: Literal["script", "module", "executable"]
    name: str
    arguments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """A short name, fit for a job's name."""
        return Path(self.name).stem or "job"


def resolve(command: Sequence[str], *, module: bool = False, mpi4py: bool = False) -> Program:
    """The program that ``command`` names.

    Args:
        command: the program and its arguments.
        module: the first word is a module's name.
        mpi4py: the program's ``import mpi4py`` is to be answered, so it must run under this Python.

    Raises:
        ConfigError: there is no such file, module or executable; the error names it and where it was sought.
    """
    if not command or not command[0]:
        raise ConfigError("no program is given; expected a program and its arguments", name="program")
    name, arguments = command[0], tuple(command[1:])
    if any("\0" in word for word in command):
        raise ConfigError(f"the command {list(command)!r} holds a zero byte", name="program", value=name)
    if module:
        of_ours = mpi4py and name.partition(".")[0] == "mpi4py"  # which need not be installed
        return Program("module", name if of_ours else _module(name), arguments)
    if name.endswith(".py"):
        return Program("script", _script(name), arguments)
    if mpi4py:
        raise ConfigError(
            f"--mpi4py answers 'import mpi4py' in Python programs only, and {name!r} is none; "
            "give a .py file or -m module",
            name="mpi4py",
            value=name,
        )
    return Program("executable", _executable(name), arguments)


def _module(name: str) -> str:
    # Only the top-level name: to find a submodule its packages would have to be imported here.
    top = name.partition(".")[0]
    here = str(Path.cwd())
    if top in sys.builtin_module_names or PathFinder.find_spec(top, [here, *sys.path]) is not None:
        return name
    raise ConfigError(
        f"module {name!r} not found: there is no {top!r} in {here} or among the installed packages",
        name="program",
        value=name,
    )


def _script(name: str) -> str:
    path = Path(name)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else f"not found in {Path.cwd()}"
        raise ConfigError(f"program {name!r} {what}; expected a Python file", name="program", value=name)
    if not os.access(path, os.R_OK):
        raise ConfigError(f"program {name!r} cannot be read: permission denied", name="program", value=name)
    return name


def _executable(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    path = Path(name)
    if path.is_dir():
        what = "is a directory; expected an executable or a .py file"
    elif path.is_file():
        what = f"is not executable; expected ./{path.name} after chmod +x, or a .py file"
    elif path.name != name:
        what = "not found; check the path"
    else:
        what = "not found in PATH; for a program in this folder write ./" + name
    raise ConfigError(f"program {name!r} {what}", name="program", value=name)
