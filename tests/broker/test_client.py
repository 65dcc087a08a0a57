import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
import zmq

from fmi_core.broker import client as client_module
from fmi_core.broker import messages
from fmi_core.broker.client import BrokerClient
from fmi_core.broker.curve import ZAP_ADDRESS, Keys, protect_server, zap_reply
from fmi_core.broker.wire import decode_request, encode
from fmi_core.control import Notice
from fmi_core.errors import (
    AbortedError,
    ArgumentError,
    ConfigError,
    DeadlineExceeded,
    MismatchError,
    PeerLostError,
    RendezvousError,
)
from fmi_core.secret import Secret

nap = threading.Event().wait


class Script:
    """A broker that lets clients in, and then says what the test wants."""

    def __init__(self, secret):
        self._context = zmq.Context()
        self._zap = self._context.socket(zmq.REP)
        self._zap.bind(ZAP_ADDRESS)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.linger = 0
        protect_server(self._router, secret)
        self._router.bind("tcp://127.0.0.1:0")
        self.address = self._router.last_endpoint.decode()
        self._key = Keys.derive(secret, "client").public
        self._answers = []
        self._stopping = False
        self.asked = []
        self._thread = threading.Thread(target=self._serve)

    def run(self, *answers):
        """Answer each request with what the next of ``answers`` makes of it; ``None``: do not answer."""
        self._answers = list(answers)
        self._thread.start()
        return self

    def _serve(self):
        while not self._stopping:
            if self._zap.poll(5):
                self._zap.send_multipart(zap_reply(self._zap.recv_multipart(), self._key)[0])
            if self._router.poll(5):
                member, *frames = self._router.recv_multipart()
                self.asked.append(decode_request(frames))
                make = self._answers.pop(0) if self._answers else None
                made = [] if make is None else make(self.asked[-1])
                for reply in made if isinstance(made, list) else [made]:
                    self._router.send_multipart([member, *encode(reply)])

            if self._stopping:
                self._zap.close()
                self._router.close()

    def stop(self):
        self._stopping = True

    def close(self):
        self._stopping = True
        self._thread.join()
        self._context.term()


def granted(request):
    return messages.Granted(request.seq, "nonce", 1000)


@pytest.fixture
def script(secret):
    found = Script(secret)
    yield found
    found.close()


# What is wrong from the start ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"address": "localhost:7077"}, "FMI_BROKER"),
        ({"job": ""}, "FMI_JOB"),
        ({"job": "a\nb"}, "FMI_JOB"),
        ({"job": "x" * 401}, "FMI_JOB"),
        ({"size": 0}, "FMI_SIZE"),
        ({"rank": 2}, "FMI_RANK"),
        ({"rank": -1}, "FMI_RANK"),
        ({"attempt": -1}, "FMI_ATTEMPT"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(secret, changes, name):
    given = {"address": "tcp://127.0.0.1:1", "job": "job", "rank": 0, "size": 2} | changes
    with pytest.raises(ConfigError) as caught:
        BrokerClient(given.pop("address"), secret, **given)
    assert caught.value.name == name
    assert repr(caught.value.value) in str(caught.value)


def test_nothing_works_before_joining_and_after_closing(site):
    client = site.client()
    for _ in range(2):
        for call in (
            lambda: client.put("k", b""),
            lambda: client.get("k"),
            lambda: client.wait(["k"], 1),
            lambda: client.fence("f", nap, 1),
        ):
            with pytest.raises(RendezvousError, match="rank 0 is not in job 'job'"):
                call()
        client.report(Notice("lost", 0, ""))
        client.leave()
        assert (client.poll(), client.fileno()) == ([], -1)
        client.join(20)
        client.close()
        client.close()


@pytest.mark.parametrize("key", ["", "a\nb", "x" * 401])
def test_a_key_that_cannot_be_is_named(site, key):
    client = site.joined()
    for call, argument in (
        (lambda: client.put(key, b""), "key"),
        (lambda: client.get(key), "key"),
        (lambda: client.wait(["good", key], 1), "keys"),
        (lambda: client.fence(key, nap, 1), "name"),
    ):
        with pytest.raises(ArgumentError, match="printable characters") as caught:
            call()
        assert caught.value.argument == argument


# Joining -------------------------------------------------------------------------------------------------


def test_ranks_of_a_run_share_its_nonce(site):
    a, b = site.all_joined(2)
    other = site.joined(job="another")
    assert a.nonce == b.nonce
    assert len(a.nonce) == 32
    assert other.nonce not in ("", a.nonce)


def test_a_rank_joins_once(site):
    client = site.joined()
    with pytest.raises(RendezvousError, match="has joined already"):
        client.join(1)
    client.put("k", b"")


def test_nobody_listens(site, quick):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    client = site.client(address=address)
    with pytest.raises(RendezvousError) as caught:
        client.join(0.2)
    for part in (f"no broker answers at {address}", "within 0.2 s", "Connection refused", "FMI_BROKER"):
        assert part in str(caught.value)


def test_the_broker_may_come_after_the_ranks(site, secret):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    client = site.client(address=address)
    joining = threading.Thread(target=client.join, args=(20,))
    joining.start()
    nap(0.15)
    site.serve(bind=address)
    joining.join(20)
    assert client.nonce


def test_who_accepts_and_says_nothing(site):
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = site.client(address=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(RendezvousError, match="is accepted, but nothing is said"):
            client.join(0.3)


def test_another_secret_is_refused_at_once_and_never_shown(site):
    stranger = Secret.generate()
    client = site.client(secret=stranger)
    begun_s = time.monotonic()
    with pytest.raises(RendezvousError, match="refused this job's secret; see whether FMI_SECRET") as caught:
        client.join(60)
    assert time.monotonic() - begun_s < 2
    assert site.broker.address in str(caught.value)
    shown = f"{caught.value} {client!r} {vars(client)}"
    assert stranger.reveal() not in shown
    assert site.secret.reveal() not in shown
    assert site.joined().nonce


def test_something_else_listens(site):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection, contextlib.suppress(ConnectionError):  # the client hangs up as soon as it sees
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
                connection.recv(1000)

        serving = threading.Thread(target=serve)
        serving.start()
        client = site.client(address=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(RendezvousError, match="is no broker of fmi-core: something else listens there"):
            client.join(60)
        serving.join()


def test_a_broker_that_takes_no_claims(site, script, quick):
    client = site.client(address=script.run().address)
    with pytest.raises(RendezvousError, match="it takes no claims"):
        client.join(0.5)


def test_a_held_rank_is_refused_and_can_be_taken_over(site, until):
    first = site.joined(0, 2, attempt=1)
    for attempt in (0, 1):
        with pytest.raises(RendezvousError, match="held by attempt 1, and this is attempt") as caught:
            site.client(0, 2, attempt=attempt).join(20)
        assert "FMI_ATTEMPT=2" in str(caught.value)
    second = site.joined(0, 2, attempt=2)
    (notice,) = until(first.poll)
    assert (notice.kind, notice.rank) == ("fenced", 0)
    with pytest.raises(RendezvousError, match="attempt 2 took the place of attempt 1"):
        first.put("k", b"")
    second.put("k", b"")


def test_a_waiting_rank_that_is_taken_over_hears_it_at_once(site, together):
    first = site.joined(0, 2)

    def fenced():
        with pytest.raises(RendezvousError, match="rank 0 was replaced, this process must end: attempt 1 took"):
            first.fence("start", nap, 60)

    together(fenced, lambda: nap(0.05) or site.joined(0, 2, attempt=1))


def test_another_size_is_refused(site):
    site.joined(0, 2)
    with pytest.raises(RendezvousError, match="has 2 ranks, but rank 1 says 3"):
        site.client(1, 3).join(20)


def test_a_refused_rank_may_try_again(site):
    first = site.joined()
    second = site.client()
    with pytest.raises(RendezvousError, match="held by attempt 0"):
        second.join(20)
    first.leave()
    second.join(20)
    assert second.nonce != first.nonce


# Values --------------------------------------------------------------------------------------------------


def test_values_are_for_the_whole_job_and_for_no_other(site):
    a, b = site.all_joined(2)
    other = site.joined(job="another")
    a.put("card/0", b"\0\xff")
    b.put("card/1", bytearray(b"one"))
    assert (b.get("card/0"), a.get("card/1"), a.get("card/2")) == (b"\0\xff", b"one", None)
    assert other.get("card/0") is None
    assert b.wait(["card/0", "card/1", "card/0"], 20) == {"card/0": b"\0\xff", "card/1": b"one"}
    assert a.wait([], 20) == {}


def test_a_wait_ends_when_the_last_value_comes(site, together):
    a, b = site.all_joined(2)

    def put():
        for key in ("x", "y"):
            nap(0.05)
            b.put(key, key.encode())

    found, _ = together(lambda: a.wait(["x", "y"], 20), put)
    assert found == {"x": b"x", "y": b"y"}


def test_a_wait_that_is_in_vain_names_the_keys(site):
    client = site.joined()
    client.put("there", b"")
    with pytest.raises(DeadlineExceeded, match=r"nobody has published 'x', 'y' within 0\.05 s") as caught:
        client.wait(["x", "there", "y"], 0.05)
    assert caught.value.seconds == 0.05
    with pytest.raises(DeadlineExceeded, match=r"'9', … \(30 in all\)"):
        client.wait([str(number) for number in range(30)], 0.0)
    client.put("x", b"")
    assert client.get("x") == b""


def test_a_value_that_is_too_large_is_told_before_it_is_sent(site):
    broker = site.serve(max_value_bytes=10)
    client = site.joined(address=broker.address)
    client.put("k", b"0123456789")
    with pytest.raises(ArgumentError, match="'k' has 11 bytes; this broker takes at most 10"):
        client.put("k", b"0123456789a")


def test_a_limit_of_the_broker_is_an_error(site):
    broker = site.serve(max_jobs=1)
    site.joined(address=broker.address)
    with pytest.raises(RendezvousError, match="has 1 jobs already"):
        site.client(address=broker.address, job="another").join(20)


def test_large_values_pass(site):
    a, b = site.all_joined(2)
    large = os.urandom(8 * 2**20)
    a.put("k", large)
    assert b.get("k") == large


# Fences --------------------------------------------------------------------------------------------------


def test_a_fence_opens_when_all_have_come_and_moves_the_data_path_meanwhile(site, together):
    ranks = site.all_joined(3)
    waits = []
    arrived = []

    def come(rank):
        nap(0.1 * rank._claim.rank)
        arrived.append(rank)
        rank.fence("start", lambda wait_s: waits.append(wait_s) or nap(wait_s), 20)
        return len(arrived)

    for _ in range(2):
        arrived.clear()
        assert together(*(partial(come, rank) for rank in ranks)) == [3, 3, 3]
    assert waits
    assert all(0 < wait_s <= 0.05 for wait_s in waits)


def test_alone_a_fence_is_open(site):
    site.joined().fence("start", nap, 20)


def test_the_missing_ranks_are_named(site):
    ranks = [site.joined(rank, 8) for rank in range(8) if rank not in (2, 5)]
    absent = site.joined(5, 8)
    for rank in ranks[1:]:
        come_to_fence(rank)
    with pytest.raises(RendezvousError) as caught:
        ranks[0].fence("start", nap, 0.2)
    assert caught.value.missing == (2, 5)
    assert str(caught.value) == ("ranks 2, 5 of 8 did not reach 'start' within 0.2 s; rank 2 never joined the job")
    absent.leave()


def come_to_fence(rank):
    """Comes to the fence without waiting there."""
    rank._connection.send(messages.Fence(rank._next(), "start"))
    rank.get("k")


def test_a_rank_that_gave_up_does_not_count(site):
    a, b = site.all_joined(2)
    for rank, missing in ((a, (1,)), (b, (0,))):
        with pytest.raises(RendezvousError) as caught:
            rank.fence("start", nap, 0.05)
        assert caught.value.missing == missing
        assert "never joined" not in str(caught.value)


def test_what_progress_raises_ends_the_fence_and_the_rank_does_not_count(site):
    a, b = site.all_joined(2)

    def fail(_):
        raise PeerLostError("rank 1 is lost", rank=1)

    with pytest.raises(PeerLostError):
        a.fence("start", fail, 20)
    a.put("k", b"")  # when this is done, so is all that was sent before
    with pytest.raises(RendezvousError) as caught:
        b.fence("start", nap, 0.05)
    assert caught.value.missing == (0,)


def test_a_data_path_that_never_waits_does_not_make_the_fence_spin(site):
    a, _ = site.all_joined(2)
    turns = []
    with pytest.raises(RendezvousError):
        a.fence("start", turns.append, 0.2)
    assert 10 < len(turns) <= 1000


def test_a_fence_left_behind_is_told_at_once(site, together):
    a, b = site.all_joined(2)

    def come():
        with pytest.raises(RendezvousError, match="rank 1 has left the job without reaching 'end'") as caught:
            a.fence("end", nap, 60)
        assert caught.value.missing == (1,)

    together(come, lambda: nap(0.05) or b.leave())


def test_a_reply_at_the_last_moment_counts(site, script):
    def both(cancel):
        return [messages.Done(cancel.target), messages.Missing(cancel.seq)]

    client = site.client(address=script.run(granted, None, both).address)
    client.join(20)
    client.fence("f", nap, 0.05)
    assert [type(asked) for asked in script.asked] == [messages.Claim, messages.Fence, messages.Cancel]


# News ----------------------------------------------------------------------------------------------------


def test_what_one_reports_all_others_hear_once_and_late_ones_too(site, until):
    a, b, c = (site.joined(rank, 4) for rank in range(3))
    notice = Notice("mismatch", 2, "rank 2 calls bcast, rank 0 reduce")
    a.report(notice)
    for rank in (b, c, site.joined(3, 4)):
        assert until(rank.poll) == [notice]
        assert rank.poll() == []
    assert a.poll() == []


def test_a_report_is_sent_even_if_its_rank_ends_at_once(site, until):
    a, b = site.all_joined(2)
    notice = Notice("abort", 1, "x" * 5000, 9)
    b.report(notice)
    b.close()
    (heard,) = until(a.poll)
    assert heard == Notice("abort", 1, "x" * 4000, 9)


def test_the_descriptor_tells_when_there_is_news(site):
    a, b = site.all_joined(2)
    assert a.poll() == []
    for rank in (0, 1):
        b.report(Notice("lost", rank, "gone"))
        heard = []
        while not heard:
            readable, _, _ = select.select([a.fileno()], [], [], 20)
            assert readable
            heard = a.poll()
        assert heard == [Notice("lost", rank, "gone")]


@pytest.mark.parametrize(
    ("notice", "error"),
    [
        (Notice("lost", 1, "it was killed"), PeerLostError),
        (Notice("abort", 1, "enough", 5), AbortedError),
        (Notice("mismatch", 1, "bcast against reduce"), MismatchError),
    ],
)
def test_what_breaks_the_job_ends_every_wait_at_once(site, together, notice, error):
    a, b, c = site.all_joined(3)

    def fail(call):
        with pytest.raises(error, match=notice.reason) as caught:
            call()
        return caught.value

    calls = (lambda: a.fence("f", nap, 60), lambda: b.wait(["x"], 60))
    *errors, _ = together(*(partial(fail, call) for call in calls), lambda: nap(0.05) or c.report(notice))
    errors += [fail(lambda: c.fence("f", nap, 60)), fail(lambda: c.wait(["x"], 60))]
    assert [getattr(found, "rank", 1) for found in errors] == [1] * 4
    assert a.poll() == b.poll() == [notice]
    a.put("x", b"still")
    assert b.wait(["x"], 20) == {"x": b"still"}


def test_progress_may_poll(site, together):
    a, b = site.all_joined(2)
    heard = []

    def turn(wait_s):
        nap(wait_s)
        heard.extend(a.poll())

    def come():
        with pytest.raises(AbortedError):
            a.fence("f", turn, 60)
        return [*heard, *a.poll()]

    notice = Notice("abort", 1, "enough")
    told, _ = together(come, lambda: nap(0.05) or b.report(notice))
    assert told == [notice]


# The end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fence", "wait", "put", "get"])
def test_a_broker_that_stops_ends_every_call(site, together, call):
    a, _ = site.all_joined(2)
    calls = {
        "fence": lambda: a.fence("f", nap, 60),
        "wait": lambda: a.wait(["x"], 60),
        "put": lambda: (nap(0.2), a.put("x", b"")),
        "get": lambda: (nap(0.2), a.get("x")),
    }

    def fail():
        with pytest.raises(RendezvousError, match="has ended the connection") as caught:
            calls[call]()
        assert site.broker.address in str(caught.value)

    together(fail, lambda: nap(0.05) or site.broker.stop())
    begun_s = time.monotonic()
    assert a.poll() == []
    a.report(Notice("lost", 1, "nobody hears it"))
    a.leave()
    a.close()
    assert time.monotonic() - begun_s < 10


def test_a_broker_that_stops_while_a_rank_comes_in(site, script):
    client = site.client(address=script.run(lambda _: script.stop() or []).address)
    with pytest.raises(RendezvousError, match="has ended the connection"):
        client.join(20)


def test_a_broker_that_falls_silent_is_a_deadline(site, script, monkeypatch):
    monkeypatch.setattr(client_module, "_REPLY_S", 0.05)
    monkeypatch.setattr(client_module, "_CANCEL_S", 0.05)
    monkeypatch.setattr(client_module, "_LEAVE_S", 0.05)
    client = site.client(address=script.run(granted).address)
    client.join(20)
    for call in (
        lambda: client.put("k", b""),
        lambda: client.get("k"),
        lambda: client.wait(["k"], 0.05),
        lambda: client.fence("f", nap, 0.05),
    ):
        with pytest.raises(DeadlineExceeded, match=r"is connected, but did not answer within 0\.05 s"):
            call()
    client.leave()


def test_a_broker_of_another_version_is_told(site, script):
    client = site.client(address=script.run(granted, lambda put: messages.Values(put.seq, ())).address)
    client.join(20)
    with pytest.raises(RendezvousError, match="answers with Values, expected Done; install the same version"):
        client.put("k", b"")


def test_replies_that_nobody_waits_for_are_dropped(site, script):
    client = site.client(address=script.run(granted, lambda _: messages.Done(77), None).address)
    client.join(20)
    client.report(Notice("lost", 0, ""))
    deadline_s = time.monotonic() + 20
    while not client._connection._socket.poll(0) and time.monotonic() < deadline_s:
        nap(0.005)
    assert client.poll() == []
    assert not client._replies


_FORK = """
import os, sys
from fmi_core.broker.client import BrokerClient
from fmi_core.control import Notice
from fmi_core.errors import RendezvousError
from fmi_core.secret import Secret

client = BrokerClient(sys.argv[1], Secret(sys.argv[2]), job="job", rank=0, size=1)
client.join(20)
child = os.fork()
if child == 0:
    try:
        client.put("k", b"child")
    except RendezvousError as error:
        said = str(error)
    client.report(Notice("lost", 0, ""))
    client.leave()
    assert client.poll() == []
    client.close()
    os._exit(7 if "made by fork" in said else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
client.put("k", b"parent")
assert client.get("k") == b"parent"
client.leave()
client.close()
"""


def test_a_child_made_by_fork_is_no_rank_and_does_no_harm(site):
    command = [sys.executable, "-c", _FORK, site.broker.address, site.secret.reveal()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert site.broker.values("job", "") == {"k": b"parent"}


# Many ----------------------------------------------------------------------------------------------------


def test_a_thousand_clients_join_put_wait_and_fence(site):
    """In sixteen threads: each has so many ranks that it lets them all ask before it hears their answers."""
    size, threads = 1000, 16
    errors = []
    everybody_in = threading.Barrier(threads)
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * size)

    def live(first):
        try:
            ranks = [site.client(rank, size, context=context) for rank in range(first, size, threads)]
            for rank in ranks:
                rank.join(60)
                rank.put(f"card/{rank._claim.rank}", b"card of %d" % rank._claim.rank)
            everybody_in.wait(60)
            cards = [f"card/{rank}" for rank in range(size)]
            for rank in ranks:
                found = rank.wait(cards, 60)
                assert found["card/999"] == b"card of 999"
                assert len(found) == size
            for rank in ranks[1:]:
                come_to_fence(rank)
            ranks[0].fence("start", nap, 60)
            everybody_in.wait(60)
            for rank in ranks:
                rank.leave()
                rank.close()
        except BaseException as error:
            errors.append(error)
            everybody_in.abort()
            raise

    running = [threading.Thread(target=live, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == []
    assert len(site.broker.values("job", "card/")) == size
    assert site.joined().get("card/0") is None
    for close in reversed(site.opened):
        close()
    context.term()
