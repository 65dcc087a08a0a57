import zmq
from zmq.utils import z85

from fmi_core.broker.curve import Keys, protect_client, protect_server, zap_reply
from fmi_core.secret import Secret


def test_the_same_secret_gives_the_same_keys_and_another_gives_others(secret):
    keys = Keys.derive(secret, "server")
    assert keys == Keys.derive(Secret(secret.reveal()), "server")
    assert keys.public == zmq.curve_public(keys.secret)
    others = {keys.public, Keys.derive(secret, "client").public, Keys.derive(Secret.generate(), "server").public}
    assert len(others) == 3


def test_the_secret_key_is_not_shown(secret):
    keys = Keys.derive(secret, "server")
    assert keys.secret.decode() not in repr(keys)


def test_sockets_speak_curve_only(secret):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server, context.socket(zmq.DEALER) as client:
        protect_server(server, secret)
        protect_client(client, secret)
        assert (server.mechanism, client.mechanism) == (zmq.CURVE, zmq.CURVE)


def ask(secret, **changes):
    request = {
        "version": b"1.0",
        "number": b"7",
        "domain": b"fmi-core",
        "address": b"127.0.0.1",
        "identity": b"",
        "mechanism": b"CURVE",
        "key": z85.decode(Keys.derive(secret, "client").public),
    }
    return zap_reply([*(request | changes).values()], Keys.derive(secret, "client").public)


def test_the_clients_of_the_secret_come_in(secret):
    assert ask(secret) == ([b"1.0", b"7", b"200", b"OK", b"", b""], True)


def test_nobody_else_does(secret):
    stranger = z85.decode(Keys.derive(Secret.generate(), "client").public)
    for changes in ({"key": stranger}, {"key": b""}, {"mechanism": b"NULL"}, {"domain": b"x"}, {"version": b"2"}):
        reply, welcome = ask(secret, **changes)
        assert (reply[2], welcome) == (b"400", False)
    reply, welcome = zap_reply([b"1.0", b"7", b"fmi-core", b"", b"", b"NULL"], Keys.derive(secret, "client").public)
    assert (reply[1:3], welcome) == ([b"7", b"400"], False)
