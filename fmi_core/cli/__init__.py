"""The command ``fmi``: one file for each subcommand.

A subcommand is a module of this package with ``HELP``, a line; ``configure(parser)``, which adds its
options; and ``execute(arguments)``, which does it and returns the exit code. To add one, write the module and
name it in :data:`COMMANDS`.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from typing import Any, NoReturn

from fmi_core.errors import FmiError

__all__ = ["COMMANDS", "main"]

COMMANDS = ("run", "broker")
"""The subcommands, in the order of the help text."""

_DESCRIPTION = """\
fmi-core: MPI-like message passing for serverless functions.
"""
_EPILOG = """\
examples:
  fmi run -n 4 program.py           run a program on 4 ranks of this machine
  fmi run --help                    all about it, with the environment variables
  fmi broker --help                 how ranks on several machines find each other

exit codes:
  0    done
  2    a wrong option, or something that is not there; one line on standard error says what
  For 'fmi run' see its own help.
"""


class _Parser(argparse.ArgumentParser):
    """Options are never abbreviated, and an error is one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fmi: error: {message}; see '{self.prog} --help'\n")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            version = metadata.version("fmi-core")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"fmi-core {version}, Python {platform.python_version()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fmi", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"{__name__}.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.configure(command)
        command.set_defaults(execute=module.execute, parser=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's) and return the exit code.

    An error that fmi-core raises on purpose becomes one line on the standard error, and exit code 2.
    """
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:  # said here, so that it points to the command's own help
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    execute: Callable[[argparse.Namespace], int] = arguments.execute
    try:
        return execute(arguments)
    except FmiError as error:
        print(f"fmi: error: {error}", file=sys.stderr)
        return 2
