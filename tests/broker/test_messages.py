from typing import get_args

import pytest

from fmi_core.broker import messages


def test_all_messages_are_public_and_one_of_the_two_kinds():
    kinds = {*get_args(messages.Request), *get_args(messages.Reply)}
    assert {kind.__name__ for kind in kinds} | {"Request", "Reply"} == set(messages.__all__)


def test_every_request_has_a_number():
    for kind in get_args(messages.Request):
        assert "seq" in kind.__dataclass_fields__


def test_messages_do_not_change():
    with pytest.raises(AttributeError):
        messages.Done(1).seq = 2
