"""What import-linter cannot say about the rooms."""

import ast
import sys
from pathlib import Path

import pytest

COLLECTIVES = Path(__file__).parents[2] / "fmi_core" / "collectives"


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            yield node.module


def test_every_folder_with_code_is_a_package():
    # Without its __init__.py a folder still imports, but tools that follow imports do not see it.
    folders = {path.parent for path in COLLECTIVES.parent.rglob("*.py")}
    assert [folder.name for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("path", sorted(COLLECTIVES.glob("**/*.py")), ids=lambda path: path.name)
def test_collectives_import_the_standard_library_and_errors_only(path):
    for name in imports(path):
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names or name == "fmi_core.errors" or name.startswith("fmi_core.collectives"), (
            name
        )
