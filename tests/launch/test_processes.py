import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fmi_core.launch import lifeline, processes
from fmi_core.launch.processes import Process

_NULL = subprocess.DEVNULL


def start(*argv, **options):
    return Process(argv, dict(os.environ), stdin=None, stdout=_NULL, stderr=_NULL, **options)


def wait(process):
    deadline = time.monotonic() + 20
    while process.status() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process.status()


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def gone(pid):
    deadline = time.monotonic() + 5
    while state(pid) not in ("gone", "Z"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return True


@pytest.mark.parametrize("waitid", [True, False])
@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9)])
def test_the_status_is_the_exit_code_or_minus_the_signal(monkeypatch, waitid, script, status):
    if not waitid:  # some systems have none
        monkeypatch.delattr(os, "waitid")
    process = start("sh", "-c", script)
    assert wait(process) == status
    process.reap()
    assert process.status() == status


def test_a_child_keeps_its_number_until_it_is_reaped():
    process = start("true")
    wait(process)
    assert state(process.pid) == "Z"
    process.signal_group(signal.SIGTERM)  # hits nobody, and says nothing
    process.reap()
    process.reap()
    assert state(process.pid) == "gone"
    process.signal_group(signal.SIGKILL)


def test_a_signal_reaches_the_whole_group(tmp_path):
    note = tmp_path / "pid"
    process = start("sh", "-c", f"sleep 60 & echo $! > {note}.new; mv {note}.new {note}; wait")
    deadline = time.monotonic() + 10
    while not note.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    grandchild = int(note.read_text())
    assert os.getpgid(grandchild) == process.pid == os.getsid(grandchild)
    process.signal_group(signal.SIGTERM)
    assert wait(process) == -signal.SIGTERM
    assert gone(grandchild)
    process.reap()


def test_reaping_kills_what_still_runs():
    process = start("sleep", "60")
    process.reap()
    assert process.status() == -signal.SIGKILL


def test_what_cannot_be_executed_leaves_no_descriptor(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    tool = tmp_path / "tool"
    tool.write_text("no magic number")
    tool.chmod(0o755)
    with pytest.raises(OSError, match="Exec format"):
        start(str(tool))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_child_inherits_what_it_is_given_and_nothing_else():
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    process = start("sh", "-c", f"echo hello > /dev/fd/{writer}; [ -e /dev/fd/{reader} ]", inherited=[writer])
    os.close(writer)
    assert os.read(reader, 100) == b"hello\n"
    assert wait(process) != 0
    process.reap()
    os.close(reader)


_LAUNCHER = """
import os, subprocess, sys, time
from fmi_core.launch.processes import Process
process = Process(sys.argv[1:], os.environ, stdin=None, stdout=1, stderr=2)
os.write(1, b"armed\\n")  # in one piece: the child writes to the same pipe
time.sleep(60)
"""


@pytest.mark.skipif(not lifeline.KERNEL, reason="the kernel cannot do it")
def test_a_child_and_its_children_end_with_a_launcher_that_is_killed():
    command = [sys.executable, "-c", _LAUNCHER, "sh", "-c", "sleep 60 & echo $$ $!; wait"]
    root = Path(processes.__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as launcher:
        pids, armed = sorted(launcher.stdout.readline() for _ in range(2))
        child, grandchild = map(int, pids.split())
        states = state(child), state(grandchild)
        launcher.kill()
    assert armed == "armed\n"
    assert not {"gone", "Z"}.intersection(states), states
    assert gone(child)
    assert gone(grandchild)


def test_a_child_that_watches_is_told_what():
    reader, writer = os.pipe()
    process = start(
        "sh", "-c", f'[ -e /dev/fd/"$FMI_LIFELINE" ] && echo yes > /dev/fd/{writer}', inherited=[writer], watches=True
    )
    os.close(writer)
    assert os.read(reader, 100) == b"yes\n"
    wait(process)
    process.reap()
    os.close(reader)
