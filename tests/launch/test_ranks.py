"""Programs that really communicate, under the real launcher."""

import pytest

HEAD = "import os, sys, time\nimport fmi_core as fmi\n"


def run(fmi, channel, source, *options, ranks=3):
    program = fmi.write("job.py", HEAD + source)
    result = fmi.run("run", "-n", ranks, "--channel", channel, "--timeout", "40s", *options, program)
    fmi.assert_nothing_left()
    return result


@pytest.fixture(params=["tcp", "unix", "memory"])
def channel(request):
    return request.param


def test_ranks_work_together_and_the_report_says_what_they_did(fmi, channel):
    source = (
        "with fmi.init() as comm:\n"
        "    print(comm.rank, comm.size, comm.allreduce(comm.rank, op=fmi.SUM))\n"
        "    comm.barrier()\n    comm.barrier()\n"
    )
    result = run(fmi, channel, source, "--report")
    assert result.returncode == 0
    assert sorted(result.stdout.splitlines()) == [f"[{rank}] {rank} 3 3" for rank in range(3)]
    title, header, _, *rows = result.stderr.splitlines()
    assert (title, header.split()[0]) == ("fmi: operations", "operation")
    calls = {words[0]: (words[1], words[3]) for words in map(str.split, rows)}
    assert calls == {"allreduce": (channel, "1"), "barrier": (channel, "2")}


def test_a_communicator_that_was_not_closed_is_reported_too(fmi):
    result = run(fmi, "tcp", "fmi.init().barrier()\n", "--report")
    assert result.returncode == 0
    assert "barrier" in result.stderr


def test_a_program_alone_needs_no_others(fmi, channel):
    result = run(fmi, channel, "print(fmi.init().allreduce(7))\n", ranks=1)
    assert (result.returncode, result.stdout) == (0, "[0] 7\n")


@pytest.mark.parametrize("opening", ["with fmi.init() as comm:\n", "comm = fmi.init()\nif True:\n"])
def test_the_root_cause_is_shown_and_its_consequences_are_counted(fmi, channel, opening):
    source = opening + "    comm.barrier()\n    if comm.rank == 1:\n        1 / 0\n    comm.barrier()\n"
    result = run(fmi, channel, source)
    assert result.returncode == 1
    assert result.stderr.startswith("fmi: rank 1 failed:\nTraceback")
    assert result.stderr.endswith(
        "ZeroDivisionError: division by zero\nfmi: ranks 0, 2 raised PeerLostError as a consequence\n"
    )
    assert result.stderr.count("Traceback") == 1


@pytest.mark.parametrize(
    ("statement", "code", "text"),
    [
        ("os.kill(os.getpid(), 9)", 137, "fmi: rank 1 was killed by SIGKILL\n"),
        ("sys.exit(3)", 3, "fmi: rank 1 exited with code 3\n"),
        ("os._exit(4)", 4, "fmi: rank 1 exited with code 4\n"),
        ("comm.abort(5)", 5, "fmi: rank 1 exited with code 5\n"),
    ],
)
@pytest.mark.parametrize("channel", ["tcp", "unix"])
def test_ranks_hear_of_an_end_in_the_middle_of_a_collective(fmi, channel, statement, code, text):
    source = (
        "comm = fmi.init()\n"
        "try:\n"
        "    comm.barrier()\n"
        f"    if comm.rank == 1:\n        {statement}\n"
        "    comm.barrier()\n"
        "except (fmi.PeerLostError, fmi.AbortedError) as error:\n    print('lost', error.rank)\n    raise\n"
    )
    result = run(fmi, channel, source)
    assert result.returncode == code
    assert sorted(result.stdout.splitlines()) == ["[0] lost 1", "[2] lost 1"]
    assert result.stderr.startswith(text)
    assert "ranks 0, 2 raised " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_rank_that_computes_is_stopped_and_one_that_waits_hears_why(fmi):
    source = (
        "comm = fmi.init()\ncomm.barrier()\n"
        "if comm.rank == 1:\n    raise ValueError('boom')\n"
        "if comm.rank == 2:\n    time.sleep(60)\n"
        "comm.barrier()\n"
    )
    result = run(fmi, "unix", source)
    assert result.stderr.splitlines()[-3:] == [
        "ValueError: boom",
        "fmi: rank 0 raised PeerLostError as a consequence",
        "fmi: rank 2 was stopped",
    ]


def test_ranks_that_disagree_are_told_once(fmi, channel):
    result = run(fmi, channel, "comm = fmi.init()\ncomm.allreduce(1) if comm.rank else comm.barrier()\n")
    assert result.returncode == 1
    assert result.stderr.count("Traceback") == 1
    assert "MismatchError" in result.stderr


def test_an_unknown_channel_is_told_once(fmi):
    result = run(fmi, "pigeon", "fmi.init()\n")
    assert result.returncode == 1
    assert result.stderr.count("there is no channel 'pigeon'") >= 1
    assert result.stderr.count("Traceback") == 1


def test_a_rank_that_never_joins_is_named(fmi):
    source = "if os.environ['FMI_RANK'] == '1':\n    time.sleep(60)\nfmi.init()\n"
    result = run(fmi, "tcp", source, "--join-timeout", "1s")
    assert result.returncode == 1
    assert "RendezvousError" in result.stderr
    assert "1" in result.stderr.partition("RendezvousError: ")[2]


def test_a_python_that_runs_as_an_executable_communicates_too(fmi):
    import sys

    program = fmi.write("job.py", HEAD + "with fmi.init() as comm:\n    print(comm.allreduce(1))\n")
    result = fmi.run("run", "-n", 2, sys.executable, program)
    assert sorted(result.stdout.splitlines()) == ["[0] 2", "[1] 2"]


def test_a_ledger_that_cannot_be_read_is_told_and_changes_nothing_else(fmi):
    source = (
        "from fmi_core.broker.client import BrokerClient\nfrom fmi_core.secret import Secret\n"
        "env = os.environ\n"
        "client = BrokerClient(env['FMI_BROKER'], Secret(env['FMI_SECRET']), job=env['FMI_JOB'], rank=0, size=1)\n"
        "client.join(20)\nclient.put('ledger/0', b'junk')\nclient.leave()\nclient.close()\n"
    )
    result = run(fmi, "tcp", source, "--report", ranks=1)
    assert result.returncode == 0
    assert result.stderr.startswith("fmi: no report: 'ledger/0' holds no ledger of a rank")
