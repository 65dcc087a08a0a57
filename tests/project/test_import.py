"""Import time is cold-start time: what `import fmi_core` may load."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
HEAVY = {
    *("asyncio", "email", "importlib.metadata", "logging", "multiprocessing", "numpy"),
    *("pluggy", "ssl", "subprocess", "tabulate", "zmq"),
}
# What `import fmi_core` loads beyond a bare interpreter, and what these load in turn. To add to it is to make
# every cold start slower.
ALLOWED = ("__future__",)


def loaded_by(statement, *folders):
    """The modules that a fresh interpreter loads for ``statement``, beyond its own."""
    # Coverage would start in the new interpreter, too, and so would the hooks for packages installed in place
    # (site, hence -S): both load half of the standard library before anything is measured.
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("COVERAGE_", "FMI_"))}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM.format(statement=statement)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def test_import_loads_nothing_heavy(root):
    loaded = loaded_by("import fmi_core", root)
    assert "fmi_core" in loaded
    assert not loaded & HEAVY


def test_import_loads_only_these_modules(root):
    assert loaded_by("import fmi_core", root) - loaded_by(f"import {', '.join(ALLOWED)}") == {"fmi_core"}


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_a_plugin_can_be_imported_and_loads_nothing_heavy(root, cloud):
    loaded = loaded_by(f"import fmi_{cloud}.plugin", root, root / "plugins" / cloud)
    assert f"fmi_{cloud}.plugin" in loaded
    assert not loaded & HEAVY


def test_public_names_exist():
    import fmi_core

    missing = [name for name in fmi_core.__all__ if not hasattr(fmi_core, name)]
    assert not missing
    assert set(fmi_core.__all__) <= set(dir(fmi_core))
