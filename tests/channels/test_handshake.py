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
    """Whoever answers there says what it can: the greeting cannot have told it who calls."""
    caller, impostor = Initiator(KEY, 3, 1), Acceptor(key, 1, 4)
    impostor.greet(Initiator(key, 3, 1).hello)
    reply = impostor.reply(Verdict.ACCEPT)
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


@pytest.mark.parametrize("key", [link_key(Secret("t" * 32), "nonce"), link_key(Secret("s" * 32), "another run")])
def test_an_initiator_of_another_secret_or_run_is_noticed_by_the_acceptor(key):
    """At its first word: a stranger must not even seem to be a rank that is on its way."""
    called = Acceptor(KEY, 1, 4)
    with pytest.raises(IntegrityError, match="greeting to this rank"):
        called.greet(Initiator(key, 3, 1).hello)
    assert called.peer == -1


def test_a_greeting_that_is_replayed_cannot_be_carried_on():
    recorded, called, accomplice = Initiator(KEY, 3, 1).hello, Acceptor(KEY, 1, 4), Acceptor(b"x" * 32, 1, 4)
    called.greet(recorded)
    called.reply(Verdict.ACCEPT)
    impostor = Initiator(b"x" * 32, 3, 1)
    accomplice.greet(impostor.hello)
    with pytest.raises(IntegrityError, match="did not prove the job secret"):
        called.check(impostor.feed(accomplice.reply(Verdict.ACCEPT)))


def test_the_acceptor_s_own_proof_sent_back_is_none():
    _, called, reply = begun()
    with pytest.raises(IntegrityError):
        called.check(reply[-called.need :])


def test_a_proof_counts_for_its_own_connection_only():
    first, one, reply = begun()
    second, other, _ = begun()
    assert first.hello != second.hello
    proof = first.feed(reply)
    with pytest.raises(IntegrityError):
        other.check(proof)
    one.check(proof)


def test_every_changed_bit_of_the_proof_is_noticed():
    caller, called, reply = begun()
    proof = caller.feed(reply)
    for position in range(8 * len(proof)):
        changed = bytearray(proof)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError):
            called.check(bytes(changed))
    called.check(proof)


def test_a_greeting_that_was_changed_on_the_way_is_noticed():
    hello = Initiator(KEY, 3, 1).hello
    for position in range(len(hello)):
        changed = bytearray(hello)
        changed[position] ^= 1
        with pytest.raises(IntegrityError, match="greeting to this rank"):
            Acceptor(KEY, 1, 4).greet(bytes(changed))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_that_was_changed_on_the_way_is_noticed(verdict):
    caller, _, reply = begun(verdict)
    other = Verdict.YIELD if verdict is Verdict.ACCEPT else Verdict.ACCEPT
    with pytest.raises(IntegrityError):
        caller.feed(bytes([other]) + reply[1:])
    assert caller.verdict is None


def test_the_key_depends_on_secret_and_run():
    keys = {link_key(Secret(secret * 32), nonce) for secret in "st" for nonce in ("one", "two")}
    assert len(keys) == 4


def test_every_changed_bit_of_the_reply_is_noticed():
    caller, _, reply = begun()
    for position in range(8 * len(reply)):
        changed = bytearray(reply)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError):
            caller.feed(bytes(changed))
    caller.feed(reply)


@pytest.mark.parametrize(
    ("rank", "peer"),
    [(3, 2), (1, 1), (4, 1), (2**32 - 1, 1)],  # for another rank; from itself; from no rank of the job
)
def test_a_greeting_that_cannot_be_meant_is_refused(rank, peer):
    with pytest.raises(IntegrityError, match="greeting to this rank"):
        Acceptor(KEY, 1, 4).greet(Initiator(KEY, rank, peer).hello)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(28), b"\xff" * 28, b"FMI2"], ids=str)
def test_noise_is_no_greeting(noise):
    called = Acceptor(KEY, 1, 4)
    valid = Initiator(KEY, 3, 1).hello
    with pytest.raises(IntegrityError, match="greeting to this rank"):
        called.greet((noise + valid[len(noise) :])[: called.need])
    assert called.peer == -1
