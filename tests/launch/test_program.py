import sys
import types

import pytest

from fmi_core.launch import program


@pytest.fixture(autouse=True)
def _keep(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)


def run(kind, name):
    namespace = {}
    program.load(kind, name).run(namespace)
    return namespace


def test_a_script_runs_as_main_with_its_absolute_path(tmp_path):
    (tmp_path / "job.py").write_text("here = __file__\nkind = type(__builtins__).__name__\n")
    namespace = run("script", "job.py")
    assert namespace["__name__"] == "__main__"
    assert namespace["here"] == str(tmp_path / "job.py")
    assert namespace["__spec__"] is None
    assert namespace["kind"] == "module"


def test_a_script_is_compiled_by_its_own_rules_and_in_its_own_encoding(tmp_path):
    (tmp_path / "job.py").write_bytes(
        b"# coding: latin-1\nword = '\xe9'\ndef f(x: int): pass\nseen = f.__annotations__['x']\n"
    )
    namespace = run("script", "job.py")
    assert namespace["word"] == "é"
    assert namespace["seen"] is int  # annotations are strings in this package's own files


def test_a_module_knows_its_name_and_its_package(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "part.py").write_text("from . import __name__ as seen\n")
    namespace = run("module", "pack.part")
    assert (namespace["__name__"], namespace["__package__"], namespace["seen"]) == (
        "__main__",
        "pack",
        "pack",
    )
    assert namespace["__spec__"].name == "pack.part"
    assert sys.argv == [str(tmp_path / "pack" / "part.py")]
    del sys.modules["pack"]


def test_a_package_runs_its_main(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "__init__.py").write_text("")
    (tmp_path / "whole" / "__main__.py").write_text("done = True\n")
    assert run("module", "whole")["done"]
    del sys.modules["whole"]


def test_what_cannot_be_run_says_why(tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "odd" / "__main__").mkdir(parents=True)
    for folder in ("bare", "odd", "odd/__main__"):
        (tmp_path / folder / "__init__.py").write_text("")
    with pytest.raises(ImportError, match="No module named nosuch"):
        program.load("module", "nosuch")
    with pytest.raises(ImportError, match=r"No module named bare\.__main__; 'bare' is a package"):
        program.load("module", "bare")
    with pytest.raises(ImportError, match=r"odd\.__main__ is a package and cannot be run"):
        program.load("module", "odd")
    with pytest.raises(ImportError, match="No code object available for sys"):
        program.load("module", "sys")
    (tmp_path / "bad.py").write_text("(")
    with pytest.raises(SyntaxError):
        program.load("script", "bad.py")


def test_a_missing_part_inside_a_package_is_named(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text("import not_there_at_all\n")
    with pytest.raises(ImportError, match="not_there_at_all"):
        program.load("module", "broken")


def test_a_script_finds_what_lies_beside_it(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    monkeypatch.setattr(sys, "path", ["first", "second"])
    program.adopt("module", "some.module", ["a"])
    assert (sys.argv, sys.path) == (["some.module", "a"], ["first", "second"])
    program.adopt("script", "deep/job.py", ["b"])
    assert (sys.argv, sys.path) == (["deep/job.py", "b"], [str(tmp_path / "deep"), "second"])


def test_a_safe_path_stays_safe(monkeypatch):
    monkeypatch.setattr(sys, "flags", types.SimpleNamespace(safe_path=True))
    monkeypatch.setattr(sys, "path", ["first"])
    program.adopt("script", "deep/job.py", [])
    assert sys.path == ["first"]
