"""Links between ranks: made when needed, one for each pair, and what becomes of them."""

from __future__ import annotations

import itertools
import os
import random
import socket
import struct
import threading
import time

import pytest

from fmi_core.channels.address import dial
from fmi_core.channels.framing import Kind, pack_header
from fmi_core.channels.handshake import Acceptor, Initiator, Verdict

MIB = 2**20
KEY = b"k" * 32
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def call(net, rank, hello=None):
    """A raw connection to ``rank``, and what it has to do there as the other rank of two."""
    sock = dial(net.listeners[rank].card(rank), net.ranks[rank].name)
    sock.setblocking(True)
    sock.settimeout(20)
    side = Initiator(KEY, 1 - rank, rank)
    sock.sendall(side.hello if hello is None else hello)
    return sock, side


def answer(net, rank):
    """The raw connection that ``rank``, whose transport must not move, is called on, and its greeting."""
    listening = net.listeners[rank].sockets[net.ranks[rank].name == "unix"]
    listening.setblocking(True)
    listening.settimeout(20)
    sock = listening.accept()[0]
    sock.settimeout(20)
    side = Acceptor(KEY, rank, 2)
    net.ranks[1 - rank].progress(0.0, ())
    side.greet(sock.recv(side.need, socket.MSG_WAITALL))
    return sock, side


def test_the_first_message_opens_the_link_and_the_next_ones_use_it(net):
    pair = net(2)
    assert not pair.ranks[0].connected(1)
    first = pair.send(0, (1,), b"one", tag=1)
    pair.until(lambda: first.done)
    assert pair.ranks[0].connected(1)
    second = pair.send(0, (1,), b"two", tag=2)
    back = pair.send(1, (0,), b"back")
    pair.until(lambda: second.done and back.done)
    pair.until(lambda: len(pair.inboxes[1].matcher.unexpected()) == 2 and pair.inboxes[0].matcher.unexpected())
    assert pair.inboxes[1].messages() == [(0, 1, b"one"), (0, 2, b"two")]
    assert pair.inboxes[0].messages() == [(1, 0, b"back")]


def test_one_post_serves_many_peers(net):
    four = net(4)
    sending = four.send(2, (0, 1, 3), b"all")
    assert sending.pending == 3
    four.until(lambda: all(four.inboxes[rank].matcher.unexpected() for rank in (0, 1, 3)) and sending.done)
    assert [four.inboxes[rank].messages() for rank in (0, 1, 3)] == [[(2, 0, b"all")]] * 3


def test_sixteen_mebibytes_both_ways_at_once(net):
    pair = net(2)
    payloads = [os.urandom(16 * MIB) for _ in range(2)]
    sends = [pair.send(rank, (1 - rank,), payloads[rank]) for rank in range(2)]

    def all_there():
        return all(send.done for send in sends) and all(
            (waiting := inbox.matcher.unexpected()) and waiting[0].complete for inbox in pair.inboxes
        )

    pair.until(all_there)
    for rank in range(2):
        assert pair.inboxes[rank].messages() == [(1 - rank, 0, payloads[1 - rank])]


def test_many_views_leave_as_one_message(net):
    pair = net(2)
    parts = [bytes([number % 256]) * (number % 5) for number in range(2000)]
    sending = pair.send(0, (1,), views=[memoryview(part) for part in parts])
    pair.until(lambda: sending.done and (w := pair.inboxes[1].matcher.unexpected()) and w[0].complete)
    assert pair.inboxes[1].messages() == [(0, 0, b"".join(parts))]


@pytest.mark.parametrize("seed", range(40))
def test_ranks_that_dial_each_other_at_once_keep_one_link_and_lose_nothing(net, seed):
    """Each seed is another order in which the ranks of three pairs take their steps."""
    order = random.Random(seed)
    three = net(3)
    expected = {rank: [] for rank in range(3)}
    sends = []
    for number in range(12):
        source, target = order.sample(range(3), 2)
        payload = bytes([number])
        sends.append(three.send(source, (target,), payload, tag=number))
        expected[target].append((source, number, payload))
        for _ in range(order.randrange(4)):
            three.ranks[order.randrange(3)].progress(0.0, ())
    got = {rank: [] for rank in range(3)}

    def all_there():
        three.ranks[order.randrange(3)].progress(0.0, (0, 1, 2))
        for rank in range(3):
            got[rank] += three.inboxes[rank].messages()
        return all(send.done for send in sends) and sum(map(len, got.values())) == 12

    three.until(all_there, ranks=[])
    for rank in range(3):
        for source in range(3):
            sent = [message for message in expected[rank] if message[0] == source]
            assert [message for message in got[rank] if message[0] == source] == sent
    assert all(not inbox.lost for inbox in three.inboxes)
    for one in range(3):
        for other in range(one):
            assert three.ranks[one].connected(other) == three.ranks[other].connected(one)


def test_a_peer_that_closes_is_lost_once_and_its_last_words_are_heard(net):
    pair = net(2)
    pair.send(1, (0,), b"before")
    farewell = pair.send(1, (0,), kind=Kind.BYE, views=())
    pair.until(lambda: farewell.done)
    pair.ranks[1].close()
    pair.until(lambda: pair.inboxes[0].lost, ranks=pair.ranks[:1])
    assert pair.inboxes[0].messages() == [(1, 0, b"before")]
    assert pair.inboxes[0].controls == [(1, Kind.BYE, 0, 0, b"text")]
    pair.send(0, (1,), b"too late")
    pair.ranks[0].progress(0.0, (1,))
    assert len(pair.inboxes[0].lost) == 1
    pair.ranks[1].close()


def test_a_peer_that_dies_in_the_middle_of_a_message_is_lost(net):
    pair = net(2)
    hello = pair.send(0, (1,), b"x")
    pair.until(lambda: hello.done and pair.inboxes[1].matcher.unexpected())
    pair.inboxes[1].messages()
    pair.send(0, (1,), bytes(64 * MIB))
    pair.until(pair.inboxes[1].matcher.unexpected)
    pair.ranks[0].close()
    pair.until(lambda: pair.inboxes[1].lost, ranks=pair.ranks[1:])
    assert pair.inboxes[1].lost == [(0, "in the middle of a message")]


def test_sending_to_a_peer_that_died_tells_so(net):
    pair = net(2)
    hello = pair.send(0, (1,), b"x")
    pair.until(lambda: hello.done)
    pair.ranks[1].close()
    while not pair.inboxes[0].lost:
        pair.send(0, (1,), bytes(MIB))
    assert pair.inboxes[0].lost[0][0] == 1


def test_a_peer_that_was_never_reached_is_lost(net):
    pair = net(2)
    pair.listeners[1].close()
    sending = pair.send(0, (1,), b"x")
    pair.until(lambda: pair.inboxes[0].lost, ranks=pair.ranks[:1])
    assert not sending.done
    ((peer, reason),) = pair.inboxes[0].lost
    assert peer == 1
    assert "refused" in reason.lower()


def test_an_end_without_the_secret_gets_nothing_and_is_lost_to_the_one_who_dialled(net):
    pair = net(2, keys=[b"a" * 32, b"b" * 32])
    sending = pair.send(0, (1,), b"secret")
    pair.until(lambda: pair.inboxes[0].lost)
    assert "does not know this job's secret" in pair.inboxes[0].lost[0][1]
    assert not sending.done
    pair.until(lambda: not pair.ranks[1]._callers)
    assert pair.inboxes[1].matcher.unexpected() == []
    assert pair.inboxes[1].lost == []


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n" * 10, bytes(28)])
def test_a_stranger_disturbs_nobody(net, noise):
    pair = net(2)
    with dial(pair.listeners[1].card(1), pair.ranks[1].name) as stranger:
        stranger.setblocking(True)
        if noise:
            stranger.sendall(noise)
        stranger.shutdown(socket.SHUT_WR)
        sending = pair.send(0, (1,), b"fine")
        pair.until(lambda: sending.done and pair.inboxes[1].matcher.unexpected() and not pair.ranks[1]._callers)
    assert pair.inboxes[1].messages() == [(0, 0, b"fine")]
    assert pair.inboxes[1].lost == []


def test_a_member_that_sends_no_frames_is_lost(net):
    pair = net(2)
    sock = dial(pair.listeners[1].card(1), pair.ranks[1].name)
    side = Initiator(b"k" * 32, 0, 1)
    sock.setblocking(True)
    sock.settimeout(20)
    sock.sendall(side.hello)
    pair.until(lambda: pair.ranks[1]._accepting, ranks=pair.ranks[1:])
    proof = side.feed(sock.recv(side.need, socket.MSG_WAITALL))
    sock.sendall(proof + b"\xff" * 100)
    pair.until(lambda: pair.inboxes[1].lost, ranks=pair.ranks[1:])
    assert "it sent bytes that are not a frame" in pair.inboxes[1].lost[0][1]
    sock.close()


def test_a_caller_that_gives_up_after_it_was_accepted_is_dialled_instead(net):
    pair = net(2)
    sock = dial(pair.listeners[1].card(1), pair.ranks[1].name)
    side = Initiator(b"k" * 32, 0, 1)
    sock.setblocking(True)
    sock.sendall(side.hello)
    pair.until(lambda: pair.ranks[1]._accepting, ranks=pair.ranks[1:])
    sending = pair.send(1, (0,), b"waits for the caller")
    assert not pair.ranks[1]._opening
    sock.close()
    pair.until(lambda: sending.done and pair.inboxes[0].matcher.unexpected())
    assert pair.inboxes[0].messages() == [(1, 0, b"waits for the caller")]


def test_a_link_that_is_held_is_read_again_when_it_may_be(net):
    pair = net(2)
    hello = pair.send(0, (1,), b"x")
    pair.until(lambda: hello.done and pair.inboxes[1].matcher.unexpected())
    pair.inboxes[1].messages()
    pair.inboxes[1].open = False
    more = pair.send(0, (1,), bytes(8 * MIB))
    for _ in range(50):
        pair.ranks[0].progress(0.0, ())
        pair.ranks[1].progress(0.0, ())
        pair.ranks[1].progress(0.0, (0,))
    assert not more.done
    assert pair.inboxes[1].matcher.unexpected() == []
    pair.inboxes[1].open = True
    pair.until(lambda: more.done and (w := pair.inboxes[1].matcher.unexpected()) and w[0].complete)


def test_a_hot_link_is_read_without_asking_the_kernel_who_is_ready(net):
    pair = net(2)
    hello = pair.send(0, (1,), b"x")
    pair.until(lambda: hello.done and pair.inboxes[1].matcher.unexpected())
    pair.inboxes[1].messages()
    receiver = threading.Thread(target=lambda: [pair.ranks[1].progress(5.0, (0,))])
    receiver.start()
    pair.send(0, (1,), b"hot")
    receiver.join()
    assert pair.inboxes[1].messages() == [(0, 0, b"hot")]


def test_another_descriptor_wakes_a_wait(net):
    pair = net(2)
    reader, writer = os.pipe()
    pair.ranks[0].watch(reader)
    os.write(writer, b"!")
    assert not pair.ranks[0].progress(20.0, ())
    os.close(reader)
    os.close(writer)


def test_close_is_idempotent_and_leaves_no_descriptor(net, descriptors):
    before = descriptors()
    three = net(3)
    sends = [three.send(a, (b,), b"x") for a in range(3) for b in range(3) if a != b]
    three.until(lambda: all(send.done for send in sends))
    half = net(2)
    half.send(0, (1,), b"not even accepted")
    for some in (three, half):
        some.close()
        some.close()
    assert descriptors() == before


# --- dialling each other at once ------------------------------------------------------------------


def exchange_at_once(pair, steps):
    """Both ranks post to each other, then take the steps; all must arrive, over one link."""
    sends = [pair.send(rank, (1 - rank,), bytes([rank, number]), tag=number) for number in range(2) for rank in (0, 1)]
    for rank in steps:
        pair.ranks[rank].progress(0.0, ())
    pair.until(lambda: all(s.done for s in sends) and all(len(i.matcher.unexpected()) == 2 for i in pair.inboxes))
    for rank, inbox in enumerate(pair.inboxes):
        assert inbox.messages() == [(1 - rank, number, bytes([1 - rank, number])) for number in range(2)]
        assert inbox.lost == []
    for _ in range(4):  # what is left of the connection that was given up
        for rank in pair.ranks:
            rank.progress(0.0, ())
    pair.assert_settled()
    assert pair.ranks[0].connected(1)


STEPS = 8


@pytest.mark.parametrize("first", [*itertools.product((0, 1), repeat=3)], ids=lambda first: "".join(map(str, first)))
def test_every_order_of_the_steps_of_two_ranks_that_dial_each_other(net, first):
    for rest in itertools.product((0, 1), repeat=STEPS - len(first)):
        pair = net(2)
        exchange_at_once(pair, first + rest)
        pair.close()


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_single_events_of_ranks_that_dial_each_other(net, seed):
    """Each step handles one ready descriptor of one rank: an accept, a greeting, a reply, a proof, a frame, an end."""
    for number in range(20):
        order = random.Random(f"{seed}/{number}")
        some = net(order.choice((2, 3)))
        size = len(some.ranks)
        some.slow(order)
        sent = {pair: [] for pair in itertools.permutations(range(size), 2)}
        got = {pair: [] for pair in sent}
        sends = []
        for tag in range(order.randrange(2, 9)):
            source, target = order.sample(range(size), 2)
            payload = bytes([tag]) * order.choice((0, 1, 50, 70_000))
            sends.append(some.send(source, (target,), payload, tag=tag))
            sent[source, target].append((tag, payload))
            for _ in range(order.randrange(6)):
                some.ranks[order.randrange(size)].progress(0.0, ())
        idle = 0
        while idle < 60 * size:  # so many steps in any order find whatever is still to do
            idle = 0 if some.ranks[order.randrange(size)].progress(0.0, ()) else idle + 1
        for target, inbox in enumerate(some.inboxes):
            assert inbox.lost == []
            for source, tag, payload in inbox.messages():
                got[source, target].append((tag, payload))
        assert got == sent
        assert all(sending.done for sending in sends)
        some.assert_settled()
        some.close()


@pytest.mark.parametrize("death", ["closes", "has another key"])
def test_any_order_of_events_when_a_rank_that_is_dialling_fails(net, descriptors, death):
    """No error escapes, nothing is counted twice, no socket is forgotten."""
    for number in range(60):
        before = descriptors()
        order = random.Random(f"{death}/{number}")
        pair = net(2, keys=[KEY, KEY if death == "closes" else b"x" * 32])
        pair.slow(order)
        for rank in order.sample((0, 1), 2):
            pair.send(rank, (1 - rank,), b"x")
            for _ in range(order.randrange(4)):
                pair.ranks[order.randrange(2)].progress(0.0, ())
        for _ in range(order.randrange(12)):
            pair.ranks[order.randrange(2)].progress(0.0, ())
        gone = order.randrange(2)
        pair.ranks[gone].close()
        stays = pair.ranks[1 - gone]
        for _ in range(30):
            stays.progress(0.0, ())
        assert len(pair.inboxes[1 - gone].lost) <= 1
        assert len(stays._handlers) == len(pair.listeners[1 - gone].sockets)
        pair.close()
        assert descriptors() == before


def test_a_rank_whose_caller_gives_up_while_it_dials_itself_does_not_dial_twice(net):
    """The lower rank's key is another one, so it gives up the connection that the higher one has accepted."""
    pair = net(2, keys=[b"a" * 32, KEY])
    for rank in (0, 1):
        pair.send(rank, (1 - rank,), b"x")
    pair.until(lambda: pair.inboxes[0].lost and pair.inboxes[1].lost)
    pair.ranks[0].close()
    for _ in range(20):
        pair.ranks[1].progress(0.0, ())
    assert [peer for peer, _ in pair.inboxes[1].lost] == [0]
    assert len(pair.ranks[1]._handlers) == len(pair.listeners[1].sockets)


def test_the_lower_rank_s_connection_is_kept(net):
    pair = net(2)
    waiting = pair.send(0, (1,), b"from below")
    sock, side = call(pair, 0)
    for _ in range(3):
        pair.ranks[0].progress(0.0, ())
    assert side.feed(sock.recv(side.need, socket.MSG_WAITALL))
    assert side.verdict is Verdict.YIELD
    sock.close()
    pair.until(lambda: waiting.done and not pair.ranks[0]._callers)
    assert pair.ranks[0].connected(1)
    assert pair.inboxes[0].lost == []


def test_a_second_connection_of_a_connected_rank_is_given_up(net):
    pair = net(2).opened()
    for rank in (0, 1):
        sock, side = call(pair, rank)
        pair.until(lambda rank=rank: pair.ranks[rank]._callers, ranks=[pair.ranks[rank]])
        pair.ranks[rank].progress(0.0, ())
        side.feed(sock.recv(side.need, socket.MSG_WAITALL))
        assert side.verdict is Verdict.YIELD
        sock.close()
        pair.until(lambda rank=rank: not pair.ranks[rank]._callers)
    exchange_at_once(pair, ())


# --- handshakes that come in pieces or to no end --------------------------------------------------


def test_a_handshake_may_come_byte_by_byte(net):
    pair = net(2)
    called = pair.ranks[1]
    sock, side = call(pair, 1, hello=b"")
    pair.until(lambda: called._callers, ranks=[called])
    for byte in side.hello:
        assert not called._accepting
        sock.sendall(bytes([byte]))
        called.progress(20.0, ())
    proof = side.feed(sock.recv(side.need, socket.MSG_WAITALL))
    for byte in proof:
        assert not called.connected(0)
        sock.sendall(bytes([byte]))
        called.progress(20.0, ())
    assert called.connected(0)
    sock.close()


def test_a_reply_may_come_byte_by_byte(net):
    pair = net(2)
    sending = pair.send(0, (1,), b"x")
    sock, side = answer(pair, 1)
    for byte in side.reply(Verdict.ACCEPT):
        assert not pair.ranks[0].connected(1)
        sock.sendall(bytes([byte]))
        pair.ranks[0].progress(20.0, ())
    side.check(sock.recv(side.need, socket.MSG_WAITALL))
    assert sending.done
    assert sock.recv(100).endswith(b"textx")
    sock.close()


def test_what_poll_said_may_be_out_of_date(net):
    """Nobody calls, and nothing has come: the handlers say so."""
    pair = net(2)
    called = pair.ranks[1]
    assert not any(called._handlers[listening.fileno()]() for listening in pair.listeners[1].sockets)
    sock, _ = call(pair, 1, hello=b"")
    pair.until(lambda: called._callers, ranks=[called])
    (caller,) = called._callers
    assert not called._handlers[caller.sock.fileno()]()
    pair.send(0, (1,), b"x")
    pair.ranks[0].progress(0.0, ())
    assert not pair.ranks[0]._handlers[pair.ranks[0]._opening[1].sock.fileno()]()
    sock.close()


@pytest.mark.parametrize("length", [0, 1, 48], ids=lambda length: f"{length} bytes of the reply")
def test_a_rank_that_dies_while_it_is_called_is_lost(net, length):
    pair = net(2)
    sending = pair.send(0, (1,), b"x")
    sock, side = answer(pair, 1)
    sock.sendall(side.reply(Verdict.ACCEPT)[:length])
    sock.close()
    pair.until(lambda: pair.inboxes[0].lost, ranks=pair.ranks[:1])
    ((lost, reason),) = pair.inboxes[0].lost
    assert lost == 1
    assert "closed the connection in the handshake" in reason
    assert "has ended" in reason
    assert not sending.done
    assert len(pair.ranks[0]._handlers) == len(pair.listeners[0].sockets)


def test_a_rank_that_resets_the_connection_while_it_is_called_is_lost(net):
    pair = net(2)
    pair.send(0, (1,), b"x")
    sock, _ = answer(pair, 1)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()
    pair.until(lambda: pair.inboxes[0].lost, ranks=pair.ranks[:1])
    ((peer, reason),) = pair.inboxes[0].lost
    assert peer == 1
    assert reason.startswith("no connection to it: ")


@pytest.mark.parametrize(("length", "proof"), [(0, 0), (1, 0), (27, 0), (28, 0), (28, 1), (28, 31)])
def test_a_caller_that_dies_in_the_handshake_leaves_nothing(net, length, proof):
    pair = net(2)
    called = pair.ranks[1]
    sock, side = call(pair, 1, hello=b"")
    sock.sendall(side.hello[:length])
    if length == len(side.hello):
        pair.until(lambda: called._accepting, ranks=[called])
        sock.sendall(side.feed(sock.recv(side.need, socket.MSG_WAITALL))[:proof])
    sock.close()
    pair.until(lambda: not called._callers, ranks=[called])
    for _ in range(3):
        called.progress(0.0, ())
    assert len(called._handlers) == len(pair.listeners[1].sockets)
    assert not called._accepting
    assert pair.inboxes[1].lost == []
    exchange_at_once(pair, ())


def test_a_caller_with_another_key_is_sent_away_and_the_real_one_comes_in(net):
    pair = net(2)
    sock, side = call(pair, 1)
    pair.until(lambda: pair.ranks[1]._accepting, ranks=pair.ranks[1:])
    sock.sendall(bytes(32))
    pair.until(lambda: not pair.ranks[1]._callers, ranks=pair.ranks[1:])
    sock.recv(side.need, socket.MSG_WAITALL)
    assert sock.recv(1) == b""
    sock.close()
    exchange_at_once(pair, ())


def test_a_caller_that_dies_after_its_proof_is_lost_with_what_waits_for_it(net):
    pair = net(2)
    called = pair.ranks[1]
    sock, side = call(pair, 1)
    pair.until(lambda: called._accepting, ranks=[called])
    sends = [pair.send(1, (0,), b"x") for _ in range(3)]
    sock.sendall(side.feed(sock.recv(side.need, socket.MSG_WAITALL)))
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()
    pair.until(lambda: pair.inboxes[1].lost, ranks=[called])
    assert [peer for peer, _ in pair.inboxes[1].lost] == [0]
    assert not any(sending.done for sending in sends)
    assert not called.connected(0)
    assert len(called._handlers) == len(pair.listeners[1].sockets)


def test_more_than_the_socket_takes_may_wait_for_the_link(net):
    pair = net(2)
    payload = os.urandom(32 * MIB)
    sends = [pair.send(0, (1,), payload), pair.send(0, (1,), b"end")]
    pair.until(lambda: pair.ranks[0]._unsent)
    sends.append(pair.send(0, (1,), b"behind"))
    pair.until(lambda: all(sending.done for sending in sends))
    pair.until(lambda: len(pair.inboxes[1].matcher.unexpected()) == 3)
    assert [message[2] for message in pair.inboxes[1].messages()] == [payload, b"end", b"behind"]
    assert not pair.ranks[0]._unsent


# --- ends -----------------------------------------------------------------------------------------


def test_an_end_while_bytes_wait_to_be_sent_is_noticed(net):
    pair = net(2).opened()
    sending = pair.send(0, (1,), bytes(32 * MIB))
    assert pair.ranks[0]._unsent
    pair.ranks[1].close()
    pair.until(lambda: pair.inboxes[0].lost, ranks=pair.ranks[:1])
    assert not sending.done
    assert not pair.ranks[0]._unsent
    assert len(pair.ranks[0]._handlers) == len(pair.listeners[0].sockets)


def test_all_that_arrived_before_the_end_is_taken_in_when_sending_fails(net):
    pair = net(2).opened()
    large = os.urandom(30_000)  # it fits the receive window, so that nothing is left with the one who closes
    sends = [pair.send(0, (1,), large, tag=1), pair.send(0, (1,), b"last", tag=2)]
    assert all(sending.done for sending in sends)
    pair.ranks[0].close()
    deadline = time.monotonic() + 20
    while not pair.inboxes[1].lost:  # the first ones may still leave
        assert time.monotonic() < deadline
        pair.send(1, (0,), b"x")
    assert pair.inboxes[1].messages() == [(0, 1, large), (0, 2, b"last")]


@pytest.mark.parametrize("hot", [(), (0,)])
def test_an_answer_from_within_a_delivery_may_meet_the_end(net, hot):
    pair = net(2).opened()
    inbox = pair.inboxes[1]
    inbox.react = lambda source, _kind: pair.ranks[1].post((source,), Kind.BYE, 0, 0, b"", ())
    for tag in range(3):
        pair.send(0, (1,), kind=Kind.WAIT, tag=tag, views=())
        pair.send(0, (1,), b"data", tag=tag)
    pair.ranks[0].close()
    deadline = time.monotonic() + 20
    while not inbox.lost:
        assert time.monotonic() < deadline
        pair.ranks[1].progress(0.01, hot)
    pair.ranks[1].progress(0.0, hot)
    assert [tag for _, kind, _, tag, _ in inbox.controls if kind is Kind.WAIT] == [0, 1, 2]
    assert inbox.messages() == [(0, tag, b"data") for tag in range(3)]
    assert [peer for peer, _ in inbox.lost] == [0]


def test_an_answer_may_meet_the_end_in_the_middle_of_a_message(net):
    """More than one read takes in, so that the delivery goes on after the answer has found the link dead."""
    pair = net(2)
    called, inbox = pair.ranks[1], pair.inboxes[1]
    sock, side = call(pair, 1)
    pair.until(lambda: called._accepting, ranks=[called])
    sock.sendall(side.feed(sock.recv(side.need, socket.MSG_WAITALL)))
    pair.until(lambda: called.connected(0), ranks=[called])
    inbox.react = lambda source, _kind: called.post((source,), Kind.BYE, 0, 0, b"", ())
    whole = pack_header(Kind.DATA, 0, 1, 20_000, b"") + bytes(20_000)
    sock.sendall(
        pack_header(Kind.WAIT, 0, 0, 0, b"") + whole + pack_header(Kind.DATA, 0, 2, 90_000, b"") + bytes(80_000)
    )
    sock.close()
    pair.until(lambda: inbox.lost, ranks=[called])
    for _ in range(3):
        called.progress(0.0, (0,))
    assert [peer for peer, _ in inbox.lost] == [0]
    assert len(inbox.controls) == 1
    assert [(arrival.tag, arrival.complete) for arrival in inbox.matcher.unexpected()] == [(1, True), (2, False)]
    assert len(called._handlers) == len(pair.listeners[1].sockets)


def test_ends_are_told_for_each_rank_and_leave_the_others_alone(net):
    three = net(3)
    sends = [three.send(a, (b,), b"x") for a, b in itertools.permutations(range(3), 2)]
    three.until(lambda: all(sending.done for sending in sends) and not three.ranks[0]._callers)
    three.ranks[2].close()
    three.until(lambda: three.inboxes[0].lost and three.inboxes[1].lost, ranks=three.ranks[:2])
    assert [[peer for peer, _ in inbox.lost] for inbox in three.inboxes[:2]] == [[2], [2]]
    for inbox in three.inboxes[:2]:
        inbox.messages()
    more = three.send(0, (1,), b"more")
    three.until(lambda: more.done and three.inboxes[1].matcher.unexpected(), ranks=three.ranks[:2])
    assert three.inboxes[1].messages() == [(0, 0, b"more")]


# --- holding back ---------------------------------------------------------------------------------


def held(pair):
    """Rank 1 holds rank 0 back, which has sent something."""
    pair.opened()
    pair.inboxes[1].open = False
    pair.send(0, (1,), b"held")
    pair.until(lambda: pair.ranks[1]._held, ranks=pair.ranks[1:])
    return pair


def test_a_message_that_has_begun_is_read_to_its_end_and_no_more(net):
    pair = net(2).opened()
    first = pair.send(0, (1,), bytes(8 * MIB), tag=1)
    second = pair.send(0, (1,), b"second", tag=2)
    pair.until(pair.inboxes[1].matcher.unexpected)
    pair.inboxes[1].open = False
    pair.until(lambda: first.done and second.done and pair.ranks[1]._held)
    assert [(arrival.tag, arrival.complete) for arrival in pair.inboxes[1].matcher.unexpected()] == [(1, True)]
    pair.inboxes[1].open = True
    pair.until(lambda: len(pair.inboxes[1].matcher.unexpected()) == 2)


def test_a_held_rank_can_be_sent_to(net):
    pair = held(net(2))
    payload = os.urandom(8 * MIB)
    sending = pair.send(1, (0,), payload)
    assert pair.ranks[1]._unsent
    pair.until(lambda: sending.done)
    assert pair.inboxes[1].matcher.unexpected() == []
    pair.until(lambda: (waiting := pair.inboxes[0].matcher.unexpected()) and waiting[0].complete)
    assert pair.inboxes[0].messages() == [(1, 0, payload)]
    # Its bytes are still there, but do not wake this rank: the wait takes as long as it was told.
    pair.until(lambda: not pair.ranks[1]._unsent)
    began = time.monotonic()
    assert not pair.ranks[1].progress(0.05, (0,))
    assert time.monotonic() - began >= 0.05


def test_a_held_link_can_be_closed(net):
    pair = held(net(2))
    pair.ranks[1].close()
    pair.inboxes[1].open = True
    assert not pair.ranks[1].progress(0.0, ())


def test_a_held_rank_that_resets_the_connection_while_it_is_sent_to_is_lost(net):
    pair = held(net(2))
    pair.ranks[0].close()
    deadline = time.monotonic() + 20
    while not pair.inboxes[1].lost:
        assert time.monotonic() < deadline
        pair.send(1, (0,), bytes(MIB))
    assert not pair.ranks[1]._held
    assert pair.inboxes[1].messages() == [(0, 0, b"held")]
    assert not pair.ranks[1].progress(0.0, (0,))


def test_sixteen_mebibytes_both_ways_between_two_threads(net):
    pair = net(2).opened()
    payloads = [os.urandom(16 * MIB) for _ in range(2)]
    got = {}

    def one(rank):
        inbox, mine = pair.inboxes[rank], pair.ranks[rank]
        sending = pair.send(rank, (1 - rank,), payloads[rank])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            mine.progress(0.05, (1 - rank,))
            waiting = inbox.matcher.unexpected()
            if sending.done and waiting and waiting[0].complete:
                got[rank] = inbox.messages()
                return

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {rank: [(1 - rank, 0, payloads[1 - rank])] for rank in range(2)}
