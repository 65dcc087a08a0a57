"""Sizes and durations as people write them."""

from __future__ import annotations

import math
import re

from fmi_core.errors import ConfigError

__all__ = ["format_bytes", "format_seconds", "parse_duration_s", "parse_size_bytes"]

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-zµ]*)\s*")
_SIZES = {
    "": 1, "b": 1,
    "k": 2**10, "kib": 2**10, "kb": 10**3,
    "m": 2**20, "mib": 2**20, "mb": 10**6,
    "g": 2**30, "gib": 2**30, "gb": 10**9,
}  # fmt: skip
_DURATIONS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def _parse(text: str, units: dict[str, float] | dict[str, int], name: str, examples: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match and match[2].lower() in units:
        value = float(match[1]) * units[match[2].lower()]
        if math.isfinite(value):
            return value
    raise ConfigError(f"{name} is {text!r}; expected {examples}", name=name, value=text)


def parse_size_bytes(text: str, *, name: str = "size") -> int:
    """Bytes in ``text``: ``64KiB``, ``64K`` (both 65536), ``64KB`` (64000), ``1 MB``, ``1e6``, ``17``.

    Raises:
        ConfigError: the text does not parse, or is not a whole number of bytes; names ``name``.
    """
    value = _parse(text, _SIZES, name, "a size such as 4096, 64KiB or 1MB")
    if value != int(value):
        raise ConfigError(f"{name} is {text!r}; expected a whole number of bytes", name=name, value=text)
    return int(value)


def parse_duration_s(text: str, *, name: str = "duration") -> float:
    """Seconds in ``text``: ``30``, ``30s``, ``500ms``, ``2m``, ``1h``.

    Raises:
        ConfigError: the text does not parse, or is zero; names ``name``.
    """
    value = _parse(text, _DURATIONS, name, "a duration such as 30s, 500ms or 2m")
    if value <= 0:
        raise ConfigError(f"{name} is {text!r}; expected more than zero", name=name, value=text)
    return value


def format_bytes(count: int) -> str:
    """``count`` bytes for people: ``17 B``, ``64.0 KiB``, ``1.5 GiB``."""
    if count < 1024:
        return f"{count} B"
    value, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if round(value, 1) >= 1024:
            value, unit = value / 1024, larger
    return f"{value:.1f} {unit}"


def format_seconds(value_s: float) -> str:
    """``value_s`` seconds for people: ``12 µs``, ``3.4 ms``, ``5.6 s``."""
    if round(value_s, 6) < 1e-3:
        return f"{value_s * 1e6:.0f} µs"
    if round(value_s, 4) < 1:
        return f"{value_s * 1e3:.1f} ms"
    return f"{value_s:.1f} s"
