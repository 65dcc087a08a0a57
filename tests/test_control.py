"""What news becomes."""

from __future__ import annotations

import pytest

from fmi_core.control import Notice, error_of
from fmi_core.errors import AbortedError, MismatchError, PeerLostError, RendezvousError


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
