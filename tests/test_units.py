"""Sizes and durations as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmi_core.errors import ConfigError
from fmi_core.units import format_bytes, format_seconds, parse_duration_s, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("17", 17), ("0", 0), ("64K", 65536), ("64KiB", 65536), ("64kb", 64000), ("1 MB", 10**6), ("1MiB", 2**20),
        ("1e6", 10**6), ("1.5KiB", 1536), (" 2 G ", 2**31), ("3gb", 3 * 10**9), ("8b", 8),
    ],
)  # fmt: skip
def test_sizes(text, count):
    assert parse_size_bytes(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1TB?", "1.5", "0.3KiB", "1e999", "1 2", "1e-3"])
def test_what_is_no_size_is_named(text):
    with pytest.raises(ConfigError, match="limit is ") as caught:
        parse_size_bytes(text, name="limit")
    assert (caught.value.name, caught.value.value) == ("limit", text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("500ms", 0.5), ("2m", 120), ("2 min", 120), ("1h", 3600), ("5us", 5e-6), ("5µs", 5e-6)],
)
def test_durations(text, seconds):
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "0s", "-3s", "1d", "inf", "nan", "1e400"])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(ConfigError, match="wait is ") as caught:
        parse_duration_s(text, name="wait")
    assert (caught.value.name, caught.value.value) == ("wait", text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 * 2**19, "1.5 MiB"),
        (2**30, "1.0 GiB"),
        (2**41, "2048.0 GiB"),
    ],
)
def test_bytes_for_people(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(("value", "text"), [(12e-6, "12 µs"), (3.44e-3, "3.4 ms"), (5.61, "5.6 s"), (0, "0 µs")])
def test_seconds_for_people(value, text):
    assert format_seconds(value) == text


SIZES = {"": 1, "B": 1, "K": 2**10, "KiB": 2**10, "KB": 1000, "M": 2**20, "MiB": 2**20, "MB": 10**6, "G": 2**30}


@given(st.integers(0, 10**5), st.sampled_from([*SIZES]), st.sampled_from(["", " "]), st.booleans())
def test_every_unit_in_any_case(count, unit, space, lower):
    text = f"{count}{space}{unit}"
    assert parse_size_bytes(text.lower() if lower else text) == count * SIZES[unit]


@given(st.text(max_size=8))
def test_any_text_is_a_number_or_an_error_of_ours(text):
    for parse in (parse_size_bytes, parse_duration_s):
        with contextlib.suppress(ConfigError):
            assert parse(text) >= 0


@given(st.integers(1, 1023), st.sampled_from(["KiB", "MiB", "GiB"]))
def test_whole_sizes_for_people_are_read_back(count, unit):
    assert parse_size_bytes(format_bytes(parse_size_bytes(f"{count}{unit}"))) == parse_size_bytes(f"{count}{unit}")


def test_rounding_never_shows_a_thousand_of_the_smaller_unit():
    assert format_bytes(2**20 - 1) == "1.0 MiB"
    assert format_bytes(2**30 - 1) == "1.0 GiB"
    assert format_seconds(0.99999) == "1.0 s"
    assert format_seconds(0.0009999) == "1.0 ms"
