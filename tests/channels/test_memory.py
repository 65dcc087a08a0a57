"""The reference channel and its side channel."""

from __future__ import annotations

import threading

import pytest

from fmi_core.channels.framing import Kind
from fmi_core.channels.matching import Receive
from fmi_core.channels.memory import MemoryHub
from fmi_core.control import Notice
from fmi_core.errors import AbortedError, MismatchError, PeerLostError, RendezvousError


@pytest.fixture
def hub():
    return MemoryHub(3)


def test_a_message_is_copied_to_every_peer(hub, recorder):
    inboxes = [recorder() for _ in range(3)]
    ranks = [hub.transport(rank, inbox) for rank, inbox in enumerate(inboxes)]
    payload = bytearray(b"abc")
    sending = ranks[0].post((1, 2), Kind.DATA, 0, 7, b"d", [memoryview(payload), memoryview(b"de")])
    assert sending.done
    payload[:] = b"xyz"
    for rank in (1, 2):
        assert ranks[rank].progress(0.0, ())
        assert inboxes[rank].messages() == [(0, 7, b"abcde")]
        assert not ranks[rank].progress(0.0, ())
    assert ranks[0].connected(1)
    ranks[0].watch(0)
    ranks[0].close()


def test_a_message_lands_where_its_receive_was_posted(hub, recorder):
    inbox, memory = recorder(), bytearray(b"......")
    receive = Receive(2, 0, 7, [memoryview(memory)[:1], memoryview(memory)[1:1], memoryview(memory)[1:]])
    inbox.matcher.post(receive)
    rank = hub.transport(1, inbox)
    hub.transport(0, recorder()).post((1,), Kind.DATA, 2, 7, b"d", [memoryview(b"abc")])
    assert not receive.done
    assert rank.progress(0.0, (0,))
    assert receive.done
    assert memory == b"abc..."
    assert receive.arrival.descriptor == b"d"


def test_other_frames_have_no_payload(hub, recorder):
    inbox = recorder()
    rank = hub.transport(1, inbox)
    hub.transport(0, recorder()).post((1,), Kind.BYE, 0, 0, b"", ())
    rank.progress(0.0, ())
    assert inbox.controls == [(0, Kind.BYE, 0, 0, b"")]


def test_a_wait_ends_when_a_message_comes(hub, recorder):
    inbox = recorder()
    rank = hub.transport(1, inbox)
    other = hub.transport(0, recorder())
    sender = threading.Thread(target=lambda: other.post((1,), Kind.DATA, 0, 0, b"", [memoryview(b"!")]))
    sender.start()
    assert rank.progress(20.0, ())
    sender.join()
    assert inbox.messages() == [(0, 0, b"!")]


def test_a_wait_ends_when_nothing_comes_or_a_notice_does(hub, recorder):
    rank = hub.transport(1, recorder())
    assert not rank.progress(0.001, ())
    hub.control(0).report(Notice("lost", 0, "gone"))
    assert not rank.progress(20.0, ())
    assert hub.control(1).poll() == [Notice("lost", 0, "gone")]
    assert hub.control(1).poll() == []


def test_a_report_goes_to_the_others_and_a_publication_to_all(hub):
    notice = Notice("abort", 1, "why", 4)
    hub.control(1).report(notice)
    assert [len(hub.control(rank).poll()) for rank in range(3)] == [1, 0, 1]
    hub.publish(notice)
    assert [len(hub.control(rank).poll()) for rank in range(3)] == [1, 1, 1]


def test_values_are_kept(hub):
    control = hub.control(0)
    control.put("key", b"value")
    assert hub.values == {"key": b"value"}
    assert control.fileno() == -1
    control.leave()
    control.close()


def test_a_fence_opens_when_all_are_there(hub, recorder):
    passed = []

    def one(rank):
        box = hub.transport(rank, recorder())
        hub.control(rank).fence("here", lambda wait_s: box.progress(wait_s, ()), 20)
        passed.append(rank)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == [0, 1, 2]


def test_a_fence_names_who_is_missing(hub):
    with pytest.raises(RendezvousError, match=r"ranks 0, 2 of 3 did not reach 'here' within 0\.05 s") as caught:
        hub.control(1).fence("here", lambda _wait_s: None, 0.05)
    assert caught.value.missing == (0, 2)


@pytest.mark.parametrize(
    ("notice", "error"),
    [
        (Notice("lost", 2, "it broke"), PeerLostError),
        (Notice("abort", 2, "enough"), AbortedError),
        (Notice("mismatch", 2, "rank 2 is in bcast"), MismatchError),
        (Notice("fenced", 2, "a newer attempt"), RendezvousError),
    ],
)
def test_a_fence_ends_when_the_job_breaks(hub, notice, error):
    hub.control(2).report(notice)
    with pytest.raises(error):
        hub.control(1).fence("here", lambda _wait_s: None, 20)


def test_a_notice_that_comes_while_a_fence_waits_ends_it(hub):
    def progress(_wait_s):
        hub.control(2).report(Notice("abort", 2, "enough", 3))

    with pytest.raises(AbortedError) as caught:
        hub.control(1).fence("here", progress, 20)
    assert (caught.value.rank, caught.value.code) == (2, 3)


def test_the_data_path_moves_while_a_fence_waits(recorder):
    hub, inbox, waits = MemoryHub(2), recorder(), []
    here, there = hub.transport(0, inbox), hub.transport(1, recorder())

    def progress(wait_s):
        waits.append(wait_s)
        if len(waits) == 1:
            there.post((0,), Kind.DATA, 0, 0, b"", [memoryview(b"x")])
        here.progress(wait_s, ())
        if inbox.matcher.unexpected():
            hub.control(1).fence("here", progress, 20)  # the last one to come

    hub.control(0).fence("here", progress, 20)
    assert inbox.messages() == [(1, 0, b"x")]
    assert all(0 < wait_s <= 20 for wait_s in waits)


def test_fences_of_different_names_do_not_open_one_another(hub):
    for rank, name in ((0, "one"), (2, "one"), (0, "other")):
        with pytest.raises(RendezvousError):
            hub.control(rank).fence(name, lambda _wait_s: None, 0)
    with pytest.raises(RendezvousError) as caught:
        hub.control(1).fence("other", lambda _wait_s: None, 0)
    assert caught.value.missing == (2,)
    hub.control(1).fence("one", lambda _wait_s: None, 0)


def test_the_only_rank_passes_at_once():
    def progress(_wait_s):
        raise AssertionError

    MemoryHub(1).control(0).fence("alone", progress, 0)


def test_the_last_rank_at_a_fence_wakes_the_others(recorder):
    hub = MemoryHub(2)
    here, waits = hub.transport(0, recorder()), threading.Event()

    def progress(_wait_s):
        waits.set()
        here.progress(40.0, ())

    thread = threading.Thread(target=lambda: hub.control(0).fence("here", progress, 60))
    thread.start()
    assert waits.wait(20)
    hub.control(1).fence("here", lambda _wait_s: None, 20)
    thread.join(20)
    assert not thread.is_alive()
