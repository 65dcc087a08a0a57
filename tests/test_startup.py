"""From nothing to a communicator: settings, refusals, and what happens at the end of a program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import fmi_core as fmi
from fmi_core.broker.server import Broker
from fmi_core.channels.address import Card
from fmi_core.secret import Secret
from fmi_core.startup import _kind, init
from fmi_core.testing import run


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("FMI_"):
            monkeypatch.delenv(name)


def test_a_program_alone_is_rank_0_of_1_and_init_gives_the_same_until_it_is_closed():
    comm = fmi.init()
    assert (comm.rank, comm.size, comm.channel) == (0, 1, "memory")
    assert fmi.init() is comm
    comm.close()
    again = fmi.init()
    assert again is not comm
    again.close()


@pytest.mark.parametrize("channel", ["auto", "tcp", "unix", "memory"])
def test_alone_every_channel_will_do(channel):
    with init(fmi.Settings(channel=channel)) as comm:
        assert comm.allreduce(5) == 5


def test_an_unknown_channel_is_refused():
    with pytest.raises(
        fmi.ConfigError, match="there is no channel 'pigeon'; expected one of auto, unix, tcp"
    ) as caught:
        init(fmi.Settings(channel="pigeon"))
    assert caught.value.name == "FMI_CHANNEL"


def test_memory_does_not_join_processes():
    with pytest.raises(fmi.ConfigError, match="fmi run --channel memory"):
        init(fmi.Settings(rank=0, size=2, channel="memory"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"secret": Secret.generate()}, "FMI_BROKER"), ({"broker": "tcp://127.0.0.1:1"}, "FMI_SECRET")],
)
def test_a_job_of_several_needs_a_broker_and_a_secret(settings, name):
    with pytest.raises(fmi.ConfigError, match=f"{name} is not set, but the job has 2 ranks"):
        init(fmi.Settings(rank=0, size=2, **settings))


def test_an_algorithm_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(fmi.ConfigError, match=r"bcast has no algorithm 'pigeon'; choose one of: .*binomial"):
        init(fmi.Settings(tune={"bcast": "pigeon"}))


def test_rank_0_decides_on_channel_and_tuning_for_all():
    def program(comm):
        comm.bcast(None)
        return comm.channel, [(entry.operation, entry.algorithm) for entry in comm.ledger.entries]

    assert (
        run(3, program, channel="tcp", settings={"tune": {"bcast": "binomial"}})
        == [("tcp", [("bcast", "binomial")])] * 3
    )
    assert run(2, program, channel="auto")[0][0] == "unix"


def test_the_channel_follows_from_where_the_ranks_are():
    def cards(*hosts):
        return {rank: Card(rank, host, f"name{rank}", ("127.0.0.1", 1)) for rank, host in enumerate(hosts)}

    assert _kind("auto", cards("a", "a")) == "unix"
    assert _kind("auto", cards("a", "b")) == "tcp"
    assert _kind("tcp", cards("a", "a")) == "tcp"
    with pytest.raises(fmi.ConfigError, match="the channel unix needs all ranks on one Linux host"):
        _kind("unix", cards("a", "b"))


def test_a_rank_that_is_taken_is_refused():
    from fmi_core.broker.client import BrokerClient

    secret = Secret.generate()
    with Broker(secret) as broker:
        holder = BrokerClient(broker.address, secret, job="job", rank=0, size=2)
        try:
            holder.join(20)
            with pytest.raises(fmi.RendezvousError, match="rank 0"):
                init(fmi.Settings(rank=0, size=2, secret=secret, broker=broker.address, join_timeout_s=20))
        finally:
            holder.close()


def _python(text):
    env = {key: value for key, value in os.environ.items() if not key.startswith("FMI_")}
    return subprocess.run(
        [sys.executable, "-c", text], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_program_that_does_not_close_leaves_the_job_at_its_end():
    done = _python("import fmi_core as fmi; comm = fmi.init(); print(comm.allreduce(3))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_a_program_that_fails_without_closing_shows_its_own_error_only():
    done = _python("import fmi_core as fmi; comm = fmi.init(); raise KeyError('mine')")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "KeyError: 'mine'" in done.stderr
