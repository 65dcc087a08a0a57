import contextlib
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmi_core.broker import messages, wire
from fmi_core.broker.messages import (
    Cancel,
    Claim,
    Done,
    Failed,
    Fence,
    Get,
    Granted,
    Leave,
    Missing,
    News,
    Probe,
    Put,
    Refused,
    Report,
    Values,
    Wait,
)  # fmt: skip
from fmi_core.broker.wire import MalformedError, decode_reply, decode_request, encode
from fmi_core.control import Notice

_NOTICE = Notice("abort", 3, "it has had enough\nof this: µ", -9)
_REQUESTS = [
    Claim(1, "job", 2, 3, 4),
    Put(2, "key", b"\0\xff" * 10),
    Put(2, "key", b""),
    Get(3, "key"),
    Wait(4, ("a", "b")),
    Wait(4, ()),
    Fence(5, "start"),
    Cancel(6, 4),
    Report(7, _NOTICE),
    Leave(8),
]
_REPLIES = [
    Done(1),
    Granted(2, "nonce", 2**40),
    Values(3, (b"one", None, b"", b"two")),
    Values(3, ()),
    Missing(4, ("a",), (1, 2), (2,)),
    Refused(5, "no", (1,)),
    Failed(6, _NOTICE),
    News(_NOTICE),
    Probe(),
]


def frames(header, body=b""):
    return [header if isinstance(header, bytes) else json.dumps(header).encode(), body]


@pytest.mark.parametrize("request_", _REQUESTS, ids=lambda message: type(message).__name__)
def test_requests_survive(request_):
    assert decode_request(encode(request_)) == request_


@pytest.mark.parametrize("reply", _REPLIES, ids=lambda message: type(message).__name__)
def test_replies_survive(reply):
    assert decode_reply(encode(reply)) == reply


def test_every_kind_of_message_is_tried_here():
    assert {type(message) for message in _REQUESTS} == set(get_args(messages.Request))
    assert {type(message) for message in _REPLIES} == set(get_args(messages.Reply))


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ([], "0 frames, expected 2"),
        ([b"{}"], "1 frames, expected 2"),
        ([b"", b"", b""], "3 frames, expected 2"),
        (frames(b""), "no JSON"),
        (frames(b"\xff\xfe"), "no JSON"),
        (frames(b"[" * 100_000), "no JSON"),
        (frames(b"9" * 10_000), "no JSON"),
        (frames(b"[]"), "no JSON object"),
        (frames(b" " * (wire.MAX_HEADER_BYTES + 1)), "expected at most"),
        (frames({}), "its type is None"),
        (frames({"type": ["put"]}), "its type is"),
        (frames({"type": "done", "seq": 1}), "its type is 'done'"),
        (frames({"type": "x" * 500}), "..."),
        (frames({"type": "get", "seq": 1}), "expected ['key', 'seq']"),
        (frames({"type": "leave", "seq": 1, "more": 2}), "has the fields ['more', 'seq']"),
        (frames({"type": "leave", "seq": 1}, b"x"), "leave has a value of 1 bytes"),
        (frames({"type": "leave", "seq": True}), "seq of leave is True"),
        (frames({"type": "leave", "seq": -1}), "a whole number from 0 up"),
        (frames({"type": "leave", "seq": 1.0}), "a whole number"),
        (frames({"type": "leave", "seq": 2**60}), "a whole number"),
        (frames({"type": "get", "seq": 1, "key": ""}), "1 to 400 printable characters"),
        (frames({"type": "get", "seq": 1, "key": "a\nb"}), "printable"),
        (frames({"type": "get", "seq": 1, "key": "\ud800"}), "printable"),
        (frames({"type": "get", "seq": 1, "key": "x" * 401}), "printable"),
        (frames({"type": "get", "seq": 1, "key": 7}), "printable"),
        (frames({"type": "wait", "seq": 1, "keys": "abc"}), "a list"),
        (frames({"type": "wait", "seq": 1, "keys": ["a", 1]}), "printable"),
        (frames({"type": "claim", "seq": 1, "job": "j", "rank": 0, "size": 0, "attempt": 0}), "from 1 up"),
        (frames({"type": "report", "seq": 1, "notice": None}), "a notice"),
        (frames({"type": "report", "seq": 1, "notice": {"kind": "lost"}}), "a notice"),
        (frames({"type": "report", "seq": 1, "notice": vars(_NOTICE) | {"kind": "good"}}), "one of lost, abort"),
        (frames({"type": "report", "seq": 1, "notice": vars(_NOTICE) | {"kind": ["lost"]}}), "one of lost"),
        (frames({"type": "report", "seq": 1, "notice": vars(_NOTICE) | {"reason": "x" * 4001}}), "4000"),
        (frames({"type": "report", "seq": 1, "notice": vars(_NOTICE) | {"reason": 1}}), "a text of up to"),
    ],
)
def test_what_is_no_request_is_refused_with_what_was_expected(sent, text):
    with pytest.raises(MalformedError) as caught:
        decode_request(sent)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_number_of_a_malformed_request_is_kept_for_the_answer():
    with pytest.raises(MalformedError) as caught:
        decode_request(frames({"type": "get", "seq": 17, "key": ""}))
    assert caught.value.seq == 17


@pytest.mark.parametrize(("sizes", "body"), [([1], b""), ([], b"x"), ([2, -1], b"x"), ([-2], b""), ([True], b"x")])
def test_values_have_the_sizes_that_the_header_says(sizes, body):
    with pytest.raises(MalformedError):
        decode_reply(frames({"type": "values", "seq": 1, "sizes": sizes}, body))


def test_a_reply_may_be_long():
    many = Missing(1, keys=tuple(f"{'x' * 390}{number}" for number in range(4000)))
    assert decode_reply(encode(many)) == many
    assert len(encode(many)[0]) > wire.MAX_HEADER_BYTES


def test_a_reason_can_be_shown_whatever_it_is():
    told = decode_request(frames({"type": "report", "seq": 1, "notice": vars(_NOTICE) | {"reason": "\ud800!"}}))
    assert told.notice.reason == "?!"


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_are_a_request_or_malformed(sent):
    with contextlib.suppress(MalformedError):
        decode_request(sent)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*_REQUESTS, *_REPLIES]), st.data())
def test_a_message_with_one_field_changed_is_one_or_malformed(message, data):
    header, body = encode(message)
    given_ = json.loads(header)
    field = data.draw(st.sampled_from(sorted(given_)))
    given_[field] = data.draw(_JSON)
    decode = decode_request if message in _REQUESTS else decode_reply
    try:
        found = decode([json.dumps(given_).encode(), body])
    except MalformedError:
        return
    assert decode(encode(found)) == found


@pytest.mark.parametrize(("text", "good"), [("a b/c:µ", True), ("", False), ("x" * 401, False), ("a\0", False)])
def test_names(text, good):
    assert wire.is_name(text) is good
