import os
import sys

import pytest

from fmi_core.errors import ConfigError
from fmi_core.launch.command import Program, resolve


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_python_file_is_a_script(tmp_path):
    (tmp_path / "job.py").touch()
    assert resolve(["job.py", "-n", "3"]) == Program("script", "job.py", ("-n", "3"))
    assert resolve(["job.py"]).title == "job"


@pytest.mark.parametrize("name", ["json.tool", "sys", "mine.deeper"])
def test_a_module_is_found_here_or_where_python_looks(tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    assert resolve([name, "x"], module=True) == Program("module", name, ("x",))
    assert "mine" not in sys.modules


def test_another_program_is_found_in_the_path_or_by_its_path(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert resolve(["./tool"]) == Program("executable", "./tool")
    assert resolve(["sh", "-c", "true"]).name.endswith("/sh")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "no program is given"),
        ([""], "no program is given"),
        (["nowhere.py"], "'nowhere.py' not found in "),
        (["folder.py"], "'folder.py' is a directory"),
        (["nosuchtool"], r"'nosuchtool' not found in PATH; .* write ./nosuchtool"),
        (["./nosuchtool"], "'./nosuchtool' not found; check the path"),
        (["plain.txt"], r"'plain.txt' is not executable; expected ./plain.txt after chmod \+x"),
        (["./folder.py/"], "'./folder.py/' is a directory"),
        (["sh", "a\0b"], "zero byte"),
    ],
)
def test_what_does_not_exist_is_named(tmp_path, command, message):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "plain.txt").touch()
    with pytest.raises(ConfigError, match=message):
        resolve(command)


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match=r"module 'nosuch\.module' not found: there is no 'nosuch'"):
        resolve(["nosuch.module"], module=True)


def test_a_script_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "secret.py").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs the tests may be root
    with pytest.raises(ConfigError, match=r"'secret\.py' cannot be read"):
        resolve(["secret.py"])


def test_a_program_without_a_stem_has_a_title_all_the_same():
    assert Program("executable", "/").title == "job"
