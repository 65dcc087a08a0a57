"""The only module that a plugin imports: the core's stable surface."""

from __future__ import annotations

from fmi_core.errors import (
    AbortedError,
    ArgumentError,
    ChannelError,
    ConfigError,
    DeadlineExceeded,
    FmiError,
    IntegrityError,
    MismatchError,
    PeerLostError,
    PluginError,
    RendezvousError,
    TruncationError,
    UnsupportedError,
)

__all__ = [
    "AbortedError",
    "ArgumentError",
    "ChannelError",
    "ConfigError",
    "DeadlineExceeded",
    "FmiError",
    "IntegrityError",
    "MismatchError",
    "PeerLostError",
    "PluginError",
    "RendezvousError",
    "TruncationError",
    "UnsupportedError",
]
