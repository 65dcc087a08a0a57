"""Run a program on N ranks of this machine, each with its rank, its size and its broker in its environment.

A .py file or a module (-m) runs under this Python, and its failure is shown once, with its rank.
Anything else is executed as it is: 'fmi run -n 4 ./tool', 'fmi run -n 4 python program.py'.
All options come before the program; whatever follows belongs to the program.
"""

from __future__ import annotations

import argparse
import sys

from fmi_core.errors import ConfigError
from fmi_core.settings import HINTS
from fmi_core.units import parse_duration_s

__all__ = ["HELP", "configure", "execute"]

HELP = "run a program on N ranks of this machine"

_EPILOG = """\
output:
  Every line is labelled with its rank, and lines are never mixed. Rank 0 gets the standard input, the
  others get none. What a rank prints without a newline is shown once the line is complete, or the rank is
  over. A line of more than 16 MiB is cut.

failures:
  When a rank raises, exits with a code that is not 0, or is killed, the others are told, and half a second
  later stopped (SIGTERM, and SIGKILL after 2 s more), with all that they started in their process groups.
  Ctrl-C, SIGTERM and --timeout stop them at once. If fmi itself is killed, the ranks are killed too (those
  that do not run under this Python: on Linux only).

exit codes:
  0      every rank ended with 0
  N      the exit code of the rank that failed first; 1 if it raised, 128 + S if signal S killed it
  2      a wrong option, or no such program; nothing was started
  124    --timeout
  130    Ctrl-C; 143: SIGTERM; 129: SIGHUP; 141: nobody reads the output any more

environment variables that a rank is given, or that you may set:
{variables}
  NO_COLOR               no colours, even on a terminal

examples:
  fmi run -n 4 program.py --its-option
  fmi run -n 4 -m package.module its arguments
  fmi run -n 8 --timeout 10m --report program.py
  fmi run -n 3 --channel memory program.py          all ranks in one process
  fmi run --mpi4py -n 4 program.py                  a program for mpi4py, unchanged
  fmi run -n 4 --tune allreduce:ring program.py     force an algorithm
"""
# Name and meaning, as in the table of fmi_core.settings.
_VARIABLES = {
    "FMI_RANK": "given: this rank, 0 to N-1",
    "FMI_SIZE": "given: N",
    "FMI_JOB": "given: the job's name, another one each time",
    "FMI_SECRET": "given: the job's secret, another one each time",
    "FMI_BROKER": "given: the address of the broker in fmi run",
    "FMI_CHANNEL": "as --channel",
    "FMI_TIMEOUT": "as --op-timeout",
    "FMI_JOIN_TIMEOUT": "as --join-timeout",
    "FMI_HINT": "as --hint",
    "FMI_TUNE": "as --tune",
    "FMI_BIND": "the address that ranks listen on (default: 127.0.0.1)",
    "FMI_MPI4PY": "as --mpi4py",
    "FMI_UNEXPECTED_LIMIT": "bytes that may wait for a receive that is not yet posted (default: 256MiB)",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``fmi run``."""
    parser.usage = "fmi run -n N [options] program [args ...]\n       fmi run -n N [options] -m module [args ...]"
    parser.epilog = _EPILOG.format(variables="\n".join(f"  {name:22} {text}" for name, text in _VARIABLES.items()))
    add = parser.add_argument
    add("-n", "--ranks", type=int, required=True, metavar="N", help="how many ranks (required)")
    add("-m", dest="module", action="store_true", help="the program is a module, as for python -m")
    add(
        "--timeout",
        metavar="DURATION",
        help="stop the whole job after so long: 30s, 500ms, 10m (default: never)",
    )
    add("--op-timeout", metavar="DURATION", help="how long one operation may wait (default: 300s)")
    add("--join-timeout", metavar="DURATION", help="how long the start may wait for all ranks (default: 60s)")
    add("--hint", choices=HINTS, help="what to choose channels and algorithms by (default: fast)")
    add(
        "--channel",
        metavar="NAME",
        help="auto, tcp, unix, memory (all ranks are threads of one process), or a plugin's (default: auto)",
    )
    add("--tune", metavar="LIST", help="force algorithms: allreduce:ring,bcast:binomial")
    add("--mpi4py", action="store_true", help="answer the program's 'import mpi4py' with fmi-core")
    add("--report", action="store_true", help="show a table of all operations at the end")
    add("--no-labels", dest="labels", action="store_false", help="do not label lines with their rank")
    add(
        "command",
        nargs=argparse.REMAINDER,
        metavar="program",
        help="a .py file, or another executable; and its arguments",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Run the job.

    Raises:
        FmiError: an option is wrong, or the job cannot be started.
    """
    if sys.stdout is None or sys.stderr is None:  # its descriptor would be given to something else
        raise ConfigError(
            "the standard output or the standard error is closed; redirect it to a file or to /dev/null",
            name="stdout",
        )
    from fmi_core.launch import run

    durations = {
        name: None if text is None else parse_duration_s(text, name=f"--{name.replace('_', '-')}")
        for name in ("timeout", "op_timeout", "join_timeout")
        for text in [getattr(arguments, name)]
    }
    command = arguments.command
    if command[:1] == ["--"]:
        command = command[1:]
    return run(
        command,
        arguments.ranks,
        module=arguments.module,
        timeout_s=durations["timeout"],
        op_timeout_s=durations["op_timeout"],
        join_timeout_s=durations["join_timeout"],
        hint=arguments.hint,
        channel=arguments.channel,
        tune=arguments.tune,
        report=arguments.report,
        labels=arguments.labels,
        mpi4py=arguments.mpi4py,
    )
