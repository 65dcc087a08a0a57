"""One rank's part in a collective, stepped by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.channels.memory import MemoryHub
from fmi_core.collectives import lookup
from fmi_core.engine.agreement import call_text
from fmi_core.engine.blocks import ArrayBlocks, Region
from fmi_core.engine.progress import Engine
from fmi_core.engine.task import CollectiveTask
from fmi_core.errors import MismatchError

CALL = call_text("bcast", 0, "<i8", 4, "", "flat")


@pytest.fixture
def engines():
    hub = MemoryHub(2)
    made = [
        Engine(rank=rank, size=2, control=hub.control(rank), timeout_s=20, unexpected_limit_bytes=100)
        for rank in range(2)
    ]
    for rank, engine in enumerate(made):
        engine.attach(hub.transport(rank, engine))
    return made


def task(engine, array, name="flat", collective="bcast", ranks=(0, 1)):
    algorithm = lookup(collective, name)
    space = ArrayBlocks(array.dtype, [Region(0, array, (0, array.size))], lambda _: array.size, fmi.SUM)
    schedule = algorithm.schedule(ranks.index(engine.rank), 2, 0, 1)
    return CollectiveTask(engine, 1, 0, CALL, schedule, space, ranks)


def test_a_receiver_waits_for_whom_it_must_and_then_is_complete(engines):
    memory = np.zeros(4, "i8")
    receiving = task(engines[1], memory)
    assert not receiving.advance()
    assert receiving.owed_by() == [0]
    assert receiving.describe() == "bcast(root=0, dtype=<i8, count=4)"
    sending = task(engines[0], np.arange(4))
    assert sending.advance()
    assert sending.sent_bytes == 32
    engines[1].progress()
    assert receiving.advance()
    assert receiving.advance()
    assert memory.tolist() == [0, 1, 2, 3]


def test_ranks_of_the_communicator_are_not_those_of_the_job(engines):
    memory = np.zeros(4, "i8")
    receiving = task(engines[0], memory, ranks=(1, 0))
    assert not receiving.advance()
    assert receiving.owed_by() == [1]
    task(engines[1], np.arange(4), ranks=(1, 0)).advance()
    engines[0].wait(receiving)
    assert memory.tolist() == [0, 1, 2, 3]


def test_sizes_that_differ_although_the_calls_agree_are_noticed(engines):
    receiving = task(engines[1], np.zeros(4, "i8"))
    task(engines[0], np.arange(3)).advance()
    with pytest.raises(MismatchError, match=r"rank 0 sent 24 bytes in bcast.*, rank 1 expected 32"):
        engines[1].wait(receiving)


def test_what_belongs_to_another_call_is_not_taken(engines):
    memory = np.zeros(4, "i8")
    receiving = task(engines[1], memory)
    assert not receiving.advance()
    engines[0].post((1,), 1, 0, call_text("gather", 0, "<i8", 4, "", "flat"), [memoryview(bytes(32))])
    with pytest.raises(MismatchError, match="gather"):
        engines[1].wait(receiving)
