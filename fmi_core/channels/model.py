"""What a channel costs: the few numbers that the selection works with."""

from __future__ import annotations

from dataclasses import dataclass

from fmi_core.errors import ConfigError

__all__ = ["ChannelModel", "model_of"]


@dataclass(frozen=True)
class ChannelModel:
    """A channel as a LogGP-like model (Alexandrov, Ionescu, Schauser, Scheiman 1995).

    Attributes:
        name: the channel.
        latency_s: from the end of a send to its arrival, for no bytes.
        overhead_s: what one message costs its sender's processor, and again its receiver's.
        byte_s: what one byte costs its sender and, again, its receiver.
        fold_byte_s: what folding one byte costs.
        source: where the numbers come from.
    """

    name: str
    latency_s: float
    overhead_s: float
    byte_s: float
    fold_byte_s: float
    source: str


_BUILT_IN = (
    ChannelModel("memory", 20e-6, 10e-6, 0.3e-9, 0.15e-9, "uncalibrated"),
    ChannelModel("unix", 8e-6, 12e-6, 0.15e-9, 0.15e-9, "uncalibrated"),
    ChannelModel("tcp", 15e-6, 15e-6, 0.25e-9, 0.15e-9, "uncalibrated"),
)


def model_of(channel: str) -> ChannelModel:
    """The model of a built-in channel.

    Raises:
        ConfigError: there is no such channel.
    """
    for model in _BUILT_IN:
        if model.name == channel:
            return model
    names = ", ".join(model.name for model in _BUILT_IN)
    raise ConfigError(f"there is no channel {channel!r}; expected one of {names}", name="channel", value=channel)
