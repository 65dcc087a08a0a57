import subprocess
import sys
from pathlib import Path

import fmi_core.launch


def test_ranks_import_the_package_without_the_launcher():
    loaded = subprocess.run(
        # What was there before (coverage, for one) is not ours.
        [
            sys.executable,
            "-c",
            "import sys; before = {*sys.modules}; import fmi_core.launch; print(*({*sys.modules} - before))",
        ],
        cwd=Path(fmi_core.launch.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "fmi_core.launch" in loaded
    assert not {"subprocess", "zmq", "numpy", "selectors", "fmi_core.launch.job"} & set(loaded)
