"""What news becomes."""

from __future__ import annotations

from typing import get_args

import pytest

from fmi_core.control import Notice, NoticeKind, error_of
from fmi_core.errors import AbortedError, FmiError, MismatchError, PeerLostError, RendezvousError


@pytest.mark.parametrize(
    ("notice", "kind", "text", "fields"),
    [
        (
            Notice("lost", 3, "it failed"),
            PeerLostError,
            "rank 3 is lost: it failed",
            {"rank": 3, "reason": "it failed"},
        ),
        (Notice("abort", 2, "enough", 7), AbortedError, "exit code 7: enough", {"rank": 2, "code": 7}),
        (Notice("mismatch", 1, "roots differ"), MismatchError, "roots differ", {}),
        (Notice("fenced", 0, "attempt 2 came"), RendezvousError, "attempt 2 came", {}),
    ],
)
def test_each_kind_of_notice_is_an_error_of_its_own(notice, kind, text, fields):
    error = error_of(notice)
    assert type(error) is kind
    assert text in str(error)
    for name, value in fields.items():
        assert getattr(error, name) == value


@pytest.mark.parametrize("kind", get_args(NoticeKind))
def test_every_kind_has_an_error_and_the_rank_is_said_once(kind):
    error = error_of(Notice(kind, 3, "rank 3 raised KeyError"))
    assert isinstance(error, FmiError)
    assert str(error).count("rank 3") == 1
    assert "raised KeyError" in str(error)


def test_a_mismatch_names_who_said_it_and_other_ranks_stay_in_the_sentence():
    assert error_of(Notice("mismatch", 1, "rank 2 differs")).calls == {1: "rank 2 differs"}
    assert "lost: rank 30 said so" in str(error_of(Notice("lost", 3, "rank 30 said so")))
