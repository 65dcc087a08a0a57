"""What MkDocs is told about the code, so that no page has to repeat it.

- The section "Reference": one page for each room (a module or a package of the core), from docstrings.
- ``<!-- help: fmi run -->`` becomes the help text of that command.
- ``<!-- catalog -->`` becomes the table of algorithms.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

from fmi_core.collectives.catalog import Algorithm, catalog

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fmi_core"
GRANULARITY = {
    "none": "none",
    "whole": "in one piece",
    "split": "cut into parts",
    "segmented": "a stream of segments",
    "blocks": "one block a rank",
}


def rooms() -> dict[str, list[str]]:
    """The public modules of ``fmi_core`` by room, a room's own module first."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if any(part.startswith("_") for part in parts):
            continue
        room = parts[1] if len(parts) > 1 else parts[0]
        found.setdefault(room, []).append(".".join(parts))
    return {room: sorted(modules) for room, modules in found.items()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the section "Reference"."""
    pages: list[Any] = [{room: f"reference/{room}.md"} for room in sorted(rooms(), key=lambda r: (r != "fmi_core", r))]
    assert config.nav is not None
    config.nav.append({"Reference": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    for room, modules in rooms().items():
        # What a user holds is on the page of the package itself, whole: with what its classes inherit.
        options = "    options:\n      inherited_members: true\n" if room == "fmi_core" else ""
        content = f"# {room}\n\n" + "".join(f"::: {module}\n{options}\n" for module in modules)
        files.append(File.generated(config, f"reference/{room}.md", content=content))
    return files


def help_text(match: re.Match[str]) -> str:
    """The help of the command that ``match`` names, as a code block."""
    words = shlex.split(match[1])[1:]
    done = subprocess.run(
        [sys.executable, "-m", "fmi_core", *words, "--help"],
        env=os.environ | {"COLUMNS": "110", "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"```text\n{done.stdout.rstrip()}\n```"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in what the page takes from the code."""
    markdown = re.sub(r"<!-- help: (fmi[^>]*?) -->", help_text, markdown)
    return markdown.replace("<!-- catalog -->", catalog_table()) if "<!-- catalog -->" in markdown else markdown


def catalog_table() -> str:
    """All algorithms, one table for each collective."""
    parts = []
    for collective, algorithms in catalog().items():
        parts += [
            f"### {collective}",
            "",
            "| algorithm | data | restrictions | source |",
            "|---|---|---|---|",
        ]
        for one in algorithms:
            summary = (inspect.getdoc(one.schedule) or "").partition("\n")[0]
            cells = (
                f"`{one.name}`",
                f"{summary}<br><small>{one.source}</small>",
                GRANULARITY[one.granularity.value],
                restrictions(one),
            )
            parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


def restrictions(one: Algorithm) -> str:
    """When the algorithm can be used."""
    limits = {
        "a power of two as the number of ranks": one.power_of_two,
        "a commutative operator": one.commutative_only,
        "blocks of one size": one.uniform_blocks,
    }
    return "; ".join(text for text, applies in limits.items() if applies) or "–"
