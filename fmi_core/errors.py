"""Every error that fmi-core raises on purpose, in one tree.

::

    FmiError
    ├── ConfigError            (ValueError)           a setting, an option or a variable is wrong
    ├── ArgumentError          (ValueError)           an argument of a call is wrong: rank, tag, buffer, operator
    ├── TruncationError        (ValueError)           a message is larger than the buffer given for it
    ├── PluginError                                   a plugin cannot be loaded, or two claim one name
    ├── RendezvousError        (ConnectionError)      the job did not come together: ranks missing, refused, no broker
    ├── ChannelError           (ConnectionError)      a channel failed; ``retryable`` says whether trying again may help
    ├── PeerLostError          (ConnectionError)      a rank is gone: it raised, exited, was killed or left early
    ├── AbortedError                                  a rank called ``abort``
    ├── MismatchError                                 ranks disagree on what they are doing
    ├── DeadlineExceeded       (TimeoutError)         a wait reached its deadline
    ├── UnsupportedError       (NotImplementedError)  not offered here; the text says what to use instead
    └── IntegrityError                                data from outside is altered, truncated or not ours

Each class keeps what a handler needs as attributes (named in its docstring) beside a sentence
that says what was expected and what to do. All of them survive pickling, so that a launcher
can show a rank's error in another process. And each says which of MPI's error classes it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmi_core.codes import number_of, text_of

__all__ = [
    "AbortedError",
    "ArgumentError",
    "ChannelError",
    "ConfigError",
    "DeadlineExceeded",
    "FmiError",
    "IntegrityError",
    "MismatchError",
    "PeerLostError",
    "PluginError",
    "RendezvousError",
    "TruncationError",
    "UnsupportedError",
]


def _rebuild(cls: type[FmiError], message: str | int, state: dict[str, Any]) -> FmiError:
    # Found by name, __new__ would be RuntimeError's, which refuses to make what is also an OSError.
    make: Any = OSError.__new__ if issubclass(cls, OSError) else RuntimeError.__new__
    error: FmiError = make(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


def _portable(value: Any) -> Any:
    """``value`` if it can be pickled, else what it looks like: an error must reach another process anyhow."""
    import pickle

    try:
        pickle.dumps(value)
    except (TypeError, ValueError, AttributeError, RecursionError, pickle.PicklingError):
        return repr(value)
    return value


class FmiError(RuntimeError):
    """The root of the tree; catch it to catch everything that fmi-core raises on purpose.

    As ``MPI.Exception`` it may be made of one of MPI's error classes, ``MPI.Exception(MPI.ERR_RANK)``.
    """

    def Get_error_class(self) -> int:
        """The one of MPI's error classes that this error is, such as ``MPI.ERR_RANK``."""
        if self.args and type(self.args[0]) is int:
            return self.args[0]
        for kind in type(self).__mro__:
            if kind.__module__ == __name__:
                return number_of(kind.__name__, getattr(self, "argument", ""))
        raise AssertionError  # FmiError itself is in this module

    def Get_error_code(self) -> int:
        """As :meth:`Get_error_class`: no code is finer."""
        return self.Get_error_class()

    def Get_error_string(self) -> str:
        """MPI's name of the error class, and what it means."""
        return text_of(self.Get_error_class())

    @property
    def error_class(self) -> int:
        """As :meth:`Get_error_class`."""
        return self.Get_error_class()

    @property
    def error_code(self) -> int:
        """As :meth:`Get_error_class`."""
        return self.Get_error_class()

    @property
    def error_string(self) -> str:
        """As :meth:`Get_error_string`."""
        return self.Get_error_string()

    def __int__(self) -> int:
        return self.Get_error_class()

    def __str__(self) -> str:
        if self.args and type(self.args[0]) is int:
            return self.Get_error_string()
        return super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        what = self.args[0] if self.args and type(self.args[0]) is int else str(self)
        return _rebuild, (type(self), what, {name: _portable(value) for name, value in self.__dict__.items()})


class ConfigError(FmiError, ValueError):
    """A setting is missing or wrong. ``name`` is the setting, ``value`` what was found (``None``: nothing)."""

    def __init__(self, message: str, *, name: str = "", value: object = None) -> None:
        super().__init__(message)
        self.name = name
        self.value = value


class ArgumentError(FmiError, ValueError):
    """An argument of a call is wrong. ``argument`` is its name, ``value`` what was passed."""

    def __init__(self, message: str, *, argument: str = "", value: object = None) -> None:
        super().__init__(message)
        self.argument = argument
        self.value = value


class TruncationError(FmiError, ValueError):
    """A message does not fit. ``source``, ``tag``, and both sizes: ``message_bytes`` > ``buffer_bytes``."""

    def __init__(self, message: str, *, source: int, tag: int, message_bytes: int, buffer_bytes: int) -> None:
        super().__init__(message)
        self.source = source
        self.tag = tag
        self.message_bytes = message_bytes
        self.buffer_bytes = buffer_bytes


class PluginError(FmiError):
    """A plugin cannot be used. ``plugin`` is its entry point's name."""

    def __init__(self, message: str, *, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class RendezvousError(FmiError, ConnectionError):
    """The job did not come together. ``missing`` lists the ranks that never arrived, if that is why."""

    def __init__(self, message: str, *, missing: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class ChannelError(FmiError, ConnectionError):
    """A channel failed. ``channel`` is its name, ``retryable`` whether the same call may work later."""

    def __init__(self, message: str, *, channel: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.channel = channel
        self.retryable = retryable


class PeerLostError(FmiError, ConnectionError):
    """Rank ``rank`` is gone, for the reason in ``reason``; the communicator cannot be used any more."""

    def __init__(self, message: str, *, rank: int, reason: str = "") -> None:
        super().__init__(message)
        self.rank = rank
        self.reason = reason


class AbortedError(FmiError):
    """Rank ``rank`` aborted the job with exit code ``code``."""

    def __init__(self, message: str, *, rank: int, code: int = 1) -> None:
        super().__init__(message)
        self.rank = rank
        self.code = code


class MismatchError(FmiError):
    """Ranks disagree. ``calls`` maps each rank that was seen to the call it made, as text."""

    def __init__(self, message: str, *, calls: Mapping[int, str] | None = None) -> None:
        super().__init__(message)
        self.calls = dict(calls or {})


class DeadlineExceeded(FmiError, TimeoutError):  # noqa: N818  # gRPC's word, and every cloud's
    """A wait reached its deadline after ``seconds``; ``waiting_for`` lists the ranks still owed something."""

    def __init__(self, message: str, *, seconds: float | None = None, waiting_for: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.waiting_for = tuple(waiting_for)


class UnsupportedError(FmiError, NotImplementedError):
    """Not offered. ``feature`` names it; the message says what to use instead."""

    def __init__(self, message: str, *, feature: str = "") -> None:
        super().__init__(message)
        self.feature = feature


class IntegrityError(FmiError):
    """Bytes from outside fail their check: altered, truncated, replayed, or of another job."""
