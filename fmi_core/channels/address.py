"""Where a rank can be reached: its listening sockets, and the card that tells its peers."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import secrets
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from fmi_core.errors import ConfigError, RendezvousError

__all__ = ["PROTOCOL", "Card", "Listener", "StreamKind", "host_identity", "unix_available"]

PROTOCOL = 1
"""The version of everything that ranks say to each other; ranks of different versions refuse to join."""

StreamKind = Literal["unix", "tcp"]
_BACKLOG = 1024


def unix_available() -> bool:
    """Whether Unix sockets can be used: they are taken from Linux's abstract namespace, which leaves no files."""
    return sys.platform == "linux"


def host_identity() -> str:
    """A text that two ranks share exactly if they can reach each other by abstract Unix sockets."""
    if not unix_available():
        return socket.gethostname()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{Path('/proc/self/ns/net').stat().st_ino}"


@dataclass(frozen=True)
class Card:
    """How to reach rank ``rank``: ``unix`` is an abstract socket's name (on host ``host``), ``tcp`` a host and port."""

    rank: int
    host: str
    unix: str
    tcp: tuple[str, int]
    protocol: int = PROTOCOL

    def to_bytes(self) -> bytes:
        """The card for the broker."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Card:
        """A card from the broker.

        Raises:
            RendezvousError: the card is of another protocol version, or none at all.
        """
        try:
            fields = json.loads(data)
            version = fields["protocol"]
            if version == PROTOCOL:
                host, port = fields["tcp"]
                return cls(int(fields["rank"]), str(fields["host"]), str(fields["unix"]), (str(host), int(port)))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise RendezvousError(f"a rank's card cannot be read: {error!r}") from None
        raise RendezvousError(
            f"a rank speaks protocol {version}, this one {PROTOCOL}; install the same version of fmi-core everywhere"
        )


class Listener:
    """The sockets on which a rank is called: one TCP, and one Unix where there are any.

    Args:
        bind: the IP address of this machine to listen on, which peers will use.

    Raises:
        ConfigError: ``bind`` is not an address of this machine.
    """

    def __init__(self, bind: str) -> None:
        try:
            address = ipaddress.ip_address(bind)
        except ValueError:
            address = None
        if address is None or address.is_unspecified:
            raise ConfigError(
                f"FMI_BIND is {bind!r}; expected an IP address of this machine that the other ranks can reach",
                name="FMI_BIND",
                value=bind,
            )
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        tcp = socket.socket(family, socket.SOCK_STREAM)
        try:
            tcp.bind((bind, 0))
        except OSError as error:
            tcp.close()
            raise ConfigError(
                f"FMI_BIND is {bind!r}, which cannot be listened on ({error.strerror}); "
                "expected an IP address of this machine",
                name="FMI_BIND",
                value=bind,
            ) from None
        self.sockets = [tcp]
        self.tcp: tuple[str, int] = tcp.getsockname()[:2]
        self.unix = ""
        if unix_available():
            self.unix = f"fmi-core-{secrets.token_hex(16)}"
            unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            unix.bind("\0" + self.unix)
            self.sockets.append(unix)
        for listening in self.sockets:
            listening.setblocking(False)
            listening.listen(_BACKLOG)

    def card(self, rank: int) -> Card:
        """The card of rank ``rank``, which owns this listener."""
        return Card(rank, host_identity(), self.unix, self.tcp)

    def close(self) -> None:
        """Stop listening; idempotent."""
        for listening in self.sockets:
            listening.close()


def dial(card: Card, kind: StreamKind) -> socket.socket:
    """A non-blocking socket that is connecting to ``card``'s rank.

    Raises:
        OSError: the connection failed at once.
    """
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        family = socket.AF_INET6 if ":" in card.tcp[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
    tune(sock)
    try:
        if kind == "unix":
            sock.connect("\0" + card.unix)
        else:
            with contextlib.suppress(BlockingIOError):  # under way
                sock.connect(card.tcp)
    except OSError:
        sock.close()
        raise
    return sock


def tune(sock: socket.socket) -> None:
    """Set what every data socket needs: non-blocking, no delay, room for a large message's next piece."""
    sock.setblocking(False)
    if sock.family == socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)  # the kernel caps it at wmem_max
    else:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
