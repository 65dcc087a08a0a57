"""Every collective by every algorithm, on every number of ranks, over memory and over processes."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path

import cloudpickle
import pytest

from fmi_core.testing import run


@pytest.fixture(scope="module")
def program():
    """The matrix, as code that carries itself to other processes."""
    spec = importlib.util.spec_from_file_location("matrix", Path(__file__).with_name("matrix.py"))
    module = sys.modules["matrix"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    yield module.program
    cloudpickle.unregister_pickle_by_value(module)
    del sys.modules["matrix"]


@pytest.mark.matrix
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("ranks", "channel"),
    [
        *((ranks, channel) for channel in ("memory", "tcp") for ranks in (1, 2, 3, 4, 5, 7, 8, 13, 16)),
        *((ranks, "unix") for ranks in (2, 3, 8)),
    ],
)
def test_every_algorithm_gives_the_answer_of_numpy(program, ranks, channel):
    work = functools.partial(program, thorough=channel == "memory" or ranks <= 8)
    counts = run(ranks, work, channel=channel, timeout_s=550)
    assert len(set(counts)) == 1
    assert counts[0] > 100
