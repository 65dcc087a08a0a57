"""The distributions as users get them: built, and installed where nothing of the checkout is in reach."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

FOLDERS = {"fmi_core": ".", "fmi_aws": "plugins/aws", "fmi_gcp": "plugins/gcp", "fmi_azure": "plugins/azure",
           "fmi_conformance": "conformance"}  # fmt: skip


def call(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=100, check=False, **options)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    """Every distribution's sdist, and its wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("build")
    for package, where in FOLDERS.items():
        source = folder / "checkout" / where
        # What a build needs, laid out as in the checkout, which stays as it is.
        shutil.copytree(root / where / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(root / where / name, source / name, follow_symlinks=False)
        call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source)
    return folder / "dist"


def test_each_has_a_wheel_and_an_sdist(built):
    for package in FOLDERS:
        assert len(list(built.glob(f"{package}-*-py3-none-any.whl"))) == 1
        assert len(list(built.glob(f"{package}-*.tar.gz"))) == 1


@pytest.mark.parametrize("package", FOLDERS)
def test_wheels_hold_the_package_its_types_and_its_license(built, package, root):
    with zipfile.ZipFile(next(built.glob(f"{package}-*.whl"))) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        license_text = wheel.read(next(name for name in names if name.endswith("/licenses/LICENSE")))
    modules = {
        path.relative_to(root / FOLDERS[package]).as_posix()
        for path in (root / FOLDERS[package] / package).rglob("*.py")
    }
    assert modules <= set(names)
    assert f"{package}/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {
        package,
        next(n for n in names if "dist-info" in n).partition("/")[0],
    }
    assert "License-Expression: Apache-2.0" in metadata
    assert license_text == (root / "LICENSE").read_bytes()


@pytest.mark.parametrize("package", FOLDERS)
def test_sdists_carry_the_license_itself(built, package):
    with tarfile.open(next(built.glob(f"{package}-*.tar.gz"))) as sdist:
        member = next(member for member in sdist.getmembers() if member.name.endswith("/LICENSE"))
        assert member.isfile()


@pytest.mark.network
def test_wheels_install_into_a_fresh_environment(built, tmp_path):
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    pip = (binaries / "python", "-m", "pip", "--disable-pip-version-check")
    with zipfile.ZipFile(next(built.glob("fmi_core-*.whl"))) as wheel:
        metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith("/METADATA"))).decode()
    needed = [line.partition(": ")[2] for line in metadata.splitlines()
              if line.startswith("Requires-Dist: ") and "extra ==" not in line]  # fmt: skip
    call(*pip, "install", "--quiet", *needed)
    # From here on without an index: whatever is missing must be among the wheels.
    call(
        *pip,
        "install",
        "--quiet",
        "--no-index",
        "--find-links",
        built,
        "fmi-core[aws,gcp,azure]",
        "fmi-conformance",
    )
    call(*pip, "check")

    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "FMI_", "PYTHON"))
    }
    program = (
        "import fmi_core, fmi_aws.plugin, fmi_gcp.plugin, fmi_azure.plugin, fmi_conformance\nprint(fmi_core.__file__)"
    )
    where = Path(call(binaries / "python", "-c", program, cwd=tmp_path, env=environment).strip())
    assert where.is_relative_to(tmp_path)
    assert "usage" in call(binaries / "fmi", "--help", cwd=tmp_path, env=environment).lower()
    (tmp_path / "hello.py").write_text(
        "import fmi_core as fmi\nwith fmi.init() as comm: print(comm.allreduce(comm.rank + 1))\n",
        encoding="utf-8",
    )
    out = call(binaries / "fmi", "run", "-n", "2", "hello.py", cwd=tmp_path, env=environment)
    assert [line.split()[-1] for line in out.splitlines()] == ["3", "3"]


def test_plugins_are_registered_under_the_cores_group():
    import importlib.metadata

    found = {point.name: point.value for point in importlib.metadata.entry_points(group="fmi_core")}
    assert found == {"aws": "fmi_aws.plugin", "gcp": "fmi_gcp.plugin", "azure": "fmi_azure.plugin"}
