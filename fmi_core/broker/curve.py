"""Who may connect: CURVE keys made from the job secret, and the check of a client's key.

Both key pairs follow from the secret, so whoever has the secret can make them, and nobody else. The client
proves that it is the job's, and so does the broker; everything between them is encrypted
(https://rfc.zeromq.org/spec/26). libzmq accepts any client that knows the server's public key unless it is
told otherwise by ZAP (https://rfc.zeromq.org/spec/27): :func:`zap_reply` lets in the one client key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zmq
from zmq.utils import z85

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmi_core.secret import Secret

__all__ = ["ZAP_ADDRESS", "Keys", "protect_client", "protect_server", "zap_reply"]

ZAP_ADDRESS = "inproc://zeromq.zap.01"
"""Where libzmq asks whether a client may come in (ZAP, RFC 27)."""

_DOMAIN = b"fmi-core"
_VERSION = b"1.0"


@dataclass(frozen=True)
class Keys:
    """A CURVE key pair, in Z85 as libzmq wants it."""

    public: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: Secret, role: str) -> Keys:
        """The keys of ``role``, ``server`` or ``client``. Any 32 bytes are a secret key of Curve25519."""
        own = z85.encode(secret.derive(f"broker/{role}"))
        return cls(public=zmq.curve_public(own), secret=own)


def protect_server(socket: zmq.Socket[bytes], secret: Secret) -> None:
    """Let ``socket`` speak CURVE only, as the server of this secret's jobs; before it is bound."""
    keys = Keys.derive(secret, "server")
    socket.curve_server = True
    socket.curve_secretkey = keys.secret
    socket.curve_publickey = keys.public
    socket.zap_domain = _DOMAIN


def protect_client(socket: zmq.Socket[bytes], secret: Secret) -> None:
    """Let ``socket`` speak CURVE only, to the server of this secret; before it is connected."""
    keys = Keys.derive(secret, "client")
    socket.curve_serverkey = Keys.derive(secret, "server").public
    socket.curve_secretkey = keys.secret
    socket.curve_publickey = keys.public


def zap_reply(request: Sequence[bytes], client_key: bytes) -> tuple[list[bytes], bool]:
    """The answer to a ZAP request, and whether it lets the client in; ``client_key`` is in Z85."""
    version, number, domain, _address, _identity, mechanism, *credentials = request
    welcome = (
        (version, domain, mechanism) == (_VERSION, _DOMAIN, b"CURVE")
        and len(credentials) == 1
        and hmac.compare_digest(credentials[0], z85.decode(client_key))
    )
    status = (b"200", b"OK") if welcome else (b"400", b"not a client of this secret")
    return [_VERSION, number, *status, b"", b""], welcome
