"""Cards, listeners and dialling."""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmi_core.channels import address
from fmi_core.channels.address import Card, Listener, dial, host_identity, unix_available
from fmi_core.errors import ConfigError, RendezvousError


def test_a_card_survives_the_broker():
    card = Card(3, "host", "name", ("::1", 80))
    assert Card.from_bytes(card.to_bytes()) == card


@pytest.mark.parametrize(
    "data", [b"", b"{", b"7", b"\xff", b"[]", b'{"protocol": 1}', b'{"protocol": 1, "tcp": 7, "rank": 0}']
)
def test_a_card_that_cannot_be_read_is_said(data):
    with pytest.raises(RendezvousError, match="card cannot be read"):
        Card.from_bytes(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", float("inf")),
        ("rank", None),
        ("rank", "x"),
        ("tcp", ["h"]),
        ("tcp", ["h", float("inf")]),
        ("tcp", "ab"),
    ],
)
def test_a_card_with_a_field_that_cannot_be_meant_is_said(field, value):
    fields = json.loads(Card(0, "h", "u", ("127.0.0.1", 1)).to_bytes())
    with pytest.raises(RendezvousError, match="card cannot be read"):
        Card.from_bytes(json.dumps({**fields, field: value}).encode())


def test_a_card_that_is_nested_too_deeply_is_said():
    with pytest.raises(RendezvousError, match="card cannot be read"):
        Card.from_bytes(b"[" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
CARDS = st.fixed_dictionaries(
    {"protocol": st.just(1) | JSON}, optional={"rank": JSON, "host": JSON, "unix": JSON, "tcp": JSON}
)


@given(st.binary(max_size=60) | CARDS.map(lambda fields: json.dumps(fields).encode()))
def test_anything_is_a_card_or_an_error_that_says_so(data):
    try:
        card = Card.from_bytes(data)
    except RendezvousError:
        return
    assert Card.from_bytes(card.to_bytes()) == card


@given(st.integers(0, 2**31), st.text(), st.text(), st.text(), st.integers(0, 65535))
def test_every_card_survives_the_broker(rank, host, unix, tcp, port):
    card = Card(rank, host, unix, (tcp, port))
    assert Card.from_bytes(card.to_bytes()) == card


def test_another_protocol_version_is_said():
    card = Card(0, "h", "u", ("127.0.0.1", 1), protocol=99)
    with pytest.raises(RendezvousError, match="speaks protocol 99, this one 1; install the same version"):
        Card.from_bytes(card.to_bytes())


@pytest.mark.parametrize("bind", ["localhost", "0.0.0.0", "::", "", "300.1.1.1"])
def test_an_address_that_peers_cannot_use_is_refused(bind):
    with pytest.raises(ConfigError, match="expected an IP address of this machine") as caught:
        Listener(bind)
    assert (caught.value.name, caught.value.value) == ("FMI_BIND", bind)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigError, match="cannot be listened on"):
        Listener("192.0.2.1")


@pytest.mark.parametrize(("bind", "kind"), [("127.0.0.1", "tcp"), ("::1", "tcp"), ("127.0.0.1", "unix")])
def test_a_listener_can_be_dialled(bind, kind):
    listener = Listener(bind)
    card = listener.card(0)
    assert card.host == host_identity()
    accepting = listener.sockets[0 if kind == "tcp" else 1]
    accepting.setblocking(True)
    with dial(card, kind) as caller, accepting.accept()[0] as called:
        called.sendall(b"x")
        caller.setblocking(True)
        assert caller.recv(1) == b"x"
    listener.close()
    listener.close()


def test_listeners_do_not_share_addresses():
    listeners = [Listener("127.0.0.1") for _ in range(3)]
    assert len({listener.tcp for listener in listeners}) == 3
    assert len({listener.unix for listener in listeners}) == 3
    for listener in listeners:
        listener.close()


def test_listening_sockets_do_not_block():
    listener = Listener("::1")
    assert listener.tcp[0] == "::1"
    assert listener.tcp[1] > 0
    for sock in listener.sockets:
        with pytest.raises(BlockingIOError):
            sock.accept()
    listener.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_dialled_socket_does_not_block_nor_wait_to_fill_packets(kind):
    listener = Listener("127.0.0.1")
    with dial(listener.card(0), kind) as caller:
        assert select.select([], [caller], [], 20)[1]
        with pytest.raises(BlockingIOError):
            caller.recv(1)
        if kind == "tcp":
            assert caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        else:  # Linux doubles what is asked for
            most = int(Path("/proc/sys/net/core/wmem_max").read_text(encoding="ascii"))
            assert caller.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * min(2**20, most)
    listener.close()


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1"])
def test_a_closed_port_refuses(bind):
    listener = Listener(bind)
    card = listener.card(0)
    listener.close()
    try:
        sock = dial(card, "tcp")
    except ConnectionRefusedError:
        return
    with sock:
        assert select.select([], [sock], [], 20)[1]
        with pytest.raises(ConnectionRefusedError):
            sock.send(b"x")


def test_a_closed_unix_listener_refuses_at_once():
    listener = Listener("127.0.0.1")
    card = listener.card(0)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        dial(card, "unix")


def test_without_abstract_sockets_there_is_tcp_only(monkeypatch):
    monkeypatch.setattr(address.sys, "platform", "darwin")
    assert not unix_available()
    assert host_identity() == socket.gethostname()
    listener = Listener("127.0.0.1")
    assert (listener.unix, len(listener.sockets)) == ("", 1)
    listener.close()
