"""A client's connection to the broker: its socket, and what is known of it.

libzmq connects, and tries again, in a thread of its own, and says on a *monitor* socket how that goes.
:class:`LinkState` reads it: a connection that has been there and is gone is never used again, because the
broker holds a rank for one connection only.
"""

from __future__ import annotations

import math
import re
import secrets
import socket
import time
from typing import TYPE_CHECKING, Literal

import zmq
from zmq.utils.monitor import parse_monitor_message

from fmi_core.broker.curve import protect_client
from fmi_core.broker.wire import MAX_HEADER_BYTES, decode_reply, encode
from fmi_core.errors import ArgumentError, ConfigError

if TYPE_CHECKING:
    from fmi_core.broker.messages import Reply, Request
    from fmi_core.secret import Secret

__all__ = ["Connection", "LinkState", "check_address", "milliseconds", "readable"]

HEARTBEAT_S = 10.0
"""How often each side asks the other's libzmq for a sign of life, when nothing else is said."""
HEARTBEAT_TIMEOUT_S = 30.0
"""How long each side waits for that sign before the connection is over."""

_ADDRESS = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.%a-z]+\]|[^\s/:\[\]*]+):(?P<port>[0-9]{1,5})")
_RECONNECT_MS = 50
_RECONNECT_MAX_MS = 1000
_LINGER_MS = 1000
_PROBE_S = 0.3
_REFUSALS = 3  # handshakes that break off; one or two may be a broker that stops just then
_EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


def check_address(address: str) -> tuple[str, int]:
    """Host and port of the broker's address.

    Raises:
        ConfigError: it is no such address.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ConfigError(
            f"FMI_BROKER is {address!r}; expected tcp://HOST:PORT, such as tcp://127.0.0.1:7077 or "
            "tcp://[::1]:7077, as the broker shows it when it starts",
            name="FMI_BROKER",
            value=address,
        )
    return match["host"].strip("[]"), int(match["port"])


def readable(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message is waiting."""
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)


def milliseconds(seconds: float) -> int:
    """``seconds`` as ZeroMQ waits: never shorter, so that nobody wakes too early again and again."""
    return math.ceil(max(0.0, seconds) * 1000)


class LinkState:
    """What the monitor's events come to: ``phase``, and whether the link was ever ``connected``.

    ``connecting`` → ``ready`` → ``lost``, or from ``connecting`` to ``refused`` (the other side does not
    know this secret) or ``foreign`` (it is no broker).
    """

    def __init__(self) -> None:
        self.phase: Literal["connecting", "ready", "lost", "refused", "foreign"] = "connecting"
        self.connected = False
        self._breaks = 0
        self._explained = False

    def on(self, event: int) -> None:
        """Take in one event of the monitor."""
        if self.phase == "ready":
            if event == zmq.EVENT_DISCONNECTED:
                self.phase = "lost"
        elif self.phase == "connecting":
            self._on_connecting(event)

    def _on_connecting(self, event: int) -> None:
        if event == zmq.EVENT_CONNECTED:
            self.connected, self._explained = True, False
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.phase = "ready"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.phase = "refused"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            # a broker with another secret cannot read the first command, and hangs up without a word
            self._breaks, self._explained = self._breaks + 1, True
            if self._breaks >= _REFUSALS:
                self.phase = "refused"
        elif not self._explained:  # a failure of the protocol, or a disconnection because of one
            self.phase = "foreign"


class Connection:
    """A socket that is connecting to the broker at ``address``.

    Args:
        address: ``tcp://host:port``, checked before.
        secret: the job secret.
        context: a context to share; without one, the connection has its own.

    Raises:
        ConfigError: libzmq does not take the address.
    """

    def __init__(self, address: str, secret: Secret, context: zmq.Context[zmq.Socket[bytes]] | None) -> None:
        self.address = address
        self.state = LinkState()
        self._own_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._monitor = self._context.socket(zmq.PAIR)
        self._closed = False
        protect_client(self._socket, secret)
        self._socket.sndhwm = self._socket.rcvhwm = 0  # unlimited: every request has one reply
        self._socket.ipv6 = "[" in address
        self._socket.reconnect_ivl = _RECONNECT_MS
        self._socket.reconnect_ivl_max = _RECONNECT_MAX_MS
        self._socket.heartbeat_ivl = int(HEARTBEAT_S * 1000)
        self._socket.heartbeat_timeout = int(HEARTBEAT_TIMEOUT_S * 1000)
        self._socket.linger = 0  # until there is somebody who would take it
        # The monitor writes from libzmq's own thread, which must never wait for us to read: no limit.
        self._monitor.rcvhwm = 0
        events_at = f"inproc://fmi-core-{secrets.token_hex(8)}"
        self._socket.monitor(events_at, _EVENTS)
        self._monitor.connect(events_at)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"FMI_BROKER is {address!r}, which cannot be connected to ({error.strerror}); "
                "expected tcp://HOST:PORT as the broker shows it when it starts",
                name="FMI_BROKER",
                value=address,
            ) from None

    def fileno(self) -> int:
        """ZeroMQ's descriptor: edge-triggered, so whoever it wakes must call :meth:`receive` to its end."""
        return int(self._socket.FD)

    def send(self, request: Request) -> None:
        """Hand ``request`` to libzmq; never blocks.

        Raises:
            ArgumentError: its names do not fit into a message.
        """
        header, value = encode(request)
        if len(header) > MAX_HEADER_BYTES:
            raise ArgumentError(
                f"a request with {len(header)} bytes of names, expected at most {MAX_HEADER_BYTES}; "
                "ask for fewer keys at a time",
                argument="keys",
            )
        self._socket.send_multipart([header, value])

    def receive(self) -> list[Reply]:
        """All that has come so far; takes note of how the connection is."""
        replies = []
        # Not before all events: what came before the end of a connection is there when we read of the end.
        self._hear_monitor()
        while readable(self._socket):
            replies.append(decode_reply(self._socket.recv_multipart()))
        return replies

    def _hear_monitor(self) -> None:
        while readable(self._monitor):
            self.state.on(parse_monitor_message(self._monitor.recv_multipart())["event"])
        if self.state.phase == "ready":
            self._socket.linger = _LINGER_MS
        elif self.state.phase != "connecting":
            self._socket.linger = 0

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be something to receive, at most ``timeout_s`` seconds."""
        self._poller.poll(milliseconds(timeout_s))

    def diagnose(self) -> str:
        """Why the connection does not come about, in words; tries it once more in plain TCP."""
        if self.state.connected:
            return "the connection is accepted, but nothing is said"
        begun_s = time.monotonic()
        try:
            socket.create_connection(check_address(self.address), timeout=_PROBE_S).close()
        except TimeoutError:
            return f"no answer within {time.monotonic() - begun_s:.1f} s"
        except OSError as error:
            return error.strerror or str(error)
        return "it began to listen only now"

    def close(self) -> None:
        """Let go of everything; what was sent last has up to one second to go out. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close()
        if self._own_context:
            self._context.term()
