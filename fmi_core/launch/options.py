"""What a job is told by its user, checked, and what each rank is told in turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fmi_core.errors import ConfigError
from fmi_core.settings import HINTS, parse_tune

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """The options of one job; ``None`` leaves what the launcher's own environment says.

    Raises:
        ConfigError: an option is wrong; the error names it and its value.
    """

    ranks: int
    timeout_s: float | None = None
    op_timeout_s: float | None = None
    join_timeout_s: float | None = None
    hint: str | None = None
    channel: str | None = None
    tune: str | None = None
    report: bool = False
    labels: bool = True
    mpi4py: bool = False

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ConfigError(
                f"the number of ranks is {self.ranks}; expected 1 or more", name="ranks", value=self.ranks
            )
        for name in ("timeout_s", "op_timeout_s", "join_timeout_s"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} is {value}; expected seconds, more than zero", name=name, value=value)
        if self.hint is not None and self.hint not in HINTS:
            raise ConfigError(
                f"the hint is {self.hint!r}; expected one of {', '.join(HINTS)}", name="hint", value=self.hint
            )
        if self.channel == "":
            raise ConfigError(
                "the channel is empty; expected auto, tcp, unix, memory or a plugin's channel",
                name="channel",
                value="",
            )
        parse_tune(self.tune or "")

    def in_memory(self, environ: Mapping[str, str]) -> bool:
        """Whether the ranks are threads of one process, asked for here or in ``environ``."""
        return (self.channel or environ.get("FMI_CHANNEL")) == "memory"

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """``environ`` with the ``FMI_…`` variables that all ranks of the job have in common.

        What belongs to another job (this launcher may itself run inside a rank) is left out.
        """
        inherited = {
            name: value
            for name, value in environ.items()
            if name not in ("FMI_RANK", "FMI_ATTEMPT", "FMI_BROKER", "FMI_SECRET", "FMI_JOB")
        }
        given = {
            "FMI_SIZE": self.ranks,
            "FMI_TIMEOUT": self.op_timeout_s,
            "FMI_JOIN_TIMEOUT": self.join_timeout_s,
            "FMI_HINT": self.hint,
            "FMI_CHANNEL": self.channel,
            "FMI_TUNE": self.tune,
            "FMI_MPI4PY": 1 if self.mpi4py else None,
        }
        return inherited | {name: str(value) for name, value in given.items() if value is not None}
