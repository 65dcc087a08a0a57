"""``python -m mpi4py.run``: run a program; if it raises, the whole job ends, as it does in any case here.

::

    fmi run --mpi4py -n 4 -m mpi4py.run program.py
    fmi run --mpi4py -n 4 -m mpi4py.run -m package.module
    fmi run --mpi4py -n 4 -m mpi4py.run -c "from mpi4py import MPI; print(MPI.COMM_WORLD.rank)"
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

__all__ = ["main", "run_program"]


def run_program(arguments: list[str], name: str = "__main__") -> dict[str, object]:
    """Run the program that ``arguments`` name, as Python would; returns its namespace.

    Raises:
        SystemExit: none is named.
    """
    while arguments and (arguments[0].startswith("--") or arguments[0] == "-rc"):
        arguments = arguments[2 if arguments[0] in ("-rc", "--rc") else 1 :]  # mpi4py's own, of no use here
    if not arguments:
        raise SystemExit("mpi4py: no program is given; expected a path, -m and a module, or -c and a command")
    kind, *rest = arguments
    if kind in ("-m", "-c") and not rest:
        raise SystemExit(f"mpi4py: nothing follows {kind}")
    if kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        namespace: dict[str, object] = {"__name__": name}
        exec(compile(rest[0], "<string>", "exec", dont_inherit=True), namespace)  # noqa: S102  # what -c is for
        return namespace
    if kind == "-m":
        sys.argv = rest
        return runpy.run_module(rest[0], run_name=name, alter_sys=True)
    sys.argv = arguments
    sys.path[0] = str(Path(kind).resolve().parent)
    return runpy.run_path(kind, run_name=name)


def main() -> None:
    """Run the program on the command line."""
    run_program(sys.argv[1:])


if __name__ == "__main__":
    main()
