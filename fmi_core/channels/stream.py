"""Messages over sockets: links opened when first needed, all moved by one non-blocking loop.

Where the state lives. A peer is in one of these states:

- *unknown*: no connection. The first post to it dials.
- *opening*: this rank has dialled and shakes hands; posted frames wait in ``_waiting``.
- *open*: ``_links`` has its :class:`~fmi_core.channels.link.Link`.
- *gone*: the connection ended. :meth:`~fmi_core.channels.transport.Inbox.on_lost` was told, once.

Those who call sit in ``_callers`` until they have proved who they are; once a caller has been told
that its connection is accepted, ``_accepting`` keeps this rank from dialling it as well. If two
ranks dial each other at the same time, the lower rank's connection wins: the handshake's verdict
tells the loser, and no frame has been sent on it by then, so none is lost.

Every socket is registered with one ``poll`` object, and ``_handlers`` maps its descriptor to the
method to call. Reading a link that is *hot* (a message is awaited from it) is tried before
``poll`` is asked, which saves a system call on the path that matters.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from fmi_core.channels.address import Card, Listener, StreamKind, dial, tune
from fmi_core.channels.framing import FrameReader, Kind, pack_header
from fmi_core.channels.handshake import Acceptor, Initiator, Verdict
from fmi_core.channels.link import Link, LinkClosed, Outgoing
from fmi_core.channels.transport import Inbox, Sending
from fmi_core.errors import IntegrityError
from fmi_core.payload import View

__all__ = ["StreamTransport"]

_SPINS = 40  # reads of the hot links, each with a yield of the core, before the kernel is asked to wait
_REDIAL_S = 0.25  # how often a peer is dialled again to which frames wait, but no connection is on its way
_READ = select.POLLIN
_BOTH = select.POLLIN | select.POLLOUT


class _Opening:
    """A connection in its handshake, dialled by this rank (``Initiator``) or by another (``Acceptor``)."""

    def __init__(self, sock: socket.socket, side: Initiator | Acceptor) -> None:
        self.sock = sock
        self.side = side
        self.connected = isinstance(side, Acceptor)
        self.got = b""

    def read(self) -> bytes | None:
        """The next whole handshake message, or ``None`` while it is not complete.

        Raises:
            OSError: the connection failed or ended.
        """
        try:
            data = self.sock.recv(self.side.need - len(self.got))
        except BlockingIOError:
            return None
        if not data:
            raise ConnectionResetError(
                "it closed the connection in the handshake: it does not know this job's secret, is of another run, "
                "or has ended"
            )
        self.got += data
        if len(self.got) < self.side.need:
            return None
        message, self.got = self.got, b""
        return message


class StreamTransport:
    """One rank's links to its peers over TCP or Unix sockets.

    Args:
        kind: ``tcp`` or ``unix``.
        rank: this rank.
        cards: every rank's card, by rank.
        listener: this rank's listening sockets; closed with the transport.
        key: the key that links are authenticated with.
        inbox: where frames go.
    """

    def __init__(
        self,
        kind: StreamKind,
        rank: int,
        cards: Mapping[int, Card],
        listener: Listener,
        key: bytes,
        inbox: Inbox,
    ) -> None:
        self.name = kind
        self._kind: StreamKind = kind
        self._rank = rank
        self._cards = cards
        self._listener = listener
        self._key = key
        self._inbox = inbox
        self._links: dict[int, Link] = {}
        self._opening: dict[int, _Opening] = {}
        self._callers: set[_Opening] = set()
        self._accepting: dict[int, _Opening] = {}
        self._waiting: dict[int, list[Outgoing]] = {}
        self._gone: set[int] = set()
        self._redial_at = 0.0
        self._unsent: set[Link] = set()
        self._held: set[Link] = set()
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], bool]] = {}
        for listening in listener.sockets:
            self._register(listening, functools.partial(self._accept, listening))

    # --- the interface ----------------------------------------------------------------------------

    def post(
        self,
        peers: Sequence[int],
        kind: Kind,
        context: int,
        tag: int,
        descriptor: bytes,
        views: Sequence[View],
    ) -> Sending:
        """Begin to send a message to each of ``peers``; dials those that are not connected."""
        nbytes = sum(view.nbytes for view in views)
        head = memoryview(pack_header(kind, context, tag, nbytes, descriptor))
        sending = Sending(len(peers))
        for peer in peers:
            frame = Outgoing([head, *views], sending)
            link = self._links.get(peer)
            if link is None:
                self._waiting.setdefault(peer, []).append(frame)
                if peer not in self._opening and peer not in self._accepting:
                    self._dial(peer)
            else:
                self._try(link, functools.partial(link.send, frame))
                if link.unsent and self._links.get(peer) is link:
                    self._want_write(link)
        return sending

    def progress(self, wait_s: float, hot: Sequence[int]) -> bool:
        """Move what can move; see :class:`~fmi_core.channels.transport.Transport`."""
        for held in tuple(self._held):
            self._release(held)
        if self._waiting:
            self._redial()
        links = [link for peer in hot if (link := self._links.get(peer)) is not None and link not in self._held]
        for spin in range(_SPINS if wait_s > 0 and links else 1):
            if spin:
                os.sched_yield()
            if self._read_hot(links):
                return True
        moved = False
        for fd, _ in self._poll.poll(max(0.0, wait_s * 1000)):
            handler = self._handlers.get(fd)
            if handler is not None and handler():
                moved = True
        return moved

    def connected(self, peer: int) -> bool:
        """Whether a link to ``peer`` is open."""
        return peer in self._links

    def watch(self, fd: int) -> None:
        """Let :meth:`progress` wake when ``fd`` is readable."""
        self._poll.register(fd, _READ)

    def close(self) -> None:
        """Close every socket; idempotent."""
        for opening in (*self._opening.values(), *self._callers):
            opening.sock.close()
        for link in self._links.values():
            with contextlib.suppress(OSError):  # the peer may have closed first
                link.sock.shutdown(socket.SHUT_WR)
            link.close()
        self._listener.close()
        self._handlers.clear()
        self._links.clear()
        self._opening.clear()
        self._callers.clear()
        self._accepting.clear()
        self._held.clear()
        self._waiting.clear()

    # --- open links -------------------------------------------------------------------------------

    def _read_hot(self, links: Sequence[Link]) -> bool:
        moved = False
        for link in links:
            if self._may_read(link) and self._try(link, link.read):
                moved = True
        return moved

    def _may_read(self, link: Link) -> bool:
        """Whether to take in more from ``link``; if not, its peer is held back until :meth:`_release`."""
        if link.middle or self._inbox.may_read(link.peer):
            return True
        self._held.add(link)
        self._set_events(link)
        return False

    def _on_link(self, link: Link) -> bool:
        moved = link in self._unsent and self._try(link, link.write)
        if link in self._unsent and not link.unsent:
            self._unsent.discard(link)
            self._set_events(link)
        if self._links.get(link.peer) is not link:
            return moved
        return (self._may_read(link) and self._try(link, link.read)) or moved

    def _release(self, link: Link) -> None:
        if self._inbox.may_read(link.peer):
            self._held.discard(link)
            self._set_events(link)

    def _want_write(self, link: Link) -> None:
        if link not in self._unsent:
            self._unsent.add(link)
            self._set_events(link)

    def _set_events(self, link: Link) -> None:
        events = (0 if link in self._held else select.POLLIN) | (select.POLLOUT if link in self._unsent else 0)
        if events:
            self._poll.register(link.sock, events)
        else:  # not with no events: an end would be reported again and again
            with contextlib.suppress(KeyError):
                self._poll.unregister(link.sock)

    def _try(self, link: Link, action: Callable[[], bool | None]) -> bool:
        """Do ``action`` on ``link``; if the link turns out to be dead, take leave of it."""
        try:
            return bool(action())
        except LinkClosed as closed:
            self._drain(link)
            self._lose(link, str(closed))
        except IntegrityError as error:
            self._lose(link, f"it sent bytes that are {error}")
        return True

    def _drain(self, link: Link) -> None:
        """Take in what arrived before the connection ended: a farewell may be among it."""
        with contextlib.suppress(LinkClosed, IntegrityError):
            while link.read():
                pass

    def _lose(self, link: Link, reason: str) -> None:
        self._unregister(link.sock)
        self._unsent.discard(link)
        self._held.discard(link)
        if self._links.get(link.peer) is link:
            del self._links[link.peer]
        link.close()
        self._lost(link.peer, reason)

    def _lost(self, peer: int, reason: str) -> None:
        self._waiting.pop(peer, None)
        if peer not in self._gone:
            self._gone.add(peer)
            self._inbox.on_lost(peer, reason)

    # --- opening links ----------------------------------------------------------------------------

    def _redial(self) -> None:
        """Dial those whose queue of callers was full, and those that said they would dial and have not yet."""
        now = time.monotonic()
        if now < self._redial_at:
            return
        self._redial_at = now + _REDIAL_S
        for peer in tuple(self._waiting):
            if peer not in self._opening and peer not in self._accepting:
                self._dial(peer)

    def _dial(self, peer: int) -> None:
        try:
            sock = dial(self._cards[peer], self._kind)
        except BlockingIOError:  # Unix: its queue of callers is full; _redial tries again
            return
        except OSError as error:
            self._lost(peer, f"its address does not answer: {error.strerror}")
            return
        opening = _Opening(sock, Initiator(self._key, self._rank, peer))
        self._opening[peer] = opening
        self._register(sock, lambda: self._on_dialled(peer, opening), _BOTH)

    def _on_dialled(self, peer: int, opening: _Opening) -> bool:
        side = opening.side
        assert isinstance(side, Initiator)
        try:
            if not opening.connected:
                opening.connected = True
                opening.sock.sendall(side.hello)  # fails with the reason if the connection did
                self._poll.modify(opening.sock, _READ)
                return True
            reply = opening.read()
            if reply is None:
                return False
            proof = side.feed(reply)
            if side.verdict is Verdict.ACCEPT:
                opening.sock.sendall(proof)
        except (OSError, IntegrityError) as failure:
            self._abandon(peer)
            self._lost(peer, f"no connection to it: {getattr(failure, 'strerror', None) or failure}")
            return True
        if side.verdict is Verdict.ACCEPT:
            del self._opening[peer]
            self._open(opening.sock, peer)
        else:
            self._abandon(peer)
        return True

    def _abandon(self, peer: int) -> None:
        opening = self._opening.pop(peer)
        self._unregister(opening.sock)
        opening.sock.close()

    def _accept(self, listening: socket.socket) -> bool:
        try:
            sock, _ = listening.accept()
        except OSError:  # nobody, somebody who has gone again, or no descriptor is left
            return False
        tune(sock)
        caller = _Opening(sock, Acceptor(self._key, self._rank, len(self._cards)))
        self._callers.add(caller)
        self._register(sock, lambda: self._on_caller(caller))
        return True

    def _on_caller(self, caller: _Opening) -> bool:
        side = caller.side
        assert isinstance(side, Acceptor)
        try:
            message = caller.read()
            if message is None:
                return False
            if side.peer < 0:
                side.greet(message)
                verdict = self._verdict(side.peer)
                caller.sock.sendall(side.reply(verdict))
                if verdict is Verdict.ACCEPT:
                    self._accepting[side.peer] = caller
                return True
            side.check(message)
        except (OSError, IntegrityError):
            self._dismiss(caller)
            return True
        self._callers.discard(caller)
        self._accepting.pop(side.peer, None)
        if side.peer in self._opening:
            self._abandon(side.peer)
        self._open(caller.sock, side.peer)
        return True

    def _verdict(self, peer: int) -> Verdict:
        mine = peer in self._links or (peer in self._opening and self._rank < peer)
        return Verdict.YIELD if mine else Verdict.ACCEPT

    def _dismiss(self, caller: _Opening) -> None:
        """Let go of a stranger, or of a connection that its caller has given up."""
        self._callers.discard(caller)
        self._unregister(caller.sock)
        caller.sock.close()
        assert isinstance(caller.side, Acceptor)
        peer = caller.side.peer
        if self._accepting.get(peer) is caller:
            del self._accepting[peer]
            if peer in self._waiting and peer not in self._opening:
                self._dial(peer)

    def _open(self, sock: socket.socket, peer: int) -> None:
        link = Link(sock, peer, FrameReader(lambda header, text: self._inbox.on_frame(peer, header, text)))
        self._links[peer] = link
        self._unregister(sock)
        self._register(sock, lambda: self._on_link(link))
        for frame in self._waiting.pop(peer, ()):
            if self._links.get(peer) is link:
                self._try(link, functools.partial(link.send, frame))
        if link.unsent and self._links.get(peer) is link:
            self._want_write(link)

    def _register(self, sock: socket.socket, handler: Callable[[], bool], events: int = _READ) -> None:
        self._handlers[sock.fileno()] = handler
        self._poll.register(sock, events)

    def _unregister(self, sock: socket.socket) -> None:
        if self._handlers.pop(sock.fileno(), None) is not None:
            with contextlib.suppress(KeyError):  # it is held
                self._poll.unregister(sock)
