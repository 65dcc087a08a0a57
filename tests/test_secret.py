"""The job secret is shown to nobody."""

from __future__ import annotations

import pickle

import pytest

from fmi_core.errors import ConfigError
from fmi_core.secret import Secret

TEXT = "correct horse battery staple"


def test_it_is_not_shown():
    secret = Secret(TEXT)
    for shown in (repr(secret), str(secret), f"{secret}", repr({"secret": secret})):
        assert TEXT not in shown
    assert secret.reveal() == TEXT


def test_it_is_not_pickled():
    with pytest.raises(TypeError, match="through the environment"):
        pickle.dumps(Secret(TEXT))


def test_a_short_one_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="has 8 characters, expected at least 16") as caught:
        Secret("12345678")
    assert "12345678" not in str(caught.value)
    assert caught.value.name == "FMI_SECRET"


def test_keys_differ_by_purpose_and_by_secret():
    keys = {Secret(text).derive(purpose) for text in (TEXT, TEXT[::-1]) for purpose in ("a", "b")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert Secret(TEXT).derive("a") == Secret(TEXT).derive("a")


def test_equality_and_hash():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT[::-1])
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1


def test_generated_ones_differ():
    assert Secret.generate() != Secret.generate()
