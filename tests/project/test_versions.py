"""All distributions have one version, and pin each other to it."""

import importlib.metadata
import importlib.util
import re
import shutil
import tomllib

import pytest

DISTRIBUTIONS = ("fmi-core", "fmi-aws", "fmi-gcp", "fmi-azure", "fmi-conformance")


@pytest.fixture
def tool(root):
    spec = importlib.util.spec_from_file_location("version_tool", root / ".ci" / "version.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def projects(tool):
    tables = [tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in tool.PYPROJECTS]
    return {table["name"]: table for table in tables}


def own_pins(table):
    texts = [
        *table["dependencies"],
        *(text for extra in table.get("optional-dependencies", {}).values() for text in extra),
    ]
    return [text for text in texts if re.match(r"fmi-(?!core\[)", text)]


def test_the_tool_knows_every_distribution(root, projects):
    assert set(projects) == set(DISTRIBUTIONS)
    found = {path for path in root.glob("**/pyproject.toml") if not any(part.startswith(".") for part in path.parts)}
    assert len(found) == len(DISTRIBUTIONS), found


def test_one_version(projects):
    assert len({table["version"] for table in projects.values()}) == 1


def test_distributions_pin_each_other_exactly(projects):
    version = projects["fmi-core"]["version"]
    assert sorted(own_pins(projects["fmi-core"])) == [f"fmi-{name}=={version}" for name in ("aws", "azure", "gcp")]
    for name in DISTRIBUTIONS[1:]:
        assert own_pins(projects[name]) == [f"fmi-core=={version}"]


def test_the_installed_package_says_the_same(projects):
    import fmi_core

    assert fmi_core.__version__ == projects["fmi-core"]["version"] == importlib.metadata.version("fmi-core")


def test_the_changelog_has_a_section_for_it(root, projects):
    assert f"## [{projects['fmi-core']['version']}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture
def copied_tool(tool, tmp_path, root, monkeypatch):
    copies = [tmp_path / path.relative_to(root) for path in tool.PYPROJECTS]
    for original, copy in zip(tool.PYPROJECTS, copies, strict=True):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original, copy)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "PYPROJECTS", copies)
    return tool


def test_setting_a_version_reaches_everything(copied_tool, capsys):
    assert copied_tool.main(["7.8.9rc1"]) == 0

    assert capsys.readouterr().out.count("7.8.9rc1") == len(DISTRIBUTIONS)
    for path in copied_tool.PYPROJECTS:
        table = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        assert table["version"] == "7.8.9rc1"
        assert all(pin.endswith("==7.8.9rc1") for pin in own_pins(table))
        assert table["requires-python"] == ">=3.11"


@pytest.mark.parametrize("arguments", [["1.2"], ["v1.2.3"], ["1.2.3", "4.5.6"]])
def test_what_is_no_version_is_refused(tool, arguments, capsys):
    assert tool.main(arguments) == 2
    assert arguments[0] in capsys.readouterr().err
