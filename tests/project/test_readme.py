"""What the documentation tells people to type works, and the programs that it shows run.

Every line of a ``sh`` block is one of these; anything else fails, so that nothing goes in untested:

- ``make TARGET``: checked with ``make --dry-run``. What the important ones run is run elsewhere: `setup` made
  the environment that this test runs in, `demo` is in ``test_examples.py``, `docs` in ``test_docs.py``,
  `bench` in ``test_benchmarks.py``, and `test` runs this test.
- ``fmi …`` and ``python …``, also as ``.venv/bin/…``: run, and must end with 0.

Every ``python`` block is run on two ranks.
"""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/quickstart.md", "docs/cli.md")


def blocks(language):
    found = []
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(pytest.param(match[1], id=f"{document}:{line}"))
    return found


def commands():
    lines = [(block.id, line) for block in blocks("sh") for line in block.values[0].splitlines()]
    stripped = ((where, re.sub(r"\s+#.*", "", line).strip()) for where, line in lines)
    return [pytest.param(line, id=f"{where}:{line}") for where, line in stripped if line and not line.startswith("#")]


@pytest.mark.parametrize("command", commands())
def test_commands(run, command):
    words = shlex.split(command)
    words[0] = words[0].removeprefix(".venv/bin/")
    assert words[0] in ("make", "fmi", "python"), f"{command!r}: no test knows how to check this"
    if words[0] == "make":
        words.insert(1, "--dry-run")
    run(*words)


@pytest.mark.parametrize("program", blocks("python"))
def test_programs(run, program, tmp_path):
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    run("fmi", "run", "-n", "2", "--timeout", "60s", str(tmp_path / "program.py"))


def test_the_three_commands_are_in_the_readme():
    shown = {parameter.values[0] for parameter in commands() if parameter.id.startswith("README.md")}
    assert {"make setup", "make demo", "make test"} <= shown


def test_the_readme_shows_the_hello_example():
    code = (ROOT / "examples/hello.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    assert f"```python\n{code}```" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "document",
    [
        *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/data/README.md"),
        *("plugins/aws/README.md", "plugins/gcp/README.md", "plugins/azure/README.md"),
        "conformance/README.md",
    ],
)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / document).parent / target).exists(), f"{document} links to {target}"
