"""The reference channel and its side channel."""

from __future__ import annotations

import threading

import pytest

from fmi_core.channels.framing import Kind
from fmi_core.channels.memory import MemoryHub
from fmi_core.control import Notice
from fmi_core.errors import AbortedError, PeerLostError, RendezvousError


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
    ("notice", "error"), [(Notice("lost", 2, "it broke"), PeerLostError), (Notice("abort", 2, "enough"), AbortedError)]
)
def test_a_fence_ends_when_the_job_breaks(hub, notice, error):
    hub.control(2).report(notice)
    with pytest.raises(error):
        hub.control(1).fence("here", lambda _wait_s: None, 20)
