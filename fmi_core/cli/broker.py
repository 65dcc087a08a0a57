"""Run a broker, where the ranks of a job find each other, until Ctrl-C or SIGTERM.

'fmi run' has a broker of its own. This one is for ranks that are started in other ways: on several machines,
or as functions of a cloud. One broker serves many jobs that share one secret.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import select
import shlex
import socket
from pathlib import Path

from fmi_core.errors import ConfigError
from fmi_core.secret import Secret
from fmi_core.units import parse_duration_s

__all__ = ["HELP", "configure", "execute"]

HELP = "run a broker, where the ranks of a job find each other"

_DEFAULT_BIND = "tcp://127.0.0.1:7077"
_DEFAULT_TTL = "1h"
_ADDRESS = re.compile(r"tcp://(?P<host>\*|\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):(?P<port>[0-9]{1,5}|\*)")
_EPILOG = f"""\
the secret:
  Ranks and broker must have the same. The broker takes it from --secret-file, or else from FMI_SECRET. If
  there is neither, it makes one and shows it, this once, with the variables that ranks need.

environment variables of the broker:
  FMI_SECRET     the secret, at least 16 characters

environment variables of a rank (all of them: fmi run --help):
  FMI_BROKER     the broker's address, as the rank can reach it
  FMI_SECRET     the same secret
  FMI_SIZE       how many ranks the job has
  FMI_RANK       which of them this is, 0 to FMI_SIZE - 1
  FMI_JOB        the job's name; jobs at one time need different ones (default: job)
  FMI_ATTEMPT    which attempt at this rank it is; a higher one takes the place of a lower (default: 0)

exit codes:
  0    stopped by Ctrl-C or SIGTERM
  2    a wrong option, no usable secret, or the address is taken

examples:
  fmi broker                                        for ranks of this machine, at {_DEFAULT_BIND}
  fmi broker --bind tcp://0.0.0.0:7077              for ranks that reach this machine over the network
  fmi broker --secret-file /run/secrets/fmi --job-ttl 10m
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``fmi broker``."""
    parser.usage = "fmi broker [options]"
    parser.epilog = _EPILOG
    add = parser.add_argument
    add(
        "--bind",
        default=_DEFAULT_BIND,
        metavar="ADDRESS",
        help="where to listen, tcp://HOST:PORT; port 0: any that is free (default: %(default)s)",
    )
    add(
        "--job-ttl",
        default=_DEFAULT_TTL,
        metavar="DURATION",
        help="forget a job that nobody has used for so long (default: %(default)s)",
    )
    add("--secret-file", metavar="FILE", help="a file that holds the secret (default: FMI_SECRET is used)")


def execute(arguments: argparse.Namespace) -> int:
    """Serve until a signal says to stop.

    Raises:
        FmiError: an option is wrong, the secret is missing or too short, or the address is taken.
    """
    bind = _checked(arguments.bind)
    ttl_s = parse_duration_s(arguments.job_ttl, name="--job-ttl")
    secret, is_new = _secret(arguments.secret_file)
    from fmi_core.broker.server import Broker
    from fmi_core.launch.signals import Signals

    _allow_many_connections()
    with Signals() as signals, Broker(secret, bind=bind, job_ttl_s=ttl_s) as broker:
        print(_instructions(broker.address, secret if is_new else None), flush=True)
        while not signals.stops:
            select.select([signals], [], [])
            signals.drain()
    return 0


def _allow_many_connections() -> None:
    """A rank needs a descriptor here, and the usual soft limit of 1024 would not do for a thousand ranks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _checked(bind: str) -> str:
    match = _ADDRESS.fullmatch(bind)
    if match is None or (match["port"] != "*" and int(match["port"]) > 65535):
        raise ConfigError(
            f"--bind is {bind!r}; expected tcp://HOST:PORT, such as {_DEFAULT_BIND}",
            name="--bind",
            value=bind,
        )
    return bind


def _secret(path: str | None) -> tuple[Secret, bool]:
    """The secret, and whether it was made just now."""
    if path is not None:
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigError(
                f"--secret-file {path!r} cannot be read: {reason}", name="--secret-file", value=path
            ) from None
        return Secret(text), False
    given = os.environ.get("FMI_SECRET")
    return (Secret(given), False) if given else (Secret.generate(), True)


def _instructions(address: str, new_secret: Secret | None) -> str:
    """What to do to start ranks; the secret is in it only if nobody else knows it yet."""
    reachable = re.sub(r"//(\*|0\.0\.0\.0|\[::\])", f"//{socket.gethostname()}", address)
    shown = f"export FMI_SECRET={shlex.quote(new_secret.reveal())}" if new_secret else "# FMI_SECRET: as here"
    return (
        f"fmi broker: listening on {address}; stop it with Ctrl-C\n"
        "# start each rank with:\n"
        f"export FMI_BROKER={shlex.quote(reachable)}\n"
        f"{shown}\n"
        "export FMI_SIZE=2    # how many ranks there are\n"
        "export FMI_RANK=0    # another one for each rank: 0 to FMI_SIZE - 1"
    )
