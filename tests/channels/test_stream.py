"""Links between ranks: made when needed, one for each pair, and what becomes of them."""

from __future__ import annotations

import os
import random
import socket
import threading
from pathlib import Path

import pytest

from fmi_core.channels.address import dial
from fmi_core.channels.framing import Kind
from fmi_core.channels.handshake import Initiator

MIB = 2**20


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


def test_close_is_idempotent_and_leaves_no_descriptor(net):
    before = len(list(Path("/proc/self/fd").iterdir()))
    three = net(3)
    sends = [three.send(a, (b,), b"x") for a in range(3) for b in range(3) if a != b]
    three.until(lambda: all(send.done for send in sends))
    half = net(2)
    half.send(0, (1,), b"not even accepted")
    for some in (three, half):
        some.close()
        some.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
