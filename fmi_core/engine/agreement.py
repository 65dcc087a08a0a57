"""Do all ranks make the same call? Every collective message says which call it belongs to.

A *call* is a text of fields: collective, root, dtype, count, operator, algorithm. It travels with
each message as its descriptor. :class:`Agreement` remembers what this rank called as the n-th
collective of each communicator, and what others said before this rank got there; any difference
is a :class:`~fmi_core.errors.MismatchError` that names both ranks and both calls.
"""

from __future__ import annotations

from collections import deque

from fmi_core.errors import MismatchError

__all__ = ["Agreement", "call_text", "describe_call"]

_FIELDS = ("collective", "root", "dtype", "count", "op", "algorithm")
_SEPARATOR = "\x1f"
_REMEMBERED = 4096
"""How many past calls are kept, for messages of ranks that are behind."""


def call_text(collective: str, root: int, dtype: str, count: int, op: str, algorithm: str) -> bytes:
    """A call as it travels; ``root`` and ``count`` are -1, and the texts empty, where they do not apply."""
    fields = (
        collective,
        "" if root < 0 else str(root),
        dtype,
        "" if count < 0 else str(count),
        op,
        algorithm,
    )
    return _SEPARATOR.join(fields).encode()


def _fields(call: bytes) -> dict[str, str]:
    texts = call.decode(errors="replace").split(_SEPARATOR)
    return {name: text for name, text in zip(_FIELDS, texts, strict=False) if text}


def describe_call(call: bytes) -> str:
    """A call for people: ``allreduce(dtype=float64, count=10, op=SUM)``."""
    fields = _fields(call)
    name = fields.pop("collective", "?")
    fields.pop("algorithm", None)
    return f"{name}({', '.join(f'{key}={text}' for key, text in fields.items())})"


def _difference(a: bytes, b: bytes) -> str:
    left, right = _fields(a), _fields(b)
    for name in _FIELDS:
        if left.get(name) != right.get(name):
            return name
    return "arguments"


class Agreement:
    """What this rank called, and what other ranks said they called, per communicator and number."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._mine: dict[tuple[int, int], bytes] = {}
        self._order: deque[tuple[int, int]] = deque()
        self._heard: dict[tuple[int, int], tuple[int, bytes]] = {}

    def enter(self, context: int, number: int, call: bytes) -> MismatchError | None:
        """This rank makes its ``number``-th call on ``context``; a difference with what was heard is returned."""
        key = (context, number)
        self._mine[key] = call
        self._order.append(key)
        if len(self._order) > _REMEMBERED:
            self._mine.pop(self._order.popleft(), None)  # a number may come twice: the making of communicators
        heard = self._heard.pop(key, None)
        return self._compare(heard[0], number, heard[1], call) if heard else None

    def hear(self, source: int, context: int, number: int, call: bytes) -> MismatchError | None:
        """Rank ``source`` says what it called; a difference with what this rank called is returned."""
        mine = self._mine.get((context, number))
        if mine is not None:
            return None if mine == call else self._compare(source, number, call, mine)
        before = self._heard.setdefault((context, number), (source, call))
        if before[1] != call:
            return self._mismatch(number, {before[0]: before[1], source: call})
        return None

    def entered(self, context: int, number: int) -> bool:
        """Whether this rank has made that call (and remembers it)."""
        return (context, number) in self._mine

    def _compare(self, source: int, number: int, theirs: bytes, mine: bytes) -> MismatchError | None:
        if theirs == mine:
            return None
        return self._mismatch(number, {source: theirs, self._rank: mine})

    @staticmethod
    def _mismatch(number: int, calls: dict[int, bytes]) -> MismatchError:
        (one, first), (other, second) = sorted(calls.items())
        what = _difference(first, second)
        hint = "" if what != "algorithm" else f" by {_fields(first).get(what)} and {_fields(second).get(what)}"
        return MismatchError(
            f"ranks disagree on {what}: rank {one} calls {describe_call(first)}, rank {other} calls "
            f"{describe_call(second)}{hint} (collective {number} of this communicator); every rank must make "
            "the same collective calls, in the same order, with arguments that agree",
            calls={rank: describe_call(call) for rank, call in calls.items()},
        )
