"""One rank's side of the rendezvous."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from fmi_core.broker.connection import Connection, check_address
from fmi_core.broker.job import rank_list
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
    Reply,
    Report,
    Request,
    Values,
    Wait,
)
from fmi_core.broker.wire import MAX_NAME_CHARS, MAX_REASON_CHARS, is_name
from fmi_core.control import Notice, error_of
from fmi_core.errors import ArgumentError, ConfigError, DeadlineExceeded, FmiError, RendezvousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import zmq

    from fmi_core.secret import Secret

__all__ = ["BrokerClient"]

_Reply = TypeVar("_Reply", Done, Granted, Missing, Values)

_REPLY_S = 30.0  # how long a broker that is there may take for an answer that needs nobody else
_CANCEL_S = 2.0  # the same, when the time of a call is over already
_LEAVE_S = 1.0
_FENCE_SLICE_S = 0.05
_NAP_S = 0.0002  # keeps a fence from spinning when the data path has nothing to wait for
_SHOWN_KEYS = 10


class BrokerClient:
    """Rank ``rank`` of ``job`` at the broker; implements :class:`~fmi_core.control.Control`.

    The connection is the membership: while it lives, the rank does, also if it computes for hours without a
    call. When it ends without :meth:`leave`, the other ranks hear that this one is lost. Used by one thread
    at a time. After ``fork``, the child must make its own client.

    Args:
        address: the broker's, ``tcp://host:port``.
        secret: the job secret.
        job: the job's name.
        rank: this rank.
        size: how many ranks the job has.
        attempt: which attempt at this rank this is; a higher one takes the place of a lower.
        context: a ZeroMQ context to share between many clients of one process; without one, each has its own.

    Raises:
        ConfigError: the address, the name or one of the numbers cannot be; the error names it.
    """

    nonce: str
    """Names this run of the job, the same for all its ranks; empty before :meth:`join`."""

    def __init__(
        self,
        address: str,
        secret: Secret,
        *,
        job: str,
        rank: int,
        size: int,
        attempt: int = 0,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        check_address(address)
        _check(is_name(job), "FMI_JOB", job, f"1 to {MAX_NAME_CHARS} printable characters")
        _check(size >= 1, "FMI_SIZE", size, "1 or more")
        _check(0 <= rank < size, "FMI_RANK", rank, f"0 to {size - 1} (FMI_SIZE is {size})")
        _check(attempt >= 0, "FMI_ATTEMPT", attempt, "0 or more")
        self.nonce = ""
        self._address = address
        self._secret = secret
        self._claim = Claim(0, job, rank, size, attempt)
        self._context = context
        self._connection: Connection | None = None
        self._joined = False
        self._pid = os.getpid()
        self._seq = 0
        self._expected: set[int] = set()
        self._replies: dict[int, Reply] = {}
        self._notices: deque[Notice] = deque()
        self._max_value_bytes = 0

    # Coming and going ----------------------------------------------------------------------------------

    def join(self, timeout_s: float) -> None:
        """Claim the rank, trying for up to ``timeout_s`` seconds to reach the broker.

        Raises:
            RendezvousError: no broker answers; it refuses the secret; or it refuses the claim, because the
                rank is held, or the job has another size.
        """
        if self._joined:
            raise RendezvousError(f"rank {self._claim.rank} of job {self._claim.job!r} has joined already")
        connection = self._connection = Connection(self._address, self._secret, self._context)
        try:
            self._come_in(connection, timeout_s)
        except BaseException:
            self.close()
            raise
        self._joined = True

    def _come_in(self, connection: Connection, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        seq = 0
        while True:
            self._drain(connection)
            phase = connection.state.phase
            if seq and seq in self._replies:
                break
            if phase == "ready" and not seq:
                claim = self._claim
                seq = self._send(connection, Claim(self._next(), claim.job, claim.rank, claim.size, claim.attempt))
                continue
            if phase not in ("connecting", "ready"):
                raise RendezvousError(f"the broker at {self._address} {_TROUBLES[phase]}")
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                why = connection.diagnose() if phase == "connecting" else "it takes no claims"
                raise RendezvousError(
                    f"no broker answers at {self._address} within {timeout_s:g} s ({why}); see whether it "
                    "runs, whether FMI_BROKER is its address, and whether this machine can reach it"
                )
            connection.wait(left_s)
        reply = self._result(seq, Granted)
        self.nonce, self._max_value_bytes = reply.nonce, reply.max_value_bytes

    def leave(self) -> None:
        """This rank is done, deliberately: it frees its place. A broker that is gone is not an error."""
        if not self._joined or not self._usable():
            return
        connection = self._live()
        self._joined = False
        self._await(connection, self._send(connection, Leave(self._next())), time.monotonic() + _LEAVE_S)

    def close(self) -> None:
        """Let go of everything; takes up to one second if the last reports do not go out. Idempotent."""
        connection, self._connection = self._connection, None
        self._joined = False
        if connection is not None and os.getpid() == self._pid:
            connection.close()

    # Values --------------------------------------------------------------------------------------------

    def put(self, key: str, value: bytes) -> None:
        """Publish ``value`` under ``key`` for the whole job; the last one put is what counts.

        Raises:
            ArgumentError: the key cannot be one, or the value is larger than the broker takes.
            RendezvousError: the broker is gone, or it refuses (its limits are reached, or this rank was
                replaced by a newer attempt).
            DeadlineExceeded: the broker does not answer.
        """
        connection = self._live()
        if len(value) > self._max_value_bytes:
            raise ArgumentError(
                f"the value for {key!r} has {len(value)} bytes; this broker takes at most {self._max_value_bytes}",
                argument="value",
                value=len(value),
            )
        self._ask(connection, Put(self._next(), _name("key", key), bytes(value)), Done)

    def get(self, key: str) -> bytes | None:
        """What is under ``key`` now; ``None`` if there is nothing. Raises as :meth:`put`."""
        return self._ask(self._live(), Get(self._next(), _name("key", key)), Values).values[0]

    def wait(self, keys: Sequence[str], timeout_s: float) -> dict[str, bytes]:
        """The values under all of ``keys``, once they are there.

        Raises:
            DeadlineExceeded: some are missing after ``timeout_s`` seconds; they are named.
            PeerLostError, AbortedError, MismatchError: the job broke, and so they will not come.
            RendezvousError: the broker is gone, or this rank was replaced by a newer attempt.
        """
        connection = self._live()
        names = tuple(_name("keys", key) for key in keys)
        seq = self._send(connection, Wait(self._next(), names))
        missing = self._hold(connection, seq, timeout_s, connection.wait)
        if missing is not None:
            shown = ", ".join(map(repr, missing.keys[:_SHOWN_KEYS]))
            more = f", … ({len(missing.keys)} in all)" if len(missing.keys) > _SHOWN_KEYS else ""
            raise DeadlineExceeded(
                f"nobody has published {shown}{more} within {timeout_s:g} s; see whether all ranks run",
                seconds=timeout_s,
            )
        values = self._result(seq, Values).values
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    def fence(self, name: str, progress: Callable[[float], None], timeout_s: float) -> None:
        """Return once every rank of the job has called this with the same ``name``, which is then free again.

        ``progress(wait_s)`` is called again and again meanwhile; it should wait for the data path, at most
        ``wait_s`` seconds, and may call :meth:`poll`. What it raises ends the fence.

        Raises:
            RendezvousError: ranks are missing after ``timeout_s`` seconds, or have left the job without
                coming here (``missing`` names them in both cases); or the broker is gone; or this rank was
                replaced by a newer attempt.
            PeerLostError, AbortedError, MismatchError: the job broke.
        """
        connection = self._live()
        seq = self._send(connection, Fence(self._next(), _name("name", name)))

        def turn(left_s: float) -> None:
            slice_s = min(left_s, _FENCE_SLICE_S)
            begun_s = time.monotonic()
            progress(slice_s)
            if time.monotonic() - begun_s < slice_s / 2:
                time.sleep(_NAP_S)

        missing = self._hold(connection, seq, timeout_s, turn)
        if missing is not None:
            absent = f"; {rank_list(missing.absent)} never joined the job" if missing.absent else ""
            raise RendezvousError(
                f"{rank_list(missing.ranks)} of {self._claim.size} did not reach {name!r} "
                f"within {timeout_s:g} s{absent}",
                missing=missing.ranks,
            )
        self._result(seq, Done)

    # News ----------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """A descriptor that is readable when there may be news; -1 where there is no connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def poll(self) -> list[Notice]:
        """The notices since the last call, each once; never blocks. A broker that is gone is no error."""
        if self._connection is not None and os.getpid() == self._pid:
            self._drain(self._connection)
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def report(self, notice: Notice) -> None:
        """Tell every other rank, also those that join later; never blocks. Without a broker, nothing."""
        if not self._joined or not self._usable():
            return
        connection = self._live()
        reason = notice.reason[:MAX_REASON_CHARS]
        connection.send(Report(self._next(), Notice(notice.kind, notice.rank, reason, notice.code)))
        self._drain(connection)  # to send may have consumed the descriptor's edge

    # Asking and hearing --------------------------------------------------------------------------------

    def _usable(self) -> bool:
        return self._connection is not None and os.getpid() == self._pid

    def _live(self) -> Connection:
        claim = self._claim
        if os.getpid() != self._pid:
            raise RendezvousError(
                f"the broker's client of rank {claim.rank} belongs to process {self._pid}, and this is "
                f"process {os.getpid()}, made by fork, which is no rank"
            )
        if self._connection is None or not self._joined:
            raise RendezvousError(f"rank {claim.rank} is not in job {claim.job!r}: it has not joined, or has left")
        return self._connection

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _send(self, connection: Connection, request: Request) -> int:
        """Send a request whose reply is wanted; its number."""
        connection.send(request)
        self._expected.add(request.seq)
        return request.seq

    def _drain(self, connection: Connection) -> None:
        for reply in connection.receive():
            if isinstance(reply, News):
                self._notices.append(reply.notice)
            elif not isinstance(reply, Probe) and reply.seq in self._expected:
                self._expected.discard(reply.seq)
                self._replies[reply.seq] = reply

    def _await(
        self,
        connection: Connection,
        seq: int,
        deadline_s: float,
        turn: Callable[[float], None] | None = None,
    ) -> bool:
        """Whether the reply came in time; ``False`` also if the connection ended."""
        while True:
            self._drain(connection)
            if seq in self._replies:
                return True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or connection.state.phase != "ready":
                return False
            (turn or connection.wait)(left_s)

    def _ask(self, connection: Connection, request: Request, kind: type[_Reply]) -> _Reply:
        seq = self._send(connection, request)
        if not self._await(connection, seq, time.monotonic() + _REPLY_S):
            raise self._silence(connection, seq, _REPLY_S)
        return self._result(seq, kind)

    def _hold(
        self, connection: Connection, seq: int, timeout_s: float, turn: Callable[[float], None]
    ) -> Missing | None:
        """Wait for a reply that other ranks bring about; what was missing, if it does not come in time."""
        try:
            if self._await(connection, seq, time.monotonic() + timeout_s, turn):
                return None
        except BaseException:
            self._expected.discard(seq)
            connection.send(Cancel(self._next(), seq))  # whoever comes later must not count on this rank
            raise
        cancel = self._send(connection, Cancel(self._next(), seq))
        if not self._await(connection, cancel, time.monotonic() + _CANCEL_S):
            raise self._silence(connection, seq, timeout_s)
        missing = self._result(cancel, Missing)
        if seq in self._replies:  # it came at the last moment
            return None
        self._expected.discard(seq)
        return missing

    def _silence(self, connection: Connection, seq: int, seconds: float) -> FmiError:
        """Why there is no reply to request ``seq``."""
        self._expected.discard(seq)
        if connection.state.phase != "ready":
            return RendezvousError(f"the broker at {self._address} {_TROUBLES['lost']}")
        return DeadlineExceeded(
            f"the broker at {self._address} is connected, but did not answer within {seconds:g} s",
            seconds=seconds,
        )

    def _result(self, seq: int, kind: type[_Reply]) -> _Reply:
        """The reply to request ``seq``, which is there; raises if it is a bad one."""
        reply = self._replies.pop(seq)
        if isinstance(reply, Failed):
            raise error_of(reply.notice)
        if isinstance(reply, Refused):
            raise RendezvousError(reply.reason, missing=reply.missing)
        if not isinstance(reply, kind):
            raise RendezvousError(
                f"the broker at {self._address} answers with {type(reply).__name__}, expected "
                f"{kind.__name__}; install the same version of fmi-core here and there"
            )
        return reply


_TROUBLES = {
    "lost": "has ended the connection: it was stopped, or cannot be reached any more",
    "refused": "refused this job's secret; see whether FMI_SECRET is the same here and at the broker",
    "foreign": "is no broker of fmi-core: something else listens there; see whether FMI_BROKER is right",
}


def _check(good: bool, name: str, value: object, expected: str) -> None:  # noqa: FBT001 # as in assert
    if not good:
        raise ConfigError(f"{name} is {value!r}; expected {expected}", name=name, value=value)


def _name(argument: str, text: str) -> str:
    if not is_name(text):
        raise ArgumentError(
            f"{argument} is {text[:MAX_NAME_CHARS]!r}; expected 1 to {MAX_NAME_CHARS} printable characters",
            argument=argument,
            value=text,
        )
    return text
