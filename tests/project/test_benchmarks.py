"""The benchmarks run; what they measure is not judged here, since machines differ."""

import re
import sys


def test_import_time(run):
    out = run(sys.executable, "benchmarks/import_time.py", "2").stdout
    for name in ("python itself", "import fmi_core", "import numpy"):
        assert re.search(rf"^{name} +[\d.]+ ms", out, re.MULTILINE)
    assert re.search(r"import fmi_core costs -?\d+% of import numpy \(2 interleaved runs each\)", out)


def test_overlap(run):
    out = run(sys.executable, "benchmarks/overlap.py", "1").stdout
    for case in ("transfer", "late rank"):
        assert re.search(rf"^{case} +([\d.]+ ms +){{4}}[\d.]+$", out, re.MULTILINE)
