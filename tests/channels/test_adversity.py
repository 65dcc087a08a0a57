"""Strangers, full queues, peers that die at the wrong moment: no rank is ended, kept waiting or kept busy by them."""

from __future__ import annotations

import resource
import socket
import time

import pytest

from fmi_core.channels.address import dial
from fmi_core.channels.handshake import Initiator


def test_a_stranger_that_claims_to_be_a_rank_keeps_nobody_from_dialling_that_rank(net):
    """It does not know the secret, only the ranks' numbers."""
    pair = net(2)
    with dial(pair.listeners[0].card(0), pair.ranks[0].name) as stranger:
        stranger.setblocking(True)
        stranger.sendall(Initiator(b"not the key" * 3, 1, 0).hello)
        pair.until(lambda: pair.ranks[0]._callers, ranks=pair.ranks[:1])
        pair.until(lambda: not pair.ranks[0]._callers, ranks=pair.ranks[:1])
        pair.send(0, (1,), b"x")
        pair.until(pair.inboxes[1].matcher.unexpected)
    assert pair.inboxes[0].lost == []


def test_strangers_that_use_up_the_descriptors_do_not_end_this_rank(net):
    pair = net(2)
    strangers = [dial(pair.listeners[1].card(1), pair.ranks[1].name) for _ in range(20)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        highest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, hard))
    try:
        for _ in range(40):
            pair.ranks[1].progress(0.0, ())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for stranger in strangers:
            stranger.close()
    pair.send(0, (1,), b"still here")
    pair.until(pair.inboxes[1].matcher.unexpected)


@pytest.mark.parametrize("net", ["unix"], indirect=True)
def test_a_unix_listener_whose_queue_is_full_is_not_taken_for_a_lost_rank(net):
    pair = net(2)
    listening = pair.listeners[1].sockets[1]
    listening.listen(0)
    strangers = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    full = False
    for stranger in strangers:
        stranger.setblocking(False)
        try:
            stranger.connect("\0" + pair.listeners[1].unix)
        except BlockingIOError:
            full = True
    assert full
    pair.send(0, (1,), b"x")
    pair.until(pair.inboxes[1].matcher.unexpected)
    for stranger in strangers:
        stranger.close()
    assert pair.inboxes[0].lost == []


@pytest.mark.parametrize("net", ["unix"], indirect=True)
def test_a_held_rank_that_has_closed_does_not_keep_the_processor_busy(net):
    pair = net(2).opened()
    pair.inboxes[1].open = False
    pair.send(0, (1,), b"held")
    pair.until(lambda: pair.ranks[1]._held, ranks=pair.ranks[1:])
    pair.ranks[0].close()
    began = time.monotonic()
    assert not pair.ranks[1].progress(0.05, (0,))
    assert time.monotonic() - began >= 0.05


def test_a_rank_that_yielded_to_one_that_died_before_its_greeting_is_told(net):
    pair = net(2)
    pair.send(1, (0,), b"x")
    pair.ranks[1].progress(0.0, ())  # its greeting
    pair.ranks[0].progress(0.0, ())  # the accept
    pair.send(0, (1,), b"y")
    (caller,) = pair.ranks[0]._callers
    assert pair.ranks[0]._handlers[caller.sock.fileno()]()  # it answers YIELD before it has sent its own greeting
    pair.ranks[0].close()
    pair.until(lambda: pair.inboxes[1].lost, ranks=pair.ranks[1:])
