import socket
import threading

import pytest
import zmq

from fmi_core.broker import connection
from fmi_core.broker.connection import Connection, LinkState, check_address, milliseconds
from fmi_core.broker.messages import Claim, Done, Granted, Put, Wait
from fmi_core.errors import ArgumentError, ConfigError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://127.0.0.1:7077", ("127.0.0.1", 7077)),
        ("tcp://a-host.example:1", ("a-host.example", 1)),
        ("tcp://[::1]:65535", ("::1", 65535)),
        ("tcp://[fe80::1%eth0]:9", ("fe80::1%eth0", 9)),
    ],
)
def test_addresses(address, expected):
    assert check_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "", "localhost:7077", "tcp://localhost", "tcp://:7077", "tcp://h:0", "tcp://h:65536", "tcp://*:7077",
        "tcp://::1:7077", "ipc:///tmp/x", "tcp://h:7077/", "tcp://h:7077\n", "TCP://h:1",
    ],
)  # fmt: skip
def test_a_bad_address_is_named(address):
    with pytest.raises(ConfigError) as caught:
        check_address(address)
    assert str(caught.value).startswith(f"FMI_BROKER is {address!r}; expected tcp://HOST:PORT")
    assert (caught.value.name, caught.value.value) == ("FMI_BROKER", address)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (-1, 0), (0.0001, 1), (1.5, 1500)])
def test_waits_are_never_too_short(seconds, expected):
    assert milliseconds(seconds) == expected


_UP, _DOWN = zmq.EVENT_CONNECTED, zmq.EVENT_DISCONNECTED
_GOOD, _HUNG_UP = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_AUTH, _PROTOCOL = zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], "connecting"),
        ([_UP], "connecting"),
        ([_UP, _GOOD], "ready"),
        ([_UP, _GOOD, _DOWN], "lost"),
        ([_UP, _GOOD, _DOWN, _UP, _GOOD], "lost"),
        ([_UP, _GOOD, _UP], "ready"),
        ([_UP, _AUTH, _DOWN], "refused"),
        ([_UP, _PROTOCOL], "foreign"),
        ([_UP, _DOWN], "foreign"),
        ([_UP, _HUNG_UP, _DOWN] * 2, "connecting"),
        ([_UP, _HUNG_UP, _DOWN] * 3, "refused"),
        ([_UP, _HUNG_UP, _DOWN] * 2 + [_UP, _GOOD], "ready"),
        ([_UP, _HUNG_UP, _DOWN, _UP, _DOWN], "foreign"),
    ],
)
def test_what_events_come_to(events, phase):
    state = LinkState()
    for event in events:
        state.on(event)
    assert state.phase == phase
    assert state.connected is bool(events)


@pytest.fixture
def connect(secret):
    opened = []

    def open_(address, context=None):
        opened.append(Connection(address, secret, context))
        return opened[-1]

    yield open_
    for found in opened:
        found.close()


def test_requests_go_out_and_replies_come_in(site, connect, until):
    found = connect(site.broker.address)
    assert found.fileno() >= 0
    found.send(Claim(1, "job", 0, 1, 0))  # waits for the handshake
    found.send(Put(2, "k", b"v"))
    replies = []
    until(lambda: found.wait(1) or replies.extend(found.receive()) or len(replies) == 2)
    assert isinstance(replies[0], Granted)
    assert replies[1] == Done(2)
    assert found.state.phase == "ready"
    assert found.receive() == []


def test_the_end_of_the_broker_is_seen_and_does_not_delay_closing(site, connect, until):
    found = connect(site.broker.address)
    until(lambda: found.wait(1) or found.receive() or found.state.phase == "ready")
    site.broker.stop()
    until(lambda: found.wait(1) or found.receive() or found.state.phase == "lost")
    assert found._socket.linger == 0
    found.send(Put(1, "k", b""))
    found.close()
    found.close()


def test_a_context_can_be_shared_and_stays_open(site, connect):
    with zmq.Context() as context:
        connect(site.broker.address, context).close()
        assert not context.closed


def test_what_zeromq_does_not_take_is_a_setting(connect, monkeypatch):
    monkeypatch.setattr(connection, "check_address", lambda _: ("h", 1))
    with pytest.raises(ConfigError, match="FMI_BROKER is 'nonsense://h:1', which cannot be connected to"):
        connect("nonsense://h:1")


def test_too_many_names_are_told_to_the_caller(site, connect):
    keys = tuple(f"{'k' * 390}{number}" for number in range(3000))
    with pytest.raises(ArgumentError, match="fewer keys"):
        connect(site.broker.address).send(Wait(1, keys))


def test_a_port_where_nobody_listens(connect, quick):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert connect(f"tcp://127.0.0.1:{port}").diagnose() == "Connection refused"


def test_a_name_that_nobody_knows(connect, quick):
    assert connect("tcp://no-such-host.invalid:1").diagnose() not in ("", "Connection refused")


def test_a_broker_that_came_just_now(connect, quick):
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = connect(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert found.diagnose() == "it began to listen only now"


def test_a_full_backlog_does_not_answer(connect, quick):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            found = connect(f"tcp://127.0.0.1:{address[1]}")
            assert found.diagnose().startswith("no answer within 0.")
        finally:
            for one in waiting:
                one.close()


def test_who_accepts_and_is_silent(connect, until):
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = connect(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        accepted, _ = server.accept()
        with accepted:
            until(lambda: found.wait(1) or found.receive() or found.state.connected)
            assert found.diagnose() == "the connection is accepted, but nothing is said"


def test_closing_with_unsent_requests_takes_no_time_where_nobody_listens(connect):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = connect(f"tcp://127.0.0.1:{port}")
    found.send(Put(1, "k", b"x"))
    closing = threading.Thread(target=found.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
