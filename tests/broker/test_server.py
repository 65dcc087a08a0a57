import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from functools import partial

import pytest
import zmq

from fmi_core.broker import server
from fmi_core.broker.curve import Keys
from fmi_core.broker.messages import Claim, Get, Granted, Leave, Probe, Put, Refused, Values
from fmi_core.broker.server import Broker
from fmi_core.broker.wire import decode_reply, encode
from fmi_core.control import Notice
from fmi_core.errors import ConfigError, RendezvousError
from fmi_core.secret import Secret

LOST = Notice("lost", 1, "rank 1 was killed by SIGKILL")


def answer(raw, *frames):
    """What the broker answers to raw frames."""
    raw.send_multipart(frames)
    assert raw.poll(20_000), "no answer"
    return decode_reply(raw.recv_multipart())


# Starting and stopping -----------------------------------------------------------------------------------


def test_it_listens_where_it_says(secret):
    broker = Broker(secret)
    assert broker.address == ""
    with broker:
        host, _, port = broker.address.removeprefix("tcp://").rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), timeout=10).close()
    broker.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=10)


def test_version_six_of_the_internet_protocol(site):
    broker = site.serve(bind="tcp://[::1]:0")
    assert broker.address.startswith("tcp://[::1]:")
    client = site.joined(address=broker.address)
    client.put("k", b"v")
    assert client.get("k") == b"v"


@pytest.mark.parametrize("bind", ["nonsense", "tcp://127.0.0.1", "tcp://192.0.2.1:0"])
def test_an_address_that_cannot_be_listened_on_is_named(secret, bind):
    broker = Broker(secret, bind=bind)
    with pytest.raises(ConfigError, match="the broker cannot listen on") as caught:
        broker.start()
    assert (caught.value.name, caught.value.value) == ("bind", bind)
    broker.stop()


def test_a_port_that_is_taken(secret, site):
    with pytest.raises(ConfigError, match="in use"):
        Broker(secret, bind=site.broker.address).start()


def test_a_broker_is_started_once(secret, site):
    with pytest.raises(RuntimeError, match="started once"):
        site.broker.start()
    broker = Broker(secret)
    broker.stop()
    broker.serve()  # it was told to stop: that is all
    assert broker.address == ""
    with pytest.raises(RuntimeError, match="started once"):
        broker.start()


def test_it_serves_in_this_thread_until_another_stops_it(secret, site):
    broker = Broker(secret)
    threading.Thread(target=lambda: (site.joined(address=wait_for_address(broker)), broker.stop())).start()
    broker.serve()


def wait_for_address(broker):
    deadline = threading.Event()
    while not broker.address:
        deadline.wait(0.005)
    return broker.address


_SERVE = """
import os, signal
from fmi_core.broker.server import Broker
from fmi_core.secret import Secret

broker = Broker(Secret("x" * 32))
signal.signal(signal.SIGUSR1, lambda *_: broker.stop())
if os.fork() == 0:
    broker.stop()  # of a process that does not serve: nothing
    os._exit(0)
os.wait()
print("ready", flush=True)
broker.serve()
print("stopped", flush=True)
"""


def test_a_signal_handler_may_stop_it_and_a_child_cannot():
    job = subprocess.Popen([sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True)
    try:
        assert job.stdout.readline() == "ready\n"
        job.send_signal(signal.SIGUSR1)
        assert job.communicate(timeout=20) == ("stopped\n", None)
        assert job.returncode == 0
    finally:
        job.kill()


_FORK = """
import os
from fmi_core.broker.server import Broker
from fmi_core.secret import Secret

with Broker(Secret("x" * 32)) as broker:
    child = os.fork()
    if child == 0:
        broker.stop()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_child_made_by_fork_does_not_wait_for_a_thread_that_it_has_not():
    assert subprocess.run([sys.executable, "-c", _FORK], timeout=30, check=False).returncode == 0


def test_the_secret_is_never_logged_or_shown(secret, site, caplog):
    with caplog.at_level(logging.DEBUG):
        site.joined()
        with pytest.raises(RendezvousError):
            site.client(secret=Secret.generate()).join(20)
        site.close()
    assert any(record.name == "fmi_core.broker" for record in caplog.records)
    assert secret.reveal() not in caplog.text + repr(site.broker) + str(vars(site.broker))


_QUIET = """
import logging
import fmi_core.broker.server

logging.getLogger("fmi_core.broker").warning("a warning")
"""


def test_nothing_is_shown_unless_the_program_asks_for_it():
    result = subprocess.run([sys.executable, "-c", _QUIET], capture_output=True, timeout=30, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


# What others than ranks see and do -----------------------------------------------------------------------


def test_values_can_be_read_while_ranks_run_and_after(site):
    ranks = site.all_joined(3)
    for rank in ranks:
        rank.put(f"ledger/{rank._claim.rank}", b"%d" % rank._claim.rank)
    ledgers = {"ledger/0": b"0", "ledger/1": b"1", "ledger/2": b"2"}
    ranks[0].put("other", b"")
    assert site.broker.values("job", "ledger/") == ledgers
    for rank in ranks:
        rank.leave()
        rank.close()
    assert site.broker.values("job", "ledger/") == ledgers
    site.broker.stop()
    assert site.broker.values("job", "ledger/1") == {"ledger/1": b"1"}
    assert site.broker.values("another", "") == {}


def test_what_is_published_reaches_everybody_also_those_to_come(site, until):
    ranks = [site.joined(rank, 3) for rank in range(2)]
    site.broker.publish("job", LOST)
    site.broker.publish("another", Notice("lost", 0, "not for these"))
    for rank in ranks:
        assert until(rank.poll) == [LOST]
    late = site.joined(2, 3)
    assert until(late.poll) == [LOST]
    assert [rank.poll() for rank in ranks] == [[], []]


def test_many_threads_may_publish_and_read(site, together, until):
    client = site.joined(0, 500)
    client.put("k", b"v")

    def many(first):
        for number in range(first, first + 50):
            site.broker.publish("job", Notice("lost", number, "gone"))
            assert site.broker.values("job", "") == {"k": b"v"}

    together(*(partial(many, first) for first in range(0, 400, 50)))
    heard = []
    until(lambda: heard.extend(client.poll()) or len(heard) == 400)
    assert {notice.rank for notice in heard} == set(range(400))


def test_to_publish_after_the_end_is_nothing(site):
    site.broker.stop()
    site.broker.publish("job", LOST)


# The end of connections ----------------------------------------------------------------------------------


def test_a_rank_that_goes_without_a_word_is_lost_to_those_who_have_met_it(site, until):
    a, b = site.all_joined(2)
    b.put("card/1", b"")
    a.get("card/1")
    b.close()
    (notice,) = until(a.poll)
    assert (notice.kind, notice.rank) == ("lost", 1)
    assert "its connection to the broker ended" in notice.reason


def test_a_rank_that_leaves_is_not(site):
    a, b = site.all_joined(2)
    b.put("card/1", b"")
    a.get("card/1")
    b.leave()
    b.close()
    with pytest.raises(RendezvousError) as caught:  # longer than it takes to be declared lost
        a.fence("end", threading.Event().wait, 0.5)
    assert caught.value.missing == (1,)
    assert a.poll() == []


_RANK = """
import sys
from fmi_core.broker.client import BrokerClient
from fmi_core.secret import Secret

client = BrokerClient(sys.argv[1], Secret(sys.argv[2]), job="job", rank=1, size=2)
client.join(20)
client.put("card/1", b"")
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_rank_that_is_killed_is_lost_at_once(site, until):
    a = site.joined(0, 2)
    rank = subprocess.Popen(
        [sys.executable, "-c", _RANK, site.broker.address, site.secret.reveal()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with rank:
        a.wait(["card/1"], 20)
        rank.kill()
    (notice,) = until(a.poll, 5)
    assert (notice.kind, notice.rank) == ("lost", 1)


def test_a_rank_that_is_frozen_is_lost_and_one_that_is_silent_is_not(site, until, monkeypatch):
    monkeypatch.setattr(server, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(server, "HEARTBEAT_TIMEOUT_S", 0.4)
    site.broker = site.serve()
    a = site.joined(0, 3)
    silent = site.joined(2, 3)
    silent.put("card/2", b"")
    command = [sys.executable, "-c", _RANK.replace("size=2", "size=3"), site.broker.address]
    rank = subprocess.Popen([*command, site.secret.reveal()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with rank:
        a.wait(["card/1", "card/2"], 20)
        rank.send_signal(signal.SIGSTOP)
        (notice,) = until(a.poll)
        rank.kill()
    assert (notice.kind, notice.rank) == ("lost", 1)
    assert silent.poll() == [notice]
    silent.put("k", b"")


def test_the_place_of_a_rank_that_nobody_has_met_is_free_again(site, until):
    a = site.joined(0, 2)
    site.joined(1, 2).close()

    def again():
        try:
            return site.joined(1, 2)
        except RendezvousError:
            return None

    b = until(again)
    assert b.nonce == a.nonce
    assert a.poll() == []


def test_descriptors_are_used_again_by_other_connections(site, until):
    a = site.joined(0, 2)
    for _ in range(20):
        b = site.joined(1, 2)
        b.leave()
        b.close()
        b = site.joined(1, 2)  # very likely at the descriptor of the one before
        assert b.get("k") is None
        b.leave()
        b.close()
    assert a.poll() == []
    assert until(lambda: not site.broker._suspects)


def test_a_false_alarm_is_found_out(site, until, monkeypatch):
    """As when the end of a descriptor is read only after another connection has got it."""
    monkeypatch.setattr(server, "_TRIES_S", (0.0, 0.001, 0.002))
    raw = site.raw()
    assert isinstance(answer(raw, *encode(Claim(1, "job", 0, 1, 0))), Granted)
    (member,) = site.broker._jobs._seats
    site.broker._suspects[member] = (0.0, 0)
    site.broker._wake()
    probes = []
    until(lambda: probes.append(raw.recv_multipart()) or len(probes) == 3)
    assert [decode_reply(probe) for probe in probes] == [Probe()] * 3
    until(lambda: not site.broker._suspects)
    assert answer(raw, *encode(Get(2, "k"))) == Values(2, (None,))


def test_a_descriptor_that_another_connection_speaks_through_was_given_up(site, until):
    a, b = site.all_joined(2)
    b.put("k", b"")
    a.get("k")
    routes = site.broker._routes
    fd = next(fd for fd, member in routes.items() if site.broker._jobs._seats[member].rank == 1)
    routes[fd] = next(member for member in routes.values() if site.broker._jobs._seats[member].rank == 0)
    b.put("k", b"")  # rank 0 becomes a suspect; it is still there
    assert until(lambda: not site.broker._suspects)
    assert (a.get("k"), a.poll(), b.poll()) == (b"", [], [])


def test_a_reply_to_nobody_makes_a_suspect(site, until):
    site.broker._outbox.append((b"nobody", Probe()))
    site.broker._wake()
    until(lambda: not site.broker._outbox and not site.broker._suspects)
    assert site.joined().get("k") is None


# Strangers and garbage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 5000,
        b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL" + b"\0" * 48,
        b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x01" + b"CURVE" + b"\0" * 47 + b"\x04\xc8" + b"\x05HELLO" + b"x" * 194,
    ],
    ids=["http", "zeros", "null", "curve"],
)
def test_garbage_over_tcp_disturbs_nobody(site, data):
    a, b = site.all_joined(2)
    host, port = site.broker.address.removeprefix("tcp://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=10) as garbage:
            garbage.sendall(data)
            a.put("k", data)
            assert b.get("k") == data
    assert a.poll() == b.poll() == []


def test_a_client_without_keys_gets_no_answer(site):
    with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
        plain.linger = 0
        plain.connect(site.broker.address)
        plain.send_multipart(encode(Claim(1, "job", 0, 1, 0)))
        a, b = site.all_joined(2)
        a.put("k", b"v")
        assert b.get("k") == b"v"
        assert not plain.poll(200)


def test_a_client_that_knows_only_the_public_key_gets_no_answer(site, caplog, until):
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.curve_serverkey = Keys.derive(site.secret, "server").public
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.connect(site.broker.address)
        stranger.send_multipart(encode(Claim(1, "job", 0, 1, 0)))
        until(lambda: "refused a client from 127.0.0.1" in caplog.text)
        assert not stranger.poll(100)
    assert site.joined().get("k") is None


@pytest.mark.parametrize(
    "frames",
    [(b"",), (b"{}", b""), (b"a", b"b", b"c"), (b"\x80\x04pickle", b""), (b"[" * 50_000, b"")],
    ids=range(5),
)
def test_garbage_from_one_who_has_the_secret_is_answered_with_what_is_wrong(site, frames):
    client = site.joined()
    raw = site.raw()
    refused = answer(raw, *frames)
    assert isinstance(refused, Refused)
    assert refused.seq == 0
    assert refused.reason
    assert client.get("k") is None
    assert isinstance(answer(raw, *encode(Claim(1, "another", 0, 1, 0))), Granted)


def test_a_malformed_request_is_answered_under_its_number(site):
    assert answer(site.raw(), b'{"type":"get","seq":9,"key":""}', b"").seq == 9


def test_a_stranger_is_told_so(site):
    refused = answer(site.raw(), *encode(Leave(5)))
    assert refused.seq == 5
    assert "holds no rank" in refused.reason


def test_a_value_that_is_too_large_is_refused_and_a_huge_one_costs_the_connection(secret, site):
    site.broker = site.serve(max_value_bytes=1000)
    raw = site.raw()
    assert answer(raw, *encode(Claim(1, "job", 0, 1, 0))).max_value_bytes == 1000
    assert "at most 1000" in answer(raw, *encode(Put(2, "k", bytes(1001)))).reason
    raw.send_multipart(encode(Put(3, "k", bytes(4 * 2**20))))
    assert not raw.poll(100)
    assert site.joined(job="another").get("k") is None


def test_many_requests_at_once_do_not_keep_newcomers_out(site):
    raw = site.raw()
    answer(raw, *encode(Claim(1, "job", 0, 1, 0)))
    count = 3 * server._BATCH
    for seq in range(2, 2 + count):
        raw.send_multipart(encode(Get(seq, "k")))
    assert site.joined(job="another").get("k") is None
    for seq in range(2, 2 + count):
        assert raw.poll(20_000)
        assert decode_reply(raw.recv_multipart()) == Values(seq, (None,))


def test_too_few_descriptors_are_told(site, caplog, until):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    host, port = site.broker.address.removeprefix("tcp://").split(":")
    taken = []
    with socket.socket() as one:
        resource.setrlimit(resource.RLIMIT_NOFILE, (one.fileno() + 20, hard))
        try:
            with contextlib.suppress(OSError):
                taken.extend(iter(lambda: os.dup(0), None))
            one.connect((host, int(port)))
            until(lambda: "Too many open files; is the limit" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in taken:
                os.close(fd)
    assert site.joined().get("k") is None


def test_a_failure_of_the_socket_is_not_taken_for_a_lost_rank(site):
    """Only "no route" means that a connection is gone."""
    context = zmq.Context()
    broker = Broker(site.secret)
    broker._router = context.socket(zmq.ROUTER)
    broker._router.close()
    context.term()
    with pytest.raises(zmq.ZMQError):
        broker._reaches(b"x", Probe())
