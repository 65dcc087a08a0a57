"""The bootstrap as the launcher starts it: a process with a pipe for its last words."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from fmi_core.errors import ChannelError
from fmi_core.launch import bootstrap
from fmi_core.launch.failures import Ending


class Rank:
    """A running bootstrap."""

    def __init__(self, fmi, kind, name, *arguments, lifeline=None):
        reader, writer = os.pipe()
        environment = dict(fmi.environment)
        if lifeline is not None:
            environment["FMI_LIFELINE"] = str(lifeline)
        self.reader = reader
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fmi_core.launch.bootstrap",
                str(writer),
                "5",
                kind,
                str(name),
                *arguments,
            ],
            env=environment,
            cwd=fmi.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            pass_fds=[writer] if lifeline is None else [writer, lifeline],
            start_new_session=True,
        )
        os.close(writer)

    def end(self):
        """The exit code, the outputs, and the failure that was reported, if any."""
        with os.fdopen(self.reader, "rb") as file:
            said = file.read()
        out, err = self.process.communicate(timeout=30)
        return SimpleNamespace(
            code=self.process.returncode,
            out=out,
            err=err,
            failure=Ending.decode(said).failure if said else None,
        )


def run(fmi, source, *arguments):
    return Rank(fmi, "script", fmi.write("job.py", source), *arguments).end()


def test_a_program_that_ends_well_says_nothing_to_the_launcher(fmi):
    ended = run(fmi, "import sys\nprint(sys.argv[1:], __name__, __file__ == sys.argv[0])\n", "a", "-b")
    assert (ended.code, ended.out, ended.err) == (0, "['a', '-b'] __main__ True\n", "")
    assert ended.failure is None


def test_an_exception_is_reported_and_not_printed(fmi):
    ended = run(fmi, "def f():\n    raise KeyError('boom')\nf()\n")
    assert (ended.code, ended.out, ended.err) == (1, "", "")
    assert (ended.failure.rank, ended.failure.reason) == (5, "raised KeyError: 'boom'")
    assert "bootstrap.py" not in ended.failure.traceback
    assert "program.py" not in ended.failure.traceback
    assert ended.failure.traceback.splitlines()[1].endswith('job.py", line 3, in <module>')


def test_a_program_that_cannot_be_compiled_is_reported(fmi):
    failure = run(fmi, "x = (\n").failure
    assert failure.error == "SyntaxError"
    assert "bootstrap.py" not in failure.traceback


def test_a_module_that_is_not_there_is_reported(fmi):
    failure = Rank(fmi, "module", "nosuch").end().failure
    assert failure.reason == "raised ImportError: No module named nosuch"


def test_a_traceback_larger_than_a_pipe_arrives(fmi):
    assert len(run(fmi, "raise ValueError('x' * 10**6)\n").failure.traceback) > 65_000


@pytest.mark.parametrize(
    ("value", "code", "printed"),
    [("", 0, ""), ("None", 0, ""), ("0", 0, ""), ("7", 7, ""), ("'text'", 1, "text\n"), ("256 + 3", 3, "")],
)
def test_leaving_is_as_python_has_it(fmi, value, code, printed):
    ended = run(fmi, f"import sys\nsys.exit({value})\n")
    assert (ended.code, ended.err, ended.failure) == (code, printed, None)


RUNTIME = """
import sys, types
runtime = types.ModuleType("fmi_core.runtime")
runtime.fail = lambda reason: print("told:", reason)
runtime.finish = lambda: None
sys.modules["fmi_core.runtime"] = runtime
"""


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("raise ValueError('boom')", "told: rank 5 raised ValueError: boom\n"),
        ("sys.exit(7)", "told: rank 5 exited with code 7\n"),
        ("sys.exit('text')", "told: rank 5 exited with code 1\n"),
        ("sys.exit()", ""),
        ("pass", ""),
    ],
)
def test_the_programs_communicators_hear_of_its_failure(fmi, statement, told):
    assert run(fmi, RUNTIME + statement).out == told


def test_a_way_to_the_others_that_fails_too_is_no_second_failure(monkeypatch):
    def fail(_reason):
        raise ChannelError("gone", channel="tcp")

    monkeypatch.setitem(sys.modules, "fmi_core.runtime", SimpleNamespace(fail=fail, finish=lambda: None))
    bootstrap.tell_others("rank 1 failed")


def test_a_launcher_that_is_gone_cannot_be_told():
    reader, writer = os.pipe()
    os.close(reader)
    bootstrap.send(writer, b"last words\n")
    os.close(writer)


def test_threads_and_exit_functions_may_outlive_the_programs_code(fmi):
    source = (
        "import atexit, pickle, threading, time\n"
        "class Thing: pass\n"
        "def late():\n    time.sleep(0.1)\n    print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)\n"
        "threading.Thread(target=late).start()\n"
        "atexit.register(print, 'bye')\n"
    )
    assert run(fmi, source).out == "True\nbye\n"


def test_a_forked_child_is_not_the_rank(fmi):
    source = (
        "import os, signal, sys, time\n"
        "if os.fork() == 0:\n    raise ValueError('in the child')\n"
        "print('code', os.waitstatus_to_exitcode(os.wait()[1]))\n"
        "for _ in range(50):\n"  # killed at once, or a moment later
        "    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(60)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    assert os.waitstatus_to_exitcode(os.wait()[1]) == -15\n"
        "print('done')\n"
    )
    ended = run(fmi, source)
    assert (ended.code, ended.out) == (0, "code 1\ndone\n")
    assert ended.failure is None
    assert "ValueError: in the child" in ended.err


def test_what_the_program_starts_does_not_hold_the_pipe(fmi):
    ended = run(fmi, "import subprocess\nsubprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3)\n")
    assert ended.failure is None  # end() returned, so the pipe was closed


def test_a_hook_of_the_programs_own_is_respected(fmi):
    ended = run(fmi, "import sys\nsys.excepthook = lambda *_: print('mine')\n1 / 0\n")
    assert (ended.code, ended.out, ended.failure) == (1, "mine\n", None)


def test_being_told_to_end_lets_the_program_clean_up(fmi):
    source = "import time\ntry:\n    print('ready')\n    time.sleep(60)\nfinally:\n    print('cleaned')\n"
    rank = Rank(fmi, "script", fmi.write("job.py", source))
    assert rank.process.stdout.readline() == "ready\n"
    rank.process.send_signal(signal.SIGTERM)
    ended = rank.end()
    assert (ended.code, ended.out, ended.failure) == (143, "cleaned\n", None)


def test_the_program_ends_with_its_launcher(fmi):
    reader, writer = os.pipe()
    source = (
        "import os, subprocess, time\nprint('FMI_LIFELINE' in os.environ)\n"
        "child = subprocess.Popen(['sleep', '60'])\nprint('ready')\ntime.sleep(60)\n"
    )
    rank = Rank(fmi, "script", fmi.write("job.py", source), lifeline=reader)
    os.close(reader)
    assert rank.process.stdout.readline() + rank.process.stdout.readline() == "False\nready\n"
    os.close(writer)  # what the end of the launcher does
    assert rank.end().code == -signal.SIGKILL
    fmi.assert_nothing_left()


def test_a_program_whose_launcher_is_gone_does_not_begin(fmi):
    reader, writer = os.pipe()
    os.close(writer)
    rank = Rank(fmi, "script", fmi.write("job.py", "print('begun')\n"), lifeline=reader)
    os.close(reader)
    ended = rank.end()
    assert (ended.code, ended.out) == (-signal.SIGKILL, "")


def test_a_handler_of_the_programs_own_is_kept_by_its_children(fmi):
    source = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(8))\n"
        "reader, writer = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n    os.write(writer, b'x')\n    time.sleep(60)\n"
        "os.read(reader, 1)\n"
        "os.kill(child, signal.SIGTERM)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    assert run(fmi, source).out == "8\n"


def test_lines_are_not_held_back(fmi):
    rank = Rank(fmi, "script", fmi.write("job.py", "import time\nprint('now')\ntime.sleep(60)\n"))
    started = time.monotonic()
    assert rank.process.stdout.readline() == "now\n"
    assert time.monotonic() - started < 30
    rank.process.kill()
    rank.end()
