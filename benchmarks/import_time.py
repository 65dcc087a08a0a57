"""What ``import fmi_core`` costs a cold start, next to ``import numpy`` and to Python itself.

Fresh interpreters, interleaved, so that a busy moment of the machine hits all of them, and without ``site``,
whose hooks for packages that are installed in place would load modules beforehand. "First use" also makes a
communicator of one rank, which loads what the import has put off.

``python benchmarks/import_time.py [ROUNDS]``
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "python itself": "pass",
    "import fmi_core": "import fmi_core",
    "import numpy": "import numpy",
    "first use": "import fmi_core; fmi_core.init().close()",
}
ROUNDS = 21


def folder_of(package: str) -> str:
    """The folder on the import path that ``package`` is in."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; run this with the Python of `make setup`")
    return str(Path(spec.origin).parents[1])


def run_ms(program: str, environment: dict[str, str]) -> float:
    """How long a fresh interpreter takes to run ``program``, in milliseconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-S", "-c", program], env=environment, check=True)
    return (time.perf_counter() - start) * 1e3


def measure_ms(rounds: int) -> dict[str, list[float]]:
    """The times of ``rounds`` runs of each program, interleaved."""
    path = os.pathsep.join(dict.fromkeys((folder_of("fmi_core"), folder_of("numpy"))))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "FMI_"))}
    environment["PYTHONPATH"] = path
    times_ms: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for program in PROGRAMS.values():
        run_ms(program, environment)  # the first run may have to compile and to read from disk
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            times_ms[name].append(run_ms(program, environment))
    return times_ms


def main(arguments: list[str]) -> int:
    """Measures and prints the table."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    times_ms = measure_ms(rounds)
    medians = {name: statistics.median(times) for name, times in times_ms.items()}
    bare = medians["python itself"]
    print(f"{'':16}  {'median':>9}  {'fastest':>9}  {'slowest':>9}  {'beyond python':>13}")
    for name, times in times_ms.items():
        cells = (medians[name], min(times), max(times))
        print(f"{name:16}  " + "  ".join(f"{cell:6.1f} ms" for cell in cells) + f"  {medians[name] - bare:10.1f} ms")
    ours, numpy = medians["import fmi_core"] - bare, medians["import numpy"] - bare
    print(f"import fmi_core costs {ours / numpy:.0%} of import numpy ({rounds} interleaved runs each)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
