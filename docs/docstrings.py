"""A griffe extension: the reStructuredText in docstrings, as Markdown.

- ``:class:`~fmi_core.errors.MismatchError``` becomes the name in code type;
- a ``::`` that announces a literal block goes (what follows is indented, which Markdown takes for code);
- a simple table (rows between lines of ``=``) is shown as it stands.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|data|exc|func|meth|mod|attr):`(~?)([^`]+)`")
LITERAL = re.compile(r"^(.*?)::$", re.MULTILINE)
TABLE = re.compile(r"^(=+(?: +=+)+)\n(?:.*\n)+?\1\n(?:.*\n)+?\1$", re.MULTILINE)


def markdown(text: str) -> str:
    """``text`` with its reStructuredText replaced."""
    text = ROLE.sub(lambda role: f"`{role[2].rpartition('.')[2] if role[1] else role[2]}`", text)
    text = LITERAL.sub(lambda line: f"{line[1]}:" if line[1].strip() else "", text)
    return TABLE.sub(lambda table: f"```text\n{table[0]}\n```", text)


class Docstrings(Extension):
    """Rewrites every docstring when it is read."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of ``obj``."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
