"""What a rank is told from outside, read once from ``FMI_…`` variables and checked.

==========================  ===========================================================  ===========
variable                    meaning                                                      default
==========================  ===========================================================  ===========
``FMI_RANK``                this rank, 0 … size-1; unset: the program runs alone          –
``FMI_SIZE``                how many ranks the job has                                    1
``FMI_JOB``                 the job's name                                                ``job``
``FMI_SECRET``              the job secret, at least 16 characters                        –
``FMI_BROKER``              the broker's address, ``tcp://host:port``                     –
``FMI_ATTEMPT``             which attempt at this rank this is; a higher one wins         0
``FMI_CHANNEL``             ``auto``, ``unix``, ``tcp``, or a plugin's channel            ``auto``
``FMI_TIMEOUT``             how long one operation may wait                               ``300s``
``FMI_JOIN_TIMEOUT``        how long start-up may wait for all ranks                      ``60s``
``FMI_BIND``                the address that this rank listens on for its peers           ``127.0.0.1``
``FMI_UNEXPECTED_LIMIT``    bytes that may wait for a receive that is not yet posted      ``256MiB``
``FMI_HINT``                the objective: ``fast``, ``cheap``                            ``fast``
``FMI_TUNE``                forces algorithms: ``allreduce:ring,bcast:binomial``          –
==========================  ===========================================================  ===========
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from fmi_core.errors import ConfigError
from fmi_core.secret import Secret
from fmi_core.units import parse_duration_s, parse_size_bytes

__all__ = ["Settings"]

HINTS = ("fast", "cheap")


@dataclass(frozen=True)
class Settings:
    """One rank's settings; see the table in this module's docstring."""

    rank: int = 0
    size: int = 1
    job: str = "job"
    secret: Secret | None = None
    broker: str | None = None
    attempt: int = 0
    channel: str = "auto"
    timeout_s: float = 300.0
    join_timeout_s: float = 60.0
    bind: str = "127.0.0.1"
    unexpected_limit_bytes: int = 256 * 2**20
    hint: str = "fast"
    tune: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"FMI_SIZE is {self.size}; expected 1 or more", name="FMI_SIZE", value=self.size)
        if not 0 <= self.rank < self.size:
            raise ConfigError(
                f"FMI_RANK is {self.rank}; expected 0 to {self.size - 1} (FMI_SIZE is {self.size})",
                name="FMI_RANK",
                value=self.rank,
            )
        for name, value, least in (
            ("FMI_ATTEMPT", self.attempt, 0),
            ("FMI_UNEXPECTED_LIMIT", self.unexpected_limit_bytes, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}; expected {least} or more", name=name, value=value)
        if self.hint not in HINTS:
            raise ConfigError(
                f"FMI_HINT is {self.hint!r}; expected one of {', '.join(HINTS)}",
                name="FMI_HINT",
                value=self.hint,
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings in ``environ`` (default: the process's), checked.

        Raises:
            ConfigError: a variable is missing or wrong; the error names it.
        """
        env = os.environ if environ is None else environ
        if "FMI_RANK" not in env and "FMI_SIZE" not in env:
            alone = {"rank": 0, "size": 1}
        else:
            alone = {name: _integer(env, f"FMI_{name.upper()}") for name in ("rank", "size")}
        if alone["size"] > 1:
            for name in ("FMI_BROKER", "FMI_SECRET"):
                if not env.get(name):
                    raise ConfigError(
                        f"{name} is not set, but FMI_SIZE is {alone['size']}; "
                        "start the program with 'fmi run -n N program.py', or set it as in 'fmi broker --help'",
                        name=name,
                    )
        secret = env.get("FMI_SECRET")
        return cls(
            **alone,
            job=env.get("FMI_JOB", cls.job),
            secret=Secret(secret) if secret else None,
            broker=env.get("FMI_BROKER"),
            attempt=_integer(env, "FMI_ATTEMPT", cls.attempt),
            channel=env.get("FMI_CHANNEL", cls.channel),
            timeout_s=_duration(env, "FMI_TIMEOUT", cls.timeout_s),
            join_timeout_s=_duration(env, "FMI_JOIN_TIMEOUT", cls.join_timeout_s),
            bind=env.get("FMI_BIND", cls.bind),
            unexpected_limit_bytes=parse_size_bytes(
                env.get("FMI_UNEXPECTED_LIMIT", str(cls.unexpected_limit_bytes)),
                name="FMI_UNEXPECTED_LIMIT",
            ),
            hint=env.get("FMI_HINT", cls.hint),
            tune=parse_tune(env.get("FMI_TUNE", "")),
        )


def _integer(env: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = env.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError:
        found = "not set" if text is None else repr(text)
        raise ConfigError(f"{name} is {found}; expected a whole number", name=name, value=text) from None


def _duration(env: Mapping[str, str], name: str, default: float) -> float:
    return parse_duration_s(env[name], name=name) if name in env else default


def parse_tune(text: str) -> dict[str, str]:
    """``allreduce:ring,bcast:binomial`` as a dictionary from collective to algorithm.

    Raises:
        ConfigError: an entry has not the form ``collective:algorithm``.
    """
    forced = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        collective, colon, algorithm = entry.partition(":")
        if not (collective and colon and algorithm):
            raise ConfigError(
                f"FMI_TUNE has the entry {entry!r}; expected collective:algorithm, such as allreduce:ring",
                name="FMI_TUNE",
                value=text,
            )
        forced[collective.strip()] = algorithm.strip()
    return forced
