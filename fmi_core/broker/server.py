"""The broker: one socket and one loop around :class:`~fmi_core.broker.jobs.Jobs`.

Theory of operation. All sockets belong to the thread of the loop. Other threads reach the jobs under a lock,
leave what is to be sent in ``_outbox``, and wake the loop by a byte on a socket pair.

When a client's connection ends, libzmq says so on the monitor, but names only the descriptor. Messages carry
the descriptor that they came by, so ``_routes`` knows whose it was; but a descriptor may be in use again by
the time that we read of its end. So the end of a descriptor only makes its member a *suspect*, and sending
decides (``ROUTER_MANDATORY``): what has no connection is unreachable. A suspect is tried only when everything
that has arrived is handled, since the last thing a rank says is often that it leaves.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import zmq
from zmq.utils.monitor import parse_monitor_message

from fmi_core.broker.connection import HEARTBEAT_S, HEARTBEAT_TIMEOUT_S, milliseconds, readable
from fmi_core.broker.curve import ZAP_ADDRESS, Keys, protect_server, zap_reply
from fmi_core.broker.job import Limits, Replies
from fmi_core.broker.jobs import Jobs
from fmi_core.broker.messages import Probe, Refused, Reply
from fmi_core.broker.wire import MAX_HEADER_BYTES, MalformedError, decode_request, encode
from fmi_core.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from fmi_core.control import Notice
    from fmi_core.secret import Secret

__all__ = ["Broker"]

_BACKLOG = 4096  # the kernel lowers it to net.core.somaxconn
_LINGER_MS = 500
_IDLE_S = 10.0
_BATCH = 256  # requests before newcomers are let in, and others' notices sent
_MONITOR_ADDRESS = "inproc://fmi-core-monitor"
_EVENTS = zmq.EVENT_DISCONNECTED | zmq.EVENT_ACCEPT_FAILED
_TRIES_S = (0.0, 0.002, 0.01, 0.05, 0.25)  # pauses before a suspect is tried; then it was a false alarm
_log = logging.getLogger("fmi_core.broker")


class Broker:
    """Serves jobs to all who have ``secret``. A context manager: started on entry, stopped on exit.

    Args:
        secret: the job secret; ranks without it do not get in.
        bind: where to listen, ``tcp://host:port``; port 0 is any free one.
        job_ttl_s: how long a job that is over is kept for :meth:`values`, in seconds. A job with a rank that
            is connected does not expire, however long it is silent.
        max_jobs: how many jobs there may be.
        max_value_bytes: how large a value may be.
    """

    address: str
    """Where it listens, with the port that it got; empty before :meth:`start`."""

    def __init__(
        self,
        secret: Secret,
        *,
        bind: str = "tcp://127.0.0.1:0",
        job_ttl_s: float = 3600.0,
        max_jobs: int = Limits.max_jobs,
        max_value_bytes: int = Limits.max_value_bytes,
    ) -> None:
        self.address = ""
        self._secret = secret
        self._client_key = Keys.derive(secret, "client").public
        self._bind = bind
        self._limits = Limits(max_jobs=max_jobs, max_value_bytes=max_value_bytes)
        self._jobs = Jobs(ttl_s=job_ttl_s, limits=self._limits)
        self._lock = threading.Lock()
        self._outbox: Replies = []
        self._stopping = False
        self._stopped = threading.Event()
        self._server: threading.Thread | None = None
        self._pid = os.getpid()
        self._waker: socket.socket | None = None
        self._opened = False
        self._closing = contextlib.ExitStack()
        self._routes: dict[int, bytes] = {}
        self._suspects: dict[bytes, tuple[float, int]] = {}  # when to try it, and how often it was tried

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # From any thread -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, and serve in a daemon thread.

        Raises:
            ConfigError: ``bind`` is not an address that can be listened on.
            RuntimeError: it was started before.
        """
        self._open()
        self._server = threading.Thread(target=self._serve, name="fmi-broker", daemon=True)
        self._server.start()

    def serve(self) -> None:
        """Listen, and serve in this thread until :meth:`stop`, which may have been called already.

        Raises:
            ConfigError, RuntimeError: as :meth:`start`.
        """
        if self._stopping and not self._opened:
            return
        self._open()
        self._server = threading.current_thread()
        self._serve()

    def stop(self) -> None:
        """Stop serving; returns when everything is closed.

        Idempotent. A signal handler may call it in the thread that serves; then it returns at once.
        """
        self._stopping = True
        self._wake()
        if self._server not in (None, threading.current_thread()) and os.getpid() == self._pid:
            self._stopped.wait()

    def publish(self, job: str, notice: Notice) -> None:
        """Tell all ranks of ``job``, also those that join later."""
        with self._lock:
            self._outbox += self._jobs.publish(job, notice, time.monotonic())
        self._wake()

    def values(self, job: str, prefix: str) -> dict[str, bytes]:
        """What the ranks of ``job`` have put under keys that begin with ``prefix``, as it is now.

        The values of a job that is over are kept until its name is used again, or ``job_ttl_s`` is over.
        """
        with self._lock:
            return self._jobs.values(job, prefix)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is being woken already; closed: it has stopped
            if self._waker is not None:
                self._waker.send(b"\0")

    # The loop ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._opened or self._stopping:
            raise RuntimeError("a Broker is started once; make another")
        self._opened = True
        closing = self._closing
        closing.callback(self._stopped.set)  # the last of all
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
            closing.callback(end.close)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        closing.callback(context.term)
        self._router = context.socket(zmq.ROUTER)
        self._monitor = context.socket(zmq.PAIR)
        self._zap = context.socket(zmq.REP)
        for opened in (self._router, self._monitor, self._zap):
            closing.callback(opened.close)
        self._zap.bind(ZAP_ADDRESS)
        self._zap.linger = self._monitor.linger = 0
        self._monitor.rcvhwm = 0  # libzmq's own thread writes here, and must never wait for us
        self._router.monitor(_MONITOR_ADDRESS, _EVENTS)
        closing.callback(self._router.disable_monitor)
        self._monitor.connect(_MONITOR_ADDRESS)
        self._listen()

    def _listen(self) -> None:
        router = self._router
        protect_server(router, self._secret)
        router.router_mandatory = True
        router.sndhwm = router.rcvhwm = 0
        router.backlog = _BACKLOG
        router.maxmsgsize = self._limits.max_value_bytes + 2 * MAX_HEADER_BYTES
        router.heartbeat_ivl = int(HEARTBEAT_S * 1000)
        router.heartbeat_timeout = int(HEARTBEAT_TIMEOUT_S * 1000)
        router.linger = _LINGER_MS
        router.ipv6 = "[" in self._bind
        try:
            router.bind(self._bind)
        except zmq.ZMQError as error:
            self._closing.close()
            raise ConfigError(
                f"the broker cannot listen on {self._bind!r}: {error.strerror}; expected tcp://HOST:PORT "
                "with an address of this machine and a port that is free (0: any)",
                name="bind",
                value=self._bind,
            ) from None
        self.address = router.get_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def _serve(self) -> None:
        _log.info("listening on %s", self.address)
        poller = zmq.Poller()
        for waited in (self._router, self._zap, self._monitor, self._woken):
            poller.register(waited, zmq.POLLIN)
        try:
            more = False
            while not self._stopping:
                poller.poll(0 if more else milliseconds(self._pause_s(time.monotonic())))
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._let_in()
                self._hear_monitor()
                more = self._take_requests()
                if not more:
                    self._try_suspects(time.monotonic())
                self._flush(time.monotonic())
            self._flush(time.monotonic())
        finally:
            self._closing.close()
            _log.info("stopped")

    def _pause_s(self, now_s: float) -> float:
        with self._lock:
            dues = [due_s for due_s, _ in self._suspects.values()]
            due_s = self._jobs.next_due_s()
        if due_s is not None:
            dues.append(due_s)
        return min(_IDLE_S, min(dues, default=math.inf) - now_s)

    def _let_in(self) -> None:
        while readable(self._zap):
            request = self._zap.recv_multipart()
            reply, welcome = zap_reply(request, self._client_key)
            if not welcome:
                _log.warning("refused a client from %s: it has another secret", request[3].decode())
            self._zap.send_multipart(reply)

    def _hear_monitor(self) -> None:
        while readable(self._monitor):
            event = parse_monitor_message(self._monitor.recv_multipart())
            if event["event"] == zmq.EVENT_ACCEPT_FAILED:
                reason = os.strerror(event["value"])
                _log.warning("cannot accept a connection: %s; is the limit of open files too low?", reason)
            else:
                self._suspect(self._routes.pop(event["value"], None))

    def _take_requests(self) -> bool:
        """Handle what has arrived; whether there is more."""
        for _ in range(_BATCH):
            try:
                member, *frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return False
            self._handle(member.bytes, member.get(zmq.SRCFD), [frame.bytes for frame in frames])
        return True

    def _handle(self, member: bytes, fd: int, frames: list[bytes]) -> None:
        before = self._routes.get(fd)
        if before != member:
            self._routes[fd] = member
            self._suspect(before)
        try:
            request = decode_request(frames)
        except MalformedError as error:
            _log.warning("a client sent what is no request: %s", error)
            self._send(member, Refused(error.seq, str(error)))
            return
        with self._lock:
            replies = self._jobs.handle(member, request, time.monotonic())
        for whom, reply in replies:
            self._send(whom, reply)

    def _suspect(self, member: bytes | None) -> None:
        if member is not None:
            self._suspects.setdefault(member, (time.monotonic(), 0))

    def _try_suspects(self, now_s: float) -> None:
        for member, (due_s, tries) in list(self._suspects.items()):
            with self._lock:
                known = self._jobs.knows(member)
            if not known:
                del self._suspects[member]
            elif due_s <= now_s:
                if not self._reaches(member, Probe()):
                    del self._suspects[member]
                    with self._lock:
                        self._outbox += self._jobs.disconnected(member, now_s)
                elif tries + 1 < len(_TRIES_S):
                    self._suspects[member] = now_s + _TRIES_S[tries + 1], tries + 1
                else:
                    del self._suspects[member]

    def _flush(self, now_s: float) -> None:
        with self._lock:
            replies = self._outbox + self._jobs.tick(now_s)
            self._outbox = []
        for member, reply in replies:
            self._send(member, reply)

    def _send(self, member: bytes, reply: Reply) -> None:
        if not self._reaches(member, reply):
            self._suspect(member)

    def _reaches(self, member: bytes, reply: Reply) -> bool:
        try:
            self._router.send_multipart([member, *encode(reply)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True
