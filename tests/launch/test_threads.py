"""All ranks in one process, by the real command."""

import signal
from importlib import import_module

import pytest

HEAD = "import sys, threading, time\nrank = int(threading.current_thread().name.removeprefix('rank-'))\n"


def run(fmi, source, *options, ranks=3, **others):
    return fmi.run("run", "-n", ranks, "--channel", "memory", *options, fmi.write("job.py", source), **others)


def test_each_rank_has_its_own_output_and_namespace(fmi):
    result = run(
        fmi,
        HEAD
        + "shared = rank\ntime.sleep(0.1)\n"
        + "sys.stdout.write(f'out {shared} ')\nprint(__name__, __file__ == sys.argv[0], sys.argv[1:])\n"
        + "print('err', shared, file=sys.stderr)\nsys.stdout.write('no newline')\n",
    )
    assert result.returncode == 0
    assert sorted(result.stdout.splitlines()) == sorted(
        line for rank in range(3) for line in (f"[{rank}] out {rank} __main__ True []", f"[{rank}] no newline")
    )
    assert sorted(result.stderr.splitlines()) == [f"[{rank}] err {rank}" for rank in range(3)]
    fmi.assert_nothing_left()


def test_all_ranks_are_one_process(fmi):
    result = run(fmi, "import os\nprint(os.getpid())\n")
    assert len({line.split()[1] for line in result.stdout.splitlines()}) == 1


def test_the_environment_can_ask_for_it_too(fmi):
    result = fmi.run("run", "-n", 2, fmi.write("job.py", HEAD + "print(rank)\n"), env={"FMI_CHANNEL": "memory"})
    assert sorted(result.stdout.splitlines()) == ["[0] 0", "[1] 1"]


def test_modules_run_too(fmi):
    fmi.write("job.py", HEAD + "print(rank, __spec__.name, sys.argv[1:])\n")
    result = fmi.run("run", "-n", 2, "--channel", "memory", "-m", "job", "-x")
    assert sorted(result.stdout.splitlines()) == ["[0] 0 job ['-x']", "[1] 1 job ['-x']"]


def test_what_belongs_to_no_rank_is_marked(fmi):
    source = HEAD + (
        "import subprocess\n"
        "if rank == 0:\n"
        "    subprocess.run(['echo', 'a child'], check=True)\n"
        "    other = threading.Thread(target=print, args=('a thread',), daemon=True)\n"
        "    other.start()\n    other.join()\n    print('a rank')\n"
    )
    assert sorted(run(fmi, source).stdout.splitlines()) == ["[*] a child", "[*] a thread", "[0] a rank"]


def test_only_rank_0_has_the_standard_input(fmi):
    result = run(fmi, "import sys\nprint([line for line in sys.stdin])\n", ranks=2, input="one\ntwo\n")
    assert sorted(result.stdout.splitlines()) == ["[0] ['one\\n', 'two\\n']", "[1] []"]


def test_each_rank_pickles_its_own_classes(fmi):
    source = HEAD + (
        "import pickle\nclass Thing:\n    pass\ntime.sleep(0.1)\n"
        "main = sys.modules['__main__']\n"
        "print(type(pickle.loads(pickle.dumps(Thing()))) is Thing, hasattr(main, 'nothing'))\n"
    )
    assert sorted(run(fmi, source, ranks=2).stdout.splitlines()) == ["[0] True False", "[1] True False"]


def test_the_traceback_is_shown_once_with_its_rank_and_the_rest_is_stopped(fmi):
    source = HEAD + "def inner():\n    raise ValueError('boom')\nif rank == 1:\n    inner()\ntime.sleep(60)\n"
    result = run(fmi, source)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[:2] == ["fmi: rank 1 failed:", "Traceback (most recent call last):"]
    assert lines[2].endswith('job.py", line 6, in <module>')
    assert lines[-2:] == ["ValueError: boom", "fmi: ranks 0, 2 were stopped"]
    assert "threads.py" not in result.stderr
    fmi.assert_nothing_left()


def test_a_program_that_cannot_be_compiled_is_told_once(fmi):
    result = run(fmi, "x = (\n")
    assert result.returncode == 1
    assert result.stderr.count("SyntaxError: '(' was never closed\n") == 1


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("3", 3, "fmi: rank 1 exited with code 3\n"),
        ("'why not'", 1, "[1] why not\nfmi: rank 1 exited with code 1\n"),
        ("", 0, ""),
        ("0", 0, ""),
    ],
)
def test_leaving_is_as_python_has_it(fmi, value, code, text):
    result = run(fmi, HEAD + f"if rank == 1:\n    sys.exit({value})\n", ranks=2)
    assert (result.returncode, result.stderr) == (code, text)


def test_an_end_of_the_whole_process_is_told(fmi):
    result = run(fmi, HEAD + "import os\nif rank == 1:\n    os._exit(9)\ntime.sleep(60)\n", ranks=2)
    assert result.returncode == 9
    assert "exited with code 9" in result.stderr


def test_ranks_that_are_stopped_have_their_output_shown(fmi):
    result = run(fmi, HEAD + "sys.stdout.write('begun')\ntime.sleep(60)\n", "--timeout", "1s", ranks=2)
    assert result.returncode == 124
    assert sorted(result.stdout.splitlines()) == ["[0] begun", "[1] begun"]
    assert result.stderr.startswith("fmi: time-out: ")
    fmi.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_launcher_that_is_stopped(fmi, number):
    source = HEAD + "import subprocess\nsubprocess.Popen(['sleep', '60'])\nprint('ready')\ntime.sleep(60)\n"
    job = fmi.start("run", "-n", 2, "--channel", "memory", fmi.write("job.py", source))
    assert {job.stdout.readline(), job.stdout.readline()} == {"[0] ready\n", "[1] ready\n"}
    job.send_signal(number)
    job.wait(20)
    fmi.assert_nothing_left()


def test_importing_it_runs_nothing():
    import_module("fmi_core.launch.threads")


def test_too_many_ranks_are_refused(fmi):
    program = fmi.write("job.py", "")
    result = fmi.in_shell("ulimit -n 50; exec {}", "run", "-n", 30, "--channel", "memory", program)
    assert result.returncode == 2
    assert "cannot be started: Too many open files" in result.stderr
