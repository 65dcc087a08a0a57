"""A rank's settings, from the environment."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from fmi_core import settings as module
from fmi_core.errors import ConfigError
from fmi_core.settings import Settings, parse_tune

SECRET = "s" * 32
FULL = {
    "FMI_RANK": "2",
    "FMI_SIZE": "4",
    "FMI_JOB": "mine",
    "FMI_SECRET": SECRET,
    "FMI_BROKER": "tcp://127.0.0.1:5",
    "FMI_ATTEMPT": "3",
    "FMI_CHANNEL": "tcp",
    "FMI_TIMEOUT": "2m",
    "FMI_JOIN_TIMEOUT": "500ms",
    "FMI_BIND": "::1",
    "FMI_UNEXPECTED_LIMIT": "1MiB",
    "FMI_HINT": "cheap",
    "FMI_TUNE": "allreduce:ring, bcast:chain/4",
}


def test_an_empty_environment_is_a_program_alone():
    assert Settings.from_environment({}) == Settings()


def test_every_variable_is_read():
    got = Settings.from_environment(FULL)
    assert (got.rank, got.size, got.job, got.attempt) == (2, 4, "mine", 3)
    assert got.secret is not None
    assert got.secret.reveal() == SECRET
    assert (got.broker, got.channel, got.bind, got.hint) == ("tcp://127.0.0.1:5", "tcp", "::1", "cheap")
    assert (got.timeout_s, got.join_timeout_s, got.unexpected_limit_bytes) == (120, 0.5, 2**20)
    assert got.tune == {"allreduce": "ring", "bcast": "chain/4"}
    assert SECRET not in repr(got)


def test_the_table_in_the_docstring_lists_every_variable_with_its_default():
    rows = re.findall(r"^``(FMI_\w+)``", module.__doc__, re.MULTILINE)
    assert set(rows) == set(FULL)
    for default in ("``300s``", "``60s``", "``256MiB``", "``auto``", "``fast``", "``127.0.0.1``"):
        assert default in module.__doc__


@pytest.mark.parametrize(
    ("change", "name", "text"),
    [
        ({"FMI_RANK": "4"}, "FMI_RANK", "FMI_RANK is 4; expected 0 to 3"),
        ({"FMI_RANK": "-1"}, "FMI_RANK", "FMI_RANK is -1"),
        ({"FMI_RANK": "x"}, "FMI_RANK", "FMI_RANK is 'x'; expected a whole number"),
        ({"FMI_RANK": None}, "FMI_RANK", "FMI_RANK is not set; expected a whole number"),
        ({"FMI_SIZE": None}, "FMI_SIZE", "FMI_SIZE is not set"),
        ({"FMI_SIZE": "0"}, "FMI_SIZE", "FMI_SIZE is 0; expected 1 or more"),
        (
            {"FMI_BROKER": None},
            "FMI_BROKER",
            "FMI_BROKER is not set, but FMI_SIZE is 4; start the program with 'fmi run",
        ),
        ({"FMI_SECRET": None}, "FMI_SECRET", "FMI_SECRET is not set"),
        ({"FMI_SECRET": "short"}, "FMI_SECRET", "has 5 characters"),
        ({"FMI_ATTEMPT": "-1"}, "FMI_ATTEMPT", "FMI_ATTEMPT is -1; expected 0 or more"),
        ({"FMI_UNEXPECTED_LIMIT": "0"}, "FMI_UNEXPECTED_LIMIT", "FMI_UNEXPECTED_LIMIT is 0; expected 1 or more"),
        ({"FMI_ATTEMPT": ""}, "FMI_ATTEMPT", "FMI_ATTEMPT is ''"),
        ({"FMI_TIMEOUT": "soon"}, "FMI_TIMEOUT", "FMI_TIMEOUT is 'soon'; expected a duration"),
        ({"FMI_JOIN_TIMEOUT": "0"}, "FMI_JOIN_TIMEOUT", "expected more than zero"),
        ({"FMI_UNEXPECTED_LIMIT": "lots"}, "FMI_UNEXPECTED_LIMIT", "expected a size"),
        ({"FMI_HINT": "slow"}, "FMI_HINT", "FMI_HINT is 'slow'; expected one of fast, cheap"),
        ({"FMI_TUNE": "ring"}, "FMI_TUNE", "the entry 'ring'; expected collective:algorithm"),
    ],
)
def test_a_wrong_variable_is_named_with_what_was_expected(change, name, text):
    environment = {key: value for key, value in {**FULL, **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=re.escape(text)) as caught:
        Settings.from_environment(environment)
    assert caught.value.name == name
    assert SECRET not in str(caught.value)


def test_tuning_may_be_empty():
    assert parse_tune(" , ") == {}


ROWS = re.findall(r"^``(FMI_\w+)`` .* {2}(?:``(\S+)``|(\S+))$", module.__doc__, re.MULTILINE)
DEFAULTS = {name: quoted or plain for name, quoted, plain in ROWS}


def test_every_row_has_the_default_that_the_code_has():
    defaults = {name: default for name, default in DEFAULTS.items() if default != "–"}
    assert Settings.from_environment({"FMI_RANK": "0", **defaults}) == Settings()
    assert set(DEFAULTS) == set(FULL)


def test_the_code_reads_what_the_table_lists():
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    read = {text for text in texts if re.fullmatch(r"FMI_[A-Z_]+", text)} | {"FMI_RANK", "FMI_SIZE"}
    assert read == set(DEFAULTS)
    assert len(dataclasses.fields(Settings)) == len(DEFAULTS)


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    for name, value in FULL.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == Settings.from_environment(FULL)


@pytest.mark.parametrize("name", sorted(set(FULL) - {"FMI_JOB", "FMI_CHANNEL", "FMI_BIND", "FMI_BROKER", "FMI_SECRET"}))
def test_an_error_has_the_name_and_the_value(name):
    with pytest.raises(ConfigError, match=name) as caught:
        Settings.from_environment({**FULL, name: "?"})
    assert caught.value.name == name
    assert caught.value.value == "?"
    assert "'?'" in str(caught.value)


def test_the_secret_is_in_no_error():
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({**FULL, "FMI_SECRET": "tooshort-secret"})
    assert "tooshort" not in str(caught.value) + repr(caught.value) + str(vars(caught.value))
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({**FULL, "FMI_RANK": "7"})
    assert SECRET not in str(vars(caught.value)) + repr(caught.value)


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().rank = 1


def test_one_rank_needs_neither_broker_nor_secret():
    got = Settings.from_environment({"FMI_RANK": "0", "FMI_SIZE": "1", "FMI_SECRET": "", "FMI_TUNE": "bcast:flat"})
    assert (got.secret, got.broker, got.tune) == (None, None, {"bcast": "flat"})
