"""The job secret is shown to nobody."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
import traceback

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


def test_a_secret_need_not_be_ascii():
    text = "пароль, который длинный"
    assert Secret(text) == Secret(text)
    assert Secret(text) != Secret(text[::-1])
    assert len({Secret(text), Secret(text)}) == 1


def test_a_key_is_the_hmac_of_its_purpose():
    want = hmac.new(TEXT.encode(), b"fmi-core/link", hashlib.sha256).digest()
    assert Secret(TEXT).derive("link") == want


def test_it_is_in_no_format_and_in_no_traceback():
    secret = Secret(TEXT)
    shown = [f"{secret!s:>20}", "%s %r" % (secret, secret), ascii(secret), str([secret]), str(hash(secret))]  # noqa: UP031
    for use in (copy.copy, copy.deepcopy, pickle.dumps, int, len):
        try:
            use(secret)
        except TypeError as error:
            shown.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    assert len(shown) == 10
    assert not any(TEXT in text for text in shown)


def test_sixteen_characters_are_enough():
    assert Secret("x" * 16).reveal() == "x" * 16
    assert len(Secret.generate().reveal()) >= 40


def test_a_secret_of_bytes_that_are_no_text_has_keys_too():
    assert len(Secret("\udcff" * 20).derive("a")) == 32
