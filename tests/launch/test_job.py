"""The whole launcher, by the real command."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fmi_core.errors import ConfigError, UnsupportedError
from fmi_core.launch import run

RANK = "import os, sys, time\nrank = int(os.environ['FMI_RANK'])\n"


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Output ----------------------------------------------------------------------


def test_every_line_is_labelled_and_goes_where_the_rank_sent_it(fmi):
    program = fmi.write("hello.py", RANK + "print('out', rank)\nprint('err', rank, file=sys.stderr)\n")
    result = fmi.run("run", "-n", 3, program)
    assert result.returncode == 0
    assert sorted(result.stdout.splitlines()) == ["[0] out 0", "[1] out 1", "[2] out 2"]
    assert sorted(result.stderr.splitlines()) == ["[0] err 0", "[1] err 1", "[2] err 2"]
    fmi.assert_nothing_left()


def test_lines_written_in_parts_by_all_ranks_at_once_stay_whole(fmi):
    program = fmi.write(
        "parts.py",
        RANK
        + "for line in range(200):\n"
        + "    for part in f'{rank}-{line}-' + 'x' * 20:\n        os.write(1, part.encode())\n"
        + "    os.write(1, b'\\n')\n"
        + "os.write(1, b'the end')\n",
    )
    lines = fmi.run("run", "-n", 3, program).stdout.splitlines()
    for rank in range(3):
        mine = [line for line in lines if line.startswith(f"[{rank}] ")]
        expected = [f"[{rank}] {rank}-{number}-{'x' * 20}" for number in range(200)]
        assert mine == [*expected, f"[{rank}] the end"]
    assert len(lines) == 3 * 201


def test_a_huge_line_and_binary_junk_pass_unharmed(fmi):
    program = fmi.write(
        "huge.py",
        RANK + "os.write(2, b'\\x00\\xff\\xfe\\r\\n')\nsys.stdout.write(str(rank) * 2**20 + '\\n')\n",
    )
    result = fmi.run("run", "-n", 2, program, text=False)
    assert sorted(result.stdout.splitlines()) == [b"[0] " + b"0" * 2**20, b"[1] " + b"1" * 2**20]
    assert result.stderr.count(b"\x00\xff\xfe\r\n") == 2


def test_lines_come_as_they_are_printed(fmi):
    program = fmi.write("slow.py", "import time\nprint('now')\ntime.sleep(60)\n")
    job = fmi.start("run", "-n", 1, program)
    assert job.stdout.readline() == "[0] now\n"
    job.send_signal(signal.SIGTERM)
    job.communicate()


def test_no_labels_leaves_lines_as_they_are(fmi):
    assert fmi.run("run", "-n", 2, "--no-labels", "echo", "plain").stdout == "plain\nplain\n"


def test_a_slow_reader_gets_everything(fmi):
    program = fmi.write("much.py", "for i in range(40_000):\n    print(f'{i:0100}')\n")
    job = fmi.start("run", "-n", 1, program)
    lines = [job.stdout.readline()]
    wait_for(lambda: job.poll() is None and len(fmi.running()) == 2)
    lines += job.stdout.readlines()
    assert [int(line[4:]) for line in lines] == list(range(40_000))
    assert job.wait() == 0
    job.stderr.close()


def test_only_rank_0_has_the_standard_input(fmi):
    program = fmi.write("read.py", RANK + "print(repr(sys.stdin.read()))\n")
    result = fmi.run("run", "-n", 2, program, input="for rank 0\n")
    assert sorted(result.stdout.splitlines()) == ["[0] 'for rank 0\\n'", "[1] ''"]


def test_without_a_standard_input_rank_0_has_an_empty_one(fmi):
    result = fmi.in_shell("{} <&-", "run", "-n", 1, "wc", "-c")
    assert result.stdout.split() == ["[0]", "0"]


def test_without_a_standard_output_the_job_is_refused(fmi):
    result = fmi.in_shell("{} >&-", "run", "-n", 1, "true")
    assert result.returncode == 2
    assert result.stderr.startswith("fmi: error: the standard output or the standard error is closed")


def test_when_nobody_reads_any_more_the_job_ends_quietly(fmi):
    program = fmi.write("endless.py", "while True:\n    print('y' * 1000)\n")
    job = fmi.start("run", "-n", 2, program)
    job.stdout.readline()
    job.stdout.close()
    assert job.wait(30) == 141
    assert job.stderr.read() == ""
    job.stderr.close()
    fmi.assert_nothing_left()


def test_a_full_disk_is_told(fmi):
    with Path("/dev/full").open("w") as full:
        result = fmi.run("run", "-n", 2, "echo", "x", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert "fmi: stopped: the output cannot be written (No space left on device)" in result.stderr


def test_a_full_disk_is_told_even_if_only_the_launcher_wrote(fmi):
    with Path("/dev/full").open("w") as full:
        result = fmi.run("run", "-n", 1, "--report", "true", capture_output=False, stderr=full)
    assert result.returncode == 1


def test_labels_are_coloured_on_a_terminal(fmi):
    main, terminal = pty.openpty()
    with contextlib.closing(os.fdopen(main, "rb", 0)) as reader:
        fmi.environment |= {"TERM": "xterm"}
        fmi.environment.pop("NO_COLOR", None)
        fmi.run("run", "-n", 1, "echo", "hello", capture_output=False, stdout=terminal, stderr=terminal)
        os.close(terminal)
        assert reader.read(100) == b"\x1b[36m[0]\x1b[0m hello\r\n"


def test_a_grandchild_that_holds_the_output_is_waited_for_a_while_and_heard(fmi):
    script = "(sleep 0.2; echo late) & (trap '' TERM HUP; sleep 60) & echo early"
    result = fmi.run("run", "-n", 2, "sh", "-c", script)
    assert result.returncode == 0
    assert sorted(result.stdout.splitlines()) == ["[0] early", "[0] late", "[1] early", "[1] late"]
    fmi.assert_nothing_left()


def test_one_that_left_the_group_cannot_hold_the_launcher_up(fmi):
    result = fmi.run("run", "-n", 1, "sh", "-c", "setsid sleep 20 & echo done")
    assert (result.returncode, result.stdout) == (0, "[0] done\n")
    (escaped,) = fmi.running()  # whoever starts a session of its own is on its own
    os.kill(escaped, signal.SIGKILL)


# What ranks are told ----------------------------------------------------------------------


def test_ranks_are_told_what_they_need(fmi):
    program = fmi.write(
        "told.py",
        "import os\nprint(*(f'{k}={v}' for k, v in os.environ.items() if k.startswith('FMI_')), sep='|')\n",
    )
    result = fmi.run("run", "-n", 2, "--channel", "tcp", "--op-timeout", "2m", program, env={"FMI_RANK": "77"})
    ranks = [dict(pair.split("=", 1) for pair in line[4:].split("|")) for line in sorted(result.stdout.splitlines())]
    assert [rank.pop("FMI_RANK") for rank in ranks] == ["0", "1"]
    assert ranks[0] == ranks[1]
    told = ranks[0]
    assert (told["FMI_SIZE"], told["FMI_CHANNEL"], told["FMI_TIMEOUT"]) == ("2", "tcp", "120.0")
    assert told["FMI_JOB"].startswith("told-")
    assert told["FMI_BROKER"].startswith("tcp://127.0.0.1:")
    assert len(told["FMI_SECRET"]) >= 32


def test_each_rank_leads_a_session_of_its_own(fmi):
    program = fmi.write("session.py", "import os\nprint(os.getpid() == os.getsid(0) == os.getpgid(0))\n")
    assert sorted(fmi.run("run", "-n", 2, program).stdout.splitlines()) == ["[0] True", "[1] True"]


@pytest.mark.parametrize(
    "command", [["{python}", "direct.py", "-n", "7"], ["direct.py", "-n", "7"], ["-m", "direct", "-n", "7"]]
)
def test_all_that_follows_the_program_is_the_programs(fmi, command):
    fmi.write("direct.py", RANK + "print(rank, sys.argv[1:], __name__, 'run' in dir())\n")
    result = fmi.run("run", "-n", 2, *(word.format(python=sys.executable) for word in command))
    assert sorted(result.stdout.splitlines()) == [
        "[0] 0 ['-n', '7'] __main__ False",
        "[1] 1 ['-n', '7'] __main__ False",
    ]


# Failures ----------------------------------------------------------------------


def test_a_rank_that_ends_early_and_well_stops_nobody(fmi):
    program = fmi.write("early.py", RANK + "time.sleep(0.3 * rank)\nprint('done')\n")
    result = fmi.run("run", "-n", 2, program)
    assert (result.returncode, result.stdout) == (0, "[0] done\n[1] done\n")


def test_the_traceback_is_shown_once_with_its_rank_and_the_rest_is_stopped(fmi):
    program = fmi.write(
        "fails.py",
        RANK + "def inner():\n    raise ValueError('boom')\nif rank == 2:\n    inner()\ntime.sleep(60)\n",
    )
    result = fmi.run("run", "-n", 4, program)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[:3] == [
        "fmi: rank 2 failed:",
        "Traceback (most recent call last):",
        f'  File "{program}", line 6, in <module>',
    ]
    assert lines[-2:] == ["ValueError: boom", "fmi: ranks 0-1, 3 were stopped"]
    assert result.stderr.count("Traceback") == 1
    assert "bootstrap" not in result.stderr
    fmi.assert_nothing_left()


def test_all_ranks_failing_alike_are_told_in_one_line(fmi):
    result = fmi.run("run", "-n", 3, fmi.write("all.py", RANK + "time.sleep(0.2 * (rank > 0))\n1 / 0\n"))
    assert result.stderr.count("Traceback") == 1
    assert result.stderr.startswith("fmi: rank 0 failed:")
    assert result.stderr.endswith("fmi: ranks 1-2 raised ZeroDivisionError: division by zero too\n")


def test_a_traceback_that_fills_the_pipe_is_shown_all_the_same(fmi):
    result = fmi.run("run", "-n", 1, fmi.write("big.py", "raise ValueError('x' * 10**6)\n"))
    assert "ValueError: xxx" in result.stderr
    assert "characters left out" in result.stderr


def test_a_consequence_heard_first_waits_for_its_cause(fmi):
    program = fmi.write(
        "cause.py",
        RANK
        + "from fmi_core.errors import PeerLostError\n"
        + "if rank == 0:\n    raise PeerLostError('rank 1 is gone', rank=1)\n"
        + "time.sleep(0.4)\n"
        + "if rank == 1:\n    raise ValueError('the cause')\n"
        + "time.sleep(60)\n",
    )
    result = fmi.run("run", "-n", 3, program)
    assert result.stderr.startswith("fmi: rank 1 failed:\n")
    assert "ValueError: the cause" in result.stderr
    assert "fmi: rank 0 raised PeerLostError as a consequence\n" in result.stderr
    assert result.stderr.count("Traceback") == 1


@pytest.mark.parametrize("other", ["sys.exit(0)", "time.sleep(60)"])
def test_a_consequence_without_a_cause_stands_for_itself(fmi, other):
    program = fmi.write(
        "alone.py",
        RANK
        + "from fmi_core.errors import PeerLostError\n"
        + f"if rank == 1:\n    {other}\n"
        + "raise PeerLostError('rank 1 left', rank=1)\n",
    )
    result = fmi.run("run", "-n", 2, program)
    assert result.returncode == 1
    assert result.stderr.startswith("fmi: rank 0 failed:\n")
    assert "PeerLostError: rank 1 left" in result.stderr


@pytest.mark.parametrize(
    ("statement", "code", "text"),
    [
        ("sys.exit(3)", 3, "fmi: rank 1 exited with code 3\n"),
        ("sys.exit('why not')", 1, "[1] why not\nfmi: rank 1 exited with code 1\n"),
        ("os._exit(9)", 9, "fmi: rank 1 exited with code 9\n"),
        ("os.kill(os.getpid(), 9)", 137, "fmi: rank 1 was killed by SIGKILL\n"),
        ("os.abort()", 134, "fmi: rank 1 was killed by SIGABRT\n"),
    ],
)
def test_the_exit_code_is_that_of_the_rank_that_failed(fmi, statement, code, text):
    program = fmi.write("ends.py", RANK + f"if rank == 1:\n    {statement}\ntime.sleep(60)\n")
    result = fmi.run("run", "-n", 2, program)
    assert result.returncode == code
    assert result.stderr == text + "fmi: rank 0 was stopped\n"
    fmi.assert_nothing_left()


def test_the_first_to_fail_gives_the_exit_code(fmi):
    result = fmi.run("run", "-n", 3, "sh", "-c", "[ $FMI_RANK = 1 ] || sleep 0.3; exit $((FMI_RANK + 4))")
    assert result.returncode == 5
    assert result.stderr.splitlines()[0] == "fmi: rank 1 exited with code 5"


def test_ranks_that_are_stopped_can_clean_up(fmi):
    program = fmi.write(
        "cleans.py",
        RANK
        + "if rank == 1:\n    time.sleep(0.3)\n    sys.exit(2)\n"
        + "try:\n    time.sleep(60)\nfinally:\n    print('cleaned')\n",
    )
    result = fmi.run("run", "-n", 2, program)
    assert (result.returncode, result.stdout) == (2, "[0] cleaned\n")


def test_ranks_that_do_not_want_to_stop_are_killed(fmi):
    script = "[ $FMI_RANK = 1 ] && exit 3; trap '' TERM; sh -c \"trap '' TERM; sleep 60\" & sleep 60; wait"
    result = fmi.run("run", "-n", 2, "sh", "-c", script)
    assert (result.returncode, result.stderr) == (
        3,
        "fmi: rank 1 exited with code 3\nfmi: rank 0 was stopped\n",
    )
    fmi.assert_nothing_left()


# As a function ----------------------------------------------------------------------


def test_the_function_returns_the_exit_code_and_restores_everything():
    reader, writer = os.pipe()
    before = signal.getsignal(signal.SIGINT)
    assert run(["sh", "-c", "echo $FMI_RANK; exit 5"], 1, stdout=writer, stderr=writer) == 5
    os.close(writer)
    with os.fdopen(reader) as output:
        assert output.read() == "[0] 0\nfmi: rank 0 exited with code 5\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_the_function_refuses_what_cannot_be_run():
    with pytest.raises(ConfigError, match="number of ranks is 0"):
        run(["true"], 0)
    with pytest.raises(ConfigError, match="nosuchtool"):
        run(["nosuchtool"], 1)
    with pytest.raises(ConfigError, match=r"/true' is not a Python file; give a \.py file or -m"):
        run(["true"], 1, channel="memory")


def test_the_function_refuses_a_closed_output():
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(ConfigError, match=r"stdout cannot be used \(Bad file descriptor\)"):
        run(["true"], 1, stdout=writer)
    os.close(reader)


def test_the_function_is_for_the_main_thread():
    import threading

    raised = []

    def call():
        with contextlib.suppress(UnsupportedError):
            raised.append(run(["true"], 1))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert raised == []
