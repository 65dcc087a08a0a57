"""Who is at the other end of a connection: mutual challenge and response, without input or output.

Before the first frame both ends prove that they know the job secret, in this run of the job::

    initiator → acceptor   "FMI1" | initiator's rank u32 | acceptor's rank u32 | 16 random bytes a
                           | HMAC-SHA256(key, "hello" | all of the above)
    acceptor → initiator   verdict u8 | 16 random bytes b | HMAC-SHA256(key, "acceptor" | all of the above)
    initiator → acceptor   HMAC-SHA256(key, "initiator" | all of the above)

The key is derived from the job secret and the run's nonce, so nothing recorded in another run, or
in another connection, is of use: within its run a greeting can be replayed, but not carried on.
When both ends open a connection to each other at the same time, the one that the lower rank opened
is kept: the acceptor says so by its verdict.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from enum import IntEnum
from hashlib import sha256

from fmi_core.errors import IntegrityError
from fmi_core.secret import Secret

__all__ = ["Acceptor", "Initiator", "Verdict", "link_key"]

_MAGIC = b"FMI1"
_HELLO = struct.Struct("<4sII16s")
_REPLY = struct.Struct("<B16s32s")
_PROOF_BYTES = 32


class Verdict(IntEnum):
    """The acceptor's answer."""

    ACCEPT = 1
    YIELD = 2  # give this connection up: the other direction's is used


def link_key(secret: Secret, nonce: str) -> bytes:
    """The key of all links of one run of a job."""
    return secret.derive(f"link/{nonce}")


def _mac(key: bytes, who: bytes, transcript: bytes) -> bytes:
    return hmac.digest(key, who + transcript, sha256)


class Initiator:
    """The end that opened the connection, to rank ``peer``.

    ``need`` is how many bytes the next :meth:`feed` wants; ``verdict`` is set by it.
    """

    need = _REPLY.size

    def __init__(self, key: bytes, rank: int, peer: int) -> None:
        self._key = key
        self._peer = peer
        greeting = _HELLO.pack(_MAGIC, rank, peer, secrets.token_bytes(16))
        self.hello = greeting + _mac(key, b"hello", greeting)
        """What to send first."""
        self.verdict: Verdict | None = None

    def feed(self, reply: bytes) -> bytes:
        """Check the acceptor's reply; returns the proof to send.

        Raises:
            IntegrityError: the other end does not know the job secret, or is of another run.
        """
        verdict, challenge, proof = _REPLY.unpack(reply)
        transcript = self.hello + bytes([verdict]) + challenge
        if not hmac.compare_digest(proof, _mac(self._key, b"acceptor", transcript)):
            raise IntegrityError(
                f"what answers at rank {self._peer}'s address does not know this job's secret, or is of another run"
            )
        self.verdict = Verdict(verdict)
        return _mac(self._key, b"initiator", transcript)


class Acceptor:
    """The end that was called, as rank ``rank`` of ``size``; ``peer`` is known after :meth:`greet`."""

    def __init__(self, key: bytes, rank: int, size: int) -> None:
        self._key = key
        self._rank = rank
        self._size = size
        self._transcript = b""
        self.need = _HELLO.size + _PROOF_BYTES
        self.peer = -1

    def greet(self, hello: bytes) -> None:
        """Take the first message.

        Raises:
            IntegrityError: it is not a greeting from another rank to this one.
        """
        greeting, proof = hello[: _HELLO.size], hello[_HELLO.size :]
        magic, peer, rank, _ = _HELLO.unpack(greeting)
        known = hmac.compare_digest(proof, _mac(self._key, b"hello", greeting))
        if not known or magic != _MAGIC or rank != self._rank or peer == rank or peer >= self._size:
            raise IntegrityError("a connection does not open with a greeting to this rank")
        self.peer = peer
        self._transcript = hello

    def reply(self, verdict: Verdict) -> bytes:
        """The answer to the greeting."""
        self._transcript += bytes([verdict]) + secrets.token_bytes(16)
        self.need = _PROOF_BYTES
        return self._transcript[_HELLO.size + _PROOF_BYTES :] + _mac(self._key, b"acceptor", self._transcript)

    def check(self, proof: bytes) -> None:
        """Check the initiator's proof.

        Raises:
            IntegrityError: the other end does not know the job secret.
        """
        if not hmac.compare_digest(proof, _mac(self._key, b"initiator", self._transcript)):
            raise IntegrityError("a connection did not prove the job secret")
