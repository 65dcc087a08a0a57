"""Cards, listeners and dialling."""

from __future__ import annotations

import socket

import pytest

from fmi_core.channels import address
from fmi_core.channels.address import Card, Listener, dial, host_identity, unix_available
from fmi_core.errors import ConfigError, RendezvousError


def test_a_card_survives_the_broker():
    card = Card(3, "host", "name", ("::1", 80))
    assert Card.from_bytes(card.to_bytes()) == card


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"protocol": 1}', b'{"protocol": 1, "tcp": 7, "rank": 0}'])
def test_a_card_that_cannot_be_read_is_said(data):
    with pytest.raises(RendezvousError, match="card cannot be read"):
        Card.from_bytes(data)


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
