"""Random programs give every rank what a model in one process says."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import cloudpickle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmi_core.testing import run


@pytest.fixture(scope="module")
def programs():
    """The making and the playing of programs, as code that carries itself to other processes."""
    spec = importlib.util.spec_from_file_location("programs", Path(__file__).with_name("programs.py"))
    module = sys.modules["programs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    yield module
    cloudpickle.unregister_pickle_by_value(module)
    del sys.modules["programs"]


def check(programs, choose, channel, *, size, length):
    steps = programs.make(choose, size, length)
    got = run(size, programs.program, steps, channel=channel, timeout_s=40)
    assert got == programs.expected(steps, size)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.timeout(300)
def test_over_memory(programs, data):
    size, length = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
    check(programs, lambda low, high: data.draw(st.integers(low, high)), "memory", size=size, length=length)


@pytest.mark.parametrize("seed", range(60))
def test_long_programs_over_memory(programs, seed):
    check(programs, random.Random(seed).randint, "memory", size=2 + seed % 5, length=120)


@pytest.mark.parametrize(("seed", "channel"), [(101, "tcp"), (102, "tcp"), (103, "tcp"), (104, "unix")])
def test_over_processes(programs, seed, channel):
    check(programs, random.Random(seed).randint, channel, size=4, length=150)
