"""Every example runs, on any number of ranks and over every channel of one machine."""

import math
import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("ranks", "channel"),
    [(1, "auto"), (2, "memory"), (4, "memory"), (3, "tcp"), (4, "tcp"), (4, "unix"), (5, "unix")],
)
def test_kmeans_equals_its_serial_run(run, ranks, channel):
    out = run("fmi", "run", "-n", str(ranks), "--channel", channel, "examples/kmeans.py").stdout
    assert "centroids, labels and inertia are those of a serial run" in out
    assert f"1797 images of 64 pixels on {ranks} ranks" in out
    assert len(re.findall(r"iteration +\d+: inertia", out)) > 5
    for word in ("allreduce", "bcast", "scatter", "gather"):
        assert word in out.lower()


def test_kmeans_fails_if_it_is_wrong(run, root, tmp_path):
    broken = (root / "examples/kmeans.py").read_text(encoding="utf-8")
    right = "comm.Allreduce(fmi.IN_PLACE, sums.buffer, op=fmi.SUM)"
    assert right in broken
    broken = broken.replace(right, right.replace("SUM", "MAX")).replace(
        "Path(__file__).parent", f"Path({str(root / 'examples')!r})"
    )
    (tmp_path / "broken.py").write_text(broken, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "fmi_core", "run", "-n", "2", str(tmp_path / "broken.py")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "differs from the serial one in centroids" in done.stdout + done.stderr


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_hello(run, ranks):
    out = run("fmi", "run", "-n", str(ranks), "examples/hello.py").stdout
    total = sum(range(ranks))
    for rank in range(ranks):
        assert f"rank {rank} of {ranks}: every element is {total}, the largest first element is {total}" in out
    assert ("rank 1 received {'any': 'object'}" in out) == (ranks > 1)


def test_hello_runs_without_a_launcher(run):
    assert "rank 0 of 1" in run(sys.executable, "examples/hello.py").stdout


def test_pi(run):
    out = run("fmi", "run", "-n", "3", "examples/pi.py").stdout
    estimate, error = map(float, re.search(r"π ≈ ([\d.]+) ± ([\d.]+)", out).groups())
    assert "6000000 darts on 3 ranks" in out
    assert abs(estimate - math.pi) < 5 * error < 0.01


@pytest.mark.parametrize("channel", ["tcp", "unix"])
def test_ring(run, channel):
    out = run("fmi", "run", "-n", "3", "--channel", channel, "examples/ring.py").stdout
    assert re.findall(r"(\d+) bytes: ", out) == ["8", "1024", "65536", "1048576"]
