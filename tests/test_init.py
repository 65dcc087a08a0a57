"""The package's public face: lazy, complete, and what type checkers see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fmi_core as fmi


def test_every_public_name_is_there():
    for name in fmi.__all__:
        assert getattr(fmi, name) is not None
    assert set(fmi.__all__) <= set(dir(fmi))


def test_what_type_checkers_see_is_what_there_is():
    tree = ast.parse(Path(fmi.__file__).read_text(encoding="utf-8"))
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen - {"Any"} == set(fmi.__all__) - {"__version__"}


def test_modules_for_users_need_no_import_of_their_own():
    assert fmi.testing.run(2, lambda comm: comm.size) == [2, 2]
    assert fmi.errors.FmiError is fmi.FmiError


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fmi_core' has no attribute 'pigeon'"):
        _ = fmi.pigeon


def test_a_name_is_looked_up_once(monkeypatch):
    for name in set(fmi.__all__) - {"__version__", "errors", "testing"}:
        monkeypatch.delitem(vars(fmi), name, raising=False)
        value = getattr(fmi, name)
        assert vars(fmi)[name] is value
    assert dir(fmi) == sorted(fmi.__all__)
    assert len(set(fmi.__all__)) == len(fmi.__all__)


def test_a_module_that_was_not_imported_yet_is_imported(monkeypatch):
    for name in ("errors", "testing"):
        monkeypatch.delattr(fmi, name)
        assert getattr(fmi, name).__name__ == f"fmi_core.{name}"
