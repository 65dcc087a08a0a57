"""Programs for mpi4py run unmodified, and print the right answers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(ranks, *arguments, channel="auto", mpi4py=True, timeout_s=100):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FMI_")}
    options = ["--mpi4py"] if mpi4py else []
    return subprocess.run(
        [sys.executable, "-m", "fmi_core", "run", *options, "-n", str(ranks), "--no-labels", "--channel", channel]
        + [str(argument) for argument in arguments],
        cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def output(ranks, *arguments, channel="auto"):
    done = start(ranks, *arguments, channel=channel)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout


def example(name):
    return ROOT / "examples" / "mpi4py" / f"{name}.py"


def written(folder, text):
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return path


ANSWERS = {
    "pi_integral": "pi is approximately 3.1415926536",
    "mandelbrot": "1748 points in the set, image correct: True",
    "jacobi": "total heat 30362.451449, correct: True",
    "matvec": "product correct: True",
    "samplesort": "numbers, in order: True",
    "futures_primes": "2262 primes below 20000, the last 1000 numbers have 104",
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize(("ranks", "channel"), [(1, "auto"), (3, "tcp"), (4, "memory")])
def test_answers(name, ranks, channel):
    assert ANSWERS[name] in output(ranks, example(name), channel=channel)


@pytest.mark.parametrize(("ranks", "token"), [(1, 0), (2, 1), (5, 10)])
def test_ring(ranks, token):
    assert output(ranks, example("token_ring")) == f"token is back with {token}\n"


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_tutorial(ranks):
    lines = output(ranks, example("tutorial")).splitlines()
    squares = [(rank + 1) ** 2 for rank in range(ranks)]
    assert sorted(lines) == sorted([
        "point to point: {'a': 7, 'b': 3.14} 499500 {'later': True} 4950",
        f"objects: ['key1', 'key2'] {squares}",
        f"arrays: {[rank * (rank + 3) // 2 for rank in range(ranks)]}",
        f"own operator: {[0.0 if ranks == 1 else 1.0 - ranks, (ranks - 1) / 2]} {1 - ranks}",
        "errors: True MPI_ERR_RANK: invalid rank",
    ])  # fmt: skip


def test_osu():
    out = output(2, example("osu"))
    assert re.findall(r"^ *(\d+) bytes: +[\d.]+ us, +[\d.]+ MB/s, allreduce +[\d.]+ us$", out, re.MULTILINE) == [
        *("1", "1024", "65536", "1048576")
    ]


POOL = """\
squares: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
sum, in any order: 30
2 done, 0 not; error: integer division or modulo by zero
"""


@pytest.mark.parametrize("start_of_it", [(), ("-m", "mpi4py.futures")])
@pytest.mark.parametrize("ranks", [1, 4])
def test_pool(ranks, start_of_it):
    assert output(ranks, *start_of_it, example("futures_pool")) == POOL


def test_pool_is_refused_where_ranks_are_threads():
    done = start(2, example("futures_pool"), channel="memory")
    assert done.returncode == 1
    assert "use MPICommExecutor, or another channel" in done.stderr


def test_initializer_and_errors_of_tasks(tmp_path):
    program = written(
        tmp_path,
        """
from mpi4py import MPI
from mpi4py.futures import MPICommExecutor
def prepare(value):
    global prepared
    prepared = value
def task(x):
    return x + prepared
with MPICommExecutor(MPI.COMM_WORLD, 1, initializer=prepare, initargs=(10,)) as executor:
    if executor is not None:
        print(sorted(executor.starmap(task, [(1,), (2,), (3,)], unordered=True)), executor.num_workers)
        try:
            executor.submit(lambda: 0).result()
        except Exception as error:
            print("pickl" in str(error))
print(MPI.COMM_WORLD.allreduce(1))
""",
    )
    out = output(3, program)
    assert sorted(out.splitlines()) == ["3", "3", "3", "True", "[11, 12, 13] 2"]


def test_a_program_needs_one_line_changed_at_most(tmp_path):
    text = example("pi_integral").read_text(encoding="utf-8").replace("from mpi4py import", "from fmi_core import")
    done = start(3, written(tmp_path, text), mpi4py=False)
    assert ANSWERS["pi_integral"] in done.stdout


def test_without_the_option_mpi4py_is_not_answered(tmp_path):
    program = written(tmp_path, "import sys\nprint(any('standin' in type(f).__module__ for f in sys.meta_path))")
    assert start(1, program, mpi4py=False).stdout == "False\n"


@pytest.mark.parametrize("channel", ["auto", "memory"])
def test_abort_ends_the_whole_job(tmp_path, channel):
    program = written(
        tmp_path,
        """
from mpi4py import MPI
comm = MPI.COMM_WORLD
if comm.rank == 1:
    comm.Abort(7)
comm.recv(source=1)
""",
    )
    assert start(3, program, channel=channel).returncode == 7


@pytest.mark.parametrize("channel", ["auto", "memory"])
def test_an_exception_ends_the_whole_job(tmp_path, channel):
    program = written(
        tmp_path,
        """
from mpi4py import MPI
comm = MPI.COMM_WORLD
if comm.rank == 1:
    raise ValueError("no")
comm.recv(source=1)
""",
    )
    done = start(3, program, channel=channel)
    assert done.returncode == 1
    assert "rank 1 failed" in done.stderr
    assert "ValueError: no" in done.stderr


def test_imports_of_every_form(tmp_path):
    program = written(
        tmp_path,
        """
import mpi4py
mpi4py.rc(initialize=False, threads=False)
import mpi4py.MPI
from mpi4py import MPI
from mpi4py.MPI import COMM_WORLD as comm
from mpi4py.util import pkl5, dtlib
import mpi4py.futures, mpi4py.run
import fmi_core.MPI
assert mpi4py.MPI is MPI is fmi_core.MPI
assert pkl5.Intracomm(comm) is comm is MPI.COMM_WORLD
assert dtlib.to_numpy_dtype(dtlib.from_numpy_dtype("f4")) == "f4"
assert mpi4py.__version__ and mpi4py.get_include() and mpi4py.get_config() == {}
try:
    import mpi4py.nothing
except ModuleNotFoundError as error:
    assert "stand-in" in str(error)
MPI.Finalize()
assert MPI.Is_finalized() and MPI.COMM_WORLD is comm
print("good")
""",
    )
    assert output(2, program) == "good\ngood\n"


def test_the_world_is_one_for_all_threads_of_a_rank(tmp_path):
    program = written(
        tmp_path,
        """
import threading
from mpi4py import MPI
comm = MPI.COMM_WORLD
thread = threading.Thread(target=lambda: print(MPI.COMM_WORLD is comm))
thread.start(); thread.join()
""",
    )
    assert output(2, program) == "True\nTrue\n"


def test_run_module():
    command = "from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(1))"
    assert output(2, "-m", "mpi4py.run", "-c", command) == "2\n2\n"
    assert "3.1415926536" in output(2, "-m", "mpi4py.run", example("pi_integral"))
    assert start(1, "-m", "mpi4py.run").returncode == 1


def test_executables_are_refused():
    done = start(2, sys.executable, example("pi_integral"))
    assert done.returncode == 2
    assert "--mpi4py answers 'import mpi4py' in Python programs only" in done.stderr


def test_other_serializers(tmp_path):
    program = written(
        tmp_path,
        """
import json
from mpi4py import MPI
MPI.pickle.__init__(lambda obj: json.dumps(obj).encode(), lambda data: json.loads(bytes(data)))
comm = MPI.COMM_WORLD
print(comm.bcast((1, 2) if comm.rank == 0 else None))
""",
    )
    assert sorted(output(2, program).splitlines()) == ["(1, 2)", "[1, 2]"]
