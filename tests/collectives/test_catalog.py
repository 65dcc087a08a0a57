from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fmi_core.collectives
from fmi_core.collectives import COLLECTIVES, Granularity, catalog, lookup
from fmi_core.errors import ConfigError

ALGORITHMS = [one for algorithms in catalog().values() for one in algorithms]


def test_every_collective_has_at_least_two_algorithms_for_every_size_and_operator():
    assert list(catalog()) == [one.name for one in COLLECTIVES]
    for algorithms in catalog().values():
        for size in (1, 2, 3, 7, 64):
            offered = [one for one in algorithms if not one.why_not(size, commutative=False, uniform=False)]
            assert len(offered) >= 2


def test_every_collective_has_at_least_two_algorithms_for_python_objects():
    for algorithms in catalog().values():
        offered = [one for one in algorithms if not one.why_not(5, commutative=False, splittable=False, uniform=False)]
        assert len(offered) >= 2


def test_names_are_unique_and_looked_up():
    for one in ALGORITHMS:
        assert lookup(one.collective, one.name) is one


def test_the_catalog_cannot_be_written():
    with pytest.raises(TypeError):
        catalog()["bcast"] = ()


def test_an_unknown_algorithm_is_told_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"bcast has no algorithm 'tree'; choose one of: flat, binomial, ") as caught:
        lookup("bcast", "tree")
    assert (caught.value.name, caught.value.value) == ("algorithm", "tree")


def test_an_unknown_collective_is_told():
    with pytest.raises(ConfigError, match="no collective 'broadcast'"):
        lookup("broadcast", "flat")


@pytest.mark.parametrize("one", ALGORITHMS, ids=lambda one: f"{one.collective}-{one.name}")
def test_every_algorithm_is_described_and_cites_its_source(one):
    author = one.source.split(" ")[0].rstrip(",:")
    assert author in inspect.getdoc(one.schedule)
    assert one.source[-4:].isdigit()


@pytest.mark.parametrize("one", ALGORITHMS, ids=lambda one: f"{one.collective}-{one.name}")
def test_a_single_rank_exchanges_nothing(one):
    for round_ in one.schedule(0, 1, 0, one.blocks(1)):
        assert not any(hasattr(step, "blocks") for step in round_)


@pytest.mark.parametrize("one", ALGORITHMS, ids=lambda one: f"{one.collective}-{one.name}")
def test_no_round_is_empty_and_the_same_call_gives_the_same_rounds(one):
    size = 8
    for rank in range(size):
        blocks = one.blocks(size, segments=3)
        rounds = list(one.schedule(rank, size, 0, blocks))
        assert all(rounds)
        assert rounds == list(one.schedule(rank, size, 0, blocks))


def test_blocks_that_are_adjacent_travel_as_ranges():
    for one in ALGORITHMS:
        if one.granularity is Granularity.NONE:
            continue
        for rank in range(8):
            for round_ in one.schedule(rank, 8, 0, one.blocks(8, segments=3)):
                for blocks in (step.blocks for step in round_ if hasattr(step, "blocks")):
                    adjacent = list(blocks) == list(range(blocks[0], blocks[0] + len(blocks)))
                    assert isinstance(blocks, range) or not adjacent or len(blocks) == 1


def test_the_room_imports_the_standard_library_and_errors_only():
    for file in Path(fmi_core.collectives.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                ours = name.startswith("fmi_core.collectives") or name == "fmi_core.errors"
                assert ours or name.split(".")[0] in sys.stdlib_module_names, (file.name, name)


def test_the_catalog_loads_alone_and_brings_nothing_heavy():
    code = (
        "import sys; from fmi_core.collectives import catalog; assert len(catalog()) == 11; "
        "heavy = {'numpy', 'zmq', 'pluggy', 'tabulate', 'asyncio', 'multiprocessing', 'subprocess'}; "
        "found = heavy & set(sys.modules); assert not found, found"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code], env=bare, check=True, timeout=60)
