"""Shows the version that all distributions share, or sets it: ``version.py 0.2.0``.

Each ``pyproject.toml`` carries the version as a literal, so that a plain ``pip install`` of any of them,
from a wheel, an sdist or an editable checkout, needs nothing outside its own folder.
``tests/project/test_versions.py`` proves that they are equal.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECTS = [
    ROOT / "pyproject.toml",
    *sorted(ROOT.glob("plugins/*/pyproject.toml")),
    ROOT / "conformance/pyproject.toml",
]
OWN = re.compile(r'^(version = ")([^"]+)(")', re.MULTILINE)
PINS = re.compile(r'("fmi-[a-z]+==)([^"]+)(")')
FORM = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?")


def set_version(text: str, version: str) -> str:
    """``text`` of a ``pyproject.toml``, its own version and its pins to the others replaced."""
    for pattern in (OWN, PINS):
        text = pattern.sub(rf"\g<1>{version}\g<3>", text)
    return text


def main(arguments: list[str]) -> int:
    """Shows or sets the version; returns the exit code."""
    if len(arguments) > 1 or (arguments and not FORM.fullmatch(arguments[0])):
        print(
            f"version: {' '.join(arguments)!r} is no version; expected one such as 0.2.0 or 0.2.0rc1",
            file=sys.stderr,
        )
        return 2
    for path in PYPROJECTS:
        text = path.read_text(encoding="utf-8")
        if arguments:
            text = set_version(text, arguments[0])
            path.write_text(text, encoding="utf-8")
        print(f"{', '.join(sorted({match[2] for match in OWN.finditer(text)}))}  {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
