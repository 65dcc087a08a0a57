"""``python -m mpi4py.futures program.py``: rank 0 runs the program, the other ranks are its workers.

Workers read the program as well, under the name ``__worker__``, so that they know its functions.
"""

from __future__ import annotations

import sys

from fmi_core.facade.environment import world
from fmi_core.mpi4py.futures.executors import enter
from fmi_core.mpi4py.run import run_program


def main() -> None:
    """Run the program on the command line, or serve."""
    master = world().rank == 0
    if not master:
        namespace = run_program(sys.argv[1:], "__worker__")
        names = {name: value for name, value in namespace.items() if not name.startswith("__")}
        vars(sys.modules["__main__"]).update(names)
        for value in names.values():  # pickle looks for them where the master's are
            if getattr(value, "__module__", None) == "__worker__":
                value.__module__ = "__main__"
    enter()
    run_program(sys.argv[1:])


if __name__ == "__main__":
    main()
