"""Messages as bytes: two frames, a header in JSON and the values.

The header is an object with the message's ``type`` and its fields, no more and no less. Values are not in it:
they follow each other in the second frame, and ``sizes`` in the header says where each ends (-1: there is
none). What comes from outside is checked here, field by field, so that the rest of the broker needs no check
of types, and nothing is ever executed or unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from fmi_core.broker import messages
from fmi_core.broker.messages import Failed, News, Put, Reply, Report, Request, Values
from fmi_core.control import Notice, NoticeKind
from fmi_core.errors import IntegrityError

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_NAME_CHARS",
    "MAX_REASON_CHARS",
    "MalformedError",
    "decode_reply",
    "decode_request",
    "encode",
    "is_name",
]

MAX_HEADER_BYTES = 2**20
"""A header is not longer; about 50,000 keys in one ``Wait``."""
MAX_NAME_CHARS = 400
"""The names of jobs, keys and fences are not longer."""
MAX_REASON_CHARS = 4000
"""The reason in a notice, or of a refusal, is not longer."""

_MAX_INT = 2**53  # beyond it, JSON's numbers are not the same everywhere
_SHOWN_CHARS = 80
_Fields = Mapping[str, Callable[[Any], Any]]


class MalformedError(IntegrityError):
    """Frames that are no message. ``seq`` is the number of the request, 0 if even that cannot be read."""

    def __init__(self, message: str, *, seq: int = 0) -> None:
        super().__init__(message)
        self.seq = seq


def is_name(text: str) -> bool:
    """Whether ``text`` can name a job, a key or a fence: 1 to 400 printable characters."""
    return 0 < len(text) <= MAX_NAME_CHARS and text.isprintable()


def encode(message: Request | Reply) -> tuple[bytes, bytes]:
    """The two frames of ``message``."""
    header: dict[str, Any] = {"type": type(message).__name__.lower()}
    header |= {name: getattr(message, name) for name in message.__dataclass_fields__}
    body = b""
    if isinstance(message, Put):
        body = header.pop("value")
    elif isinstance(message, Values):
        values = header.pop("values")
        header["sizes"] = [-1 if value is None else len(value) for value in values]
        body = b"".join(value for value in values if value is not None)
    elif isinstance(message, Report | Failed | News):
        header["notice"] = vars(message.notice)
    return json.dumps(header, separators=(",", ":")).encode(), body


def decode_request(frames: Sequence[bytes]) -> Request:
    """The request in ``frames``.

    Raises:
        MalformedError: they are no request.
    """
    message: Request = _decode(frames, _REQUESTS, MAX_HEADER_BYTES)
    return message


def decode_reply(frames: Sequence[bytes]) -> Reply:
    """The reply in ``frames``; its length is not limited, because the broker is trusted to have one.

    Raises:
        MalformedError: they are no reply.
    """
    message: Reply = _decode(frames, _REPLIES, None)
    return message


def _decode(frames: Sequence[bytes], types: Mapping[str, _Fields], limit_bytes: int | None) -> Any:
    if len(frames) != 2:
        raise MalformedError(f"a message has {len(frames)} frames, expected 2")
    header, body = frames
    if limit_bytes is not None and len(header) > limit_bytes:
        raise MalformedError(f"a header has {len(header)} bytes, expected at most {limit_bytes}")
    try:
        given = json.loads(header)
    except (ValueError, RecursionError):
        raise MalformedError("a header is no JSON") from None
    if not isinstance(given, dict):
        raise MalformedError("a header is no JSON object")
    seq = given.get("seq")
    seq = seq if type(seq) is int and 0 <= seq <= _MAX_INT else 0
    try:
        return _build(given, body, types)
    except ValueError as error:
        raise MalformedError(f"a message is malformed: {error}", seq=seq) from None


def _build(given: dict[str, Any], body: bytes, types: Mapping[str, _Fields]) -> Any:
    name = given.pop("type", None)
    if not isinstance(name, str) or name not in types:
        raise ValueError(f"its type is {_shown(name)}")
    fields = types[name]
    if given.keys() != fields.keys():
        raise ValueError(f"{name} has the fields {_shown(sorted(given))}, expected {sorted(fields)}")
    checked = {}
    for field, check in fields.items():
        try:
            checked[field] = check(given[field])
        except ValueError as error:
            raise ValueError(f"{field} of {name} is {_shown(given[field])}; expected {error}") from None
    if name == "put":
        checked["value"] = body
    elif name == "values":
        checked["values"] = _split(body, checked.pop("sizes"))
    elif body:
        raise ValueError(f"{name} has a value of {len(body)} bytes, expected none")
    return _CLASSES[name](**checked)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def _split(body: bytes, sizes: Sequence[int]) -> tuple[bytes | None, ...]:
    if sum(size for size in sizes if size > 0) != len(body):
        raise ValueError(f"its values have {len(body)} bytes, which is not the sum of their sizes")
    values: list[bytes | None] = []
    begin = 0
    for size in sizes:
        if size < 0:
            values.append(None)
        else:
            values.append(body[begin : begin + size])
            begin += size
    return tuple(values)


# The checks: each returns the value as the message has it, or raises ValueError with what is expected.


def _whole(low: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= _MAX_INT:  # bool is an int, but not meant
            raise ValueError(f"a whole number from {low} up")
        return value

    return check


def _name(value: Any) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise ValueError(f"1 to {MAX_NAME_CHARS} printable characters")
    return value


def _reason(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_REASON_CHARS:
        raise ValueError(f"a text of up to {MAX_REASON_CHARS} characters")
    return value.encode(errors="replace").decode()  # a lone surrogate could be shown nowhere


def _each(check: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def check_all(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list):
            raise ValueError("a list")
        return tuple(map(check, values))

    return check_all


def _notice(value: Any) -> Notice:
    if not isinstance(value, dict) or value.keys() != Notice.__dataclass_fields__.keys():
        raise ValueError("a notice")
    if value["kind"] not in get_args(NoticeKind):
        raise ValueError(f"a notice whose kind is one of {', '.join(get_args(NoticeKind))}")
    return Notice(value["kind"], _whole(0)(value["rank"]), _reason(value["reason"]), _code(value["code"]))


_code = _whole(-_MAX_INT)
_NUMBER: dict[str, Callable[[Any], Any]] = {"seq": _whole(0)}
_REQUESTS: dict[str, _Fields] = {
    "claim": _NUMBER | {"job": _name, "rank": _whole(0), "size": _whole(1), "attempt": _whole(0)},
    "put": _NUMBER | {"key": _name},
    "get": _NUMBER | {"key": _name},
    "wait": _NUMBER | {"keys": _each(_name)},
    "fence": _NUMBER | {"name": _name},
    "cancel": _NUMBER | {"target": _whole(0)},
    "report": _NUMBER | {"notice": _notice},
    "leave": _NUMBER,
}
_REPLIES: dict[str, _Fields] = {
    "done": _NUMBER,
    "granted": _NUMBER | {"nonce": _name, "max_value_bytes": _whole(0)},
    "values": _NUMBER | {"sizes": _each(_whole(-1))},
    "missing": _NUMBER | {"keys": _each(_name), "ranks": _each(_whole(0)), "absent": _each(_whole(0))},
    "refused": _NUMBER | {"reason": _reason, "missing": _each(_whole(0))},
    "failed": _NUMBER | {"notice": _notice},
    "news": {"notice": _notice},
    "probe": {},
}
_CLASSES: dict[str, Callable[..., Any]] = {
    kind.__name__.lower(): kind for kind in (*get_args(messages.Request), *get_args(messages.Reply))
}
