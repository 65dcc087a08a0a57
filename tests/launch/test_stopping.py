"""How the whole launcher stops, by the real command."""

import contextlib
import signal
import time
from pathlib import Path

import pytest

RANK = "import os, sys, time\nrank = int(os.environ['FMI_RANK'])\n"


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


NURSERY = (
    RANK + "import subprocess\nchildren = [subprocess.Popen(['sleep', '60']) for _ in range(2)]\n"
    "print('ready')\ntime.sleep(60)\n"
)


def nursery(fmi, *options):
    job = fmi.start("run", "-n", 2, *options, fmi.write("nursery.py", NURSERY))
    assert {job.stdout.readline(), job.stdout.readline()} == {"[0] ready\n", "[1] ready\n"}
    wait_for(lambda: len(fmi.running()) == 7)  # the launcher, two ranks, four grandchildren
    return job


@pytest.fixture
def hangup_heard():
    """SIGHUP as it is by default: tests that run under nohup ignore it, and so would the launcher, as it should."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_heard")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_launcher_that_is_told_to_stop_stops_everything(fmi, number, code):
    job = nursery(fmi)
    job.send_signal(number)
    _, errors = job.communicate(timeout=20)
    assert job.returncode == code
    assert errors == f"fmi: stopped by {number.name}\n"
    fmi.assert_nothing_left()


def test_a_launcher_that_is_killed_leaves_nothing(fmi):
    job = nursery(fmi)
    job.kill()
    job.communicate(timeout=20)
    fmi.assert_nothing_left()


def test_executables_of_a_launcher_that_is_killed_end_too(fmi):
    job = fmi.start("run", "-n", 2, "sh", "-c", "sleep 60 & echo ready; wait")
    assert job.stdout.readline() + job.stdout.readline() == "[0] ready\n[1] ready\n"
    job.kill()
    job.communicate(timeout=20)
    fmi.assert_nothing_left()


def test_a_second_interrupt_does_not_wait(fmi):
    job = fmi.start("run", "-n", 1, "sh", "-c", "trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done")
    assert job.stdout.readline() == "[0] ready\n"
    job.send_signal(signal.SIGINT)
    assert job.stdout.readline() == "[0] no\n"
    started = time.monotonic()
    job.send_signal(signal.SIGINT)
    assert job.wait(20) == 130
    assert time.monotonic() - started < 1.5  # less than the time that it has to end by itself
    job.communicate()
    fmi.assert_nothing_left()


def test_an_interrupt_after_a_failure_leaves_the_exit_code(fmi):
    script = "trap 'echo stopping' TERM; [ $FMI_RANK = 0 ] || exit 4; while :; do sleep 0.05; done"
    job = fmi.start("run", "-n", 2, "sh", "-c", script)
    assert job.stdout.readline() == "[0] stopping\n"
    job.send_signal(signal.SIGINT)
    job.send_signal(signal.SIGTERM)
    assert job.wait(20) == 4
    fmi.assert_nothing_left()


def test_an_interrupt_ends_a_job_whose_output_is_stuck(fmi):
    program = fmi.write("endless.py", "while True:\n    print('y' * 1000)\n")
    job = fmi.start("run", "-n", 1, program)
    job.stdout.readline()
    wait_for(lambda: b"pipe_w" in _wchans(fmi))  # the rank waits for the launcher, which waits for us
    job.send_signal(signal.SIGINT)
    assert job.wait(20) == 130
    job.communicate()
    fmi.assert_nothing_left()


def _wchans(fmi):
    found = b""
    for pid in fmi.running():
        with contextlib.suppress(OSError):
            found += Path(f"/proc/{pid}/wchan").read_bytes()
    return found


def test_an_interrupt_while_the_others_may_still_end_by_themselves_stops_them_now(fmi):
    script = "[ $FMI_RANK = 0 ] || { echo fails; exit 4; }; sleep 60; :"
    job = fmi.start("run", "-n", 2, "sh", "-c", script)
    assert job.stdout.readline() == "[1] fails\n"
    wait_for(lambda: len(fmi.running()) < 4)
    job.send_signal(signal.SIGINT)
    assert job.wait(20) in (4, 130)  # 130: it came before the failure was noticed
    fmi.assert_nothing_left()


def test_a_job_that_takes_too_long_is_stopped(fmi):
    result = fmi.run("run", "-n", 2, "--timeout", "500ms", "sh", "-c", "[ $FMI_RANK = 0 ] || sleep 60")
    assert result.returncode == 124
    assert result.stderr == "fmi: time-out: the job did not end within 500.0 ms; rank 1 still ran\n"
    fmi.assert_nothing_left()


def test_too_many_ranks_for_the_machine_are_refused_and_none_is_left(fmi):
    result = fmi.in_shell("ulimit -n 50; exec {}", "run", "-n", 30, "sleep", 60)
    assert result.returncode == 2
    assert "of 30 cannot be started: Too many open files; use fewer ranks" in result.stderr
    assert "Traceback" not in result.stderr
    fmi.assert_nothing_left()
