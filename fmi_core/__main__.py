"""``python -m fmi_core``: the command ``fmi``."""

from __future__ import annotations

import sys

from fmi_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
