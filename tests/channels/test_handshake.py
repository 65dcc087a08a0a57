"""Both ends prove that they know the secret; nothing recorded is of use."""

from __future__ import annotations

import pytest

from fmi_core.channels.handshake import Acceptor, Initiator, Verdict, link_key
from fmi_core.errors import IntegrityError
from fmi_core.secret import Secret

KEY = link_key(Secret("s" * 32), "nonce")


def begun(verdict=Verdict.ACCEPT, key=KEY, other=KEY):
    caller, called = Initiator(key, 3, 1), Acceptor(other, 1, 4)
    assert called.need == len(caller.hello)
    called.greet(caller.hello)
    assert called.peer == 3
    reply = called.reply(verdict)
    assert caller.need == len(reply)
    return caller, called, reply


def test_two_ranks_of_one_job_accept_each_other():
    caller, called, reply = begun()
    proof = caller.feed(reply)
    assert caller.verdict is Verdict.ACCEPT
    assert called.need == len(proof)
    called.check(proof)


def test_the_acceptor_may_yield():
    caller, _, reply = begun(Verdict.YIELD)
    caller.feed(reply)
    assert caller.verdict is Verdict.YIELD


@pytest.mark.parametrize(
    "key",
    [link_key(Secret("t" * 32), "nonce"), link_key(Secret("s" * 32), "another run")],
)
def test_another_secret_or_another_run_is_noticed_by_the_initiator(key):
    caller, _, reply = begun(other=key)
    with pytest.raises(IntegrityError, match="rank 1's address does not know this job's secret"):
        caller.feed(reply)
    assert caller.verdict is None


def test_an_initiator_without_the_secret_is_noticed_by_the_acceptor():
    _, called, _ = begun()
    with pytest.raises(IntegrityError, match="did not prove the job secret"):
        called.check(b"\0" * 32)


def test_a_recorded_conversation_is_of_no_use():
    caller, called, reply = begun()
    proof = caller.feed(reply)
    called.check(proof)
    again = Acceptor(KEY, 1, 4)
    again.greet(caller.hello)
    again.reply(Verdict.ACCEPT)
    with pytest.raises(IntegrityError):
        again.check(proof)
    with pytest.raises(IntegrityError):
        Initiator(KEY, 3, 1).feed(reply)


def test_every_changed_bit_of_the_reply_is_noticed():
    caller, _, reply = begun()
    for position in range(len(reply)):
        changed = bytearray(reply)
        changed[position] ^= 1
        with pytest.raises(IntegrityError):
            caller.feed(bytes(changed))


@pytest.mark.parametrize(
    ("rank", "peer"),
    [(3, 2), (1, 1), (4, 1)],  # for another rank; from itself; from no rank of the job
)
def test_a_greeting_that_cannot_be_meant_is_refused(rank, peer):
    with pytest.raises(IntegrityError, match="greeting to this rank"):
        Acceptor(KEY, 1, 4).greet(Initiator(KEY, rank, peer).hello)


def test_noise_is_no_greeting():
    with pytest.raises(IntegrityError):
        Acceptor(KEY, 1, 4).greet(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n"[: Acceptor(KEY, 1, 4).need].ljust(28, b"\0"))
