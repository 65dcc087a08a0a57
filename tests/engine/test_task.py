"""One rank's part in a collective, stepped by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.channels.memory import MemoryHub, MemoryTransport
from fmi_core.channels.transport import Sending
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


def task(engine, array, name="flat", collective="bcast", ranks=(0, 1), **options):
    algorithm = lookup(collective, name)
    space = ArrayBlocks(array.dtype, [Region(0, array, (0, array.size))], lambda _: array.size, fmi.SUM)
    schedule = algorithm.schedule(ranks.index(engine.rank), 2, 0, 1)
    return CollectiveTask(engine, 1, 0, CALL, schedule, space, ranks, **options)


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


class Slow(MemoryTransport):
    """Delivers at once, but lets go of the sender's memory only when told."""

    def post(self, *message):
        super().post(*message)
        self.sending = Sending(1)
        return self.sending


def test_a_round_is_not_over_while_its_data_is_still_being_sent(engines):
    engines[0].attach(Slow(engines[0].transport._hub, 0, engines[0]))
    sending = task(engines[0], np.arange(4))
    assert not sending.advance()
    assert sending.owed_by() == []
    engines[0].transport.sending.pending = 0
    assert sending.advance()


@pytest.mark.parametrize("collective", ["allreduce", "scan"])
def test_folds_and_local_steps_are_done_in_order(engines, collective):
    """``direct`` keeps what came beside its own, and folds it in its local steps."""
    name = "direct" if collective == "allreduce" else "flat"
    memories = [np.array([1, 2, 3, 4]), np.array([10, 20, 30, 40])]
    tasks = [task(engine, memory, name, collective) for engine, memory in zip(engines, memories, strict=True)]
    for _ in range(4):
        for engine, one in zip(engines, tasks, strict=True):
            one.advance()
            engine.progress()
    assert all(one.advance() for one in tasks)
    assert memories[1].tolist() == [11, 22, 33, 44]
    assert memories[0].tolist() == ([11, 22, 33, 44] if collective == "allreduce" else [1, 2, 3, 4])


def test_a_smaller_message_is_taken_where_that_is_meant_and_a_larger_one_never(engines):
    memory = np.zeros(4, "i8")
    receiving = task(engines[1], memory, exact=False)
    task(engines[0], np.arange(1, 3)).advance()
    engines[1].wait(receiving)
    assert memory.tolist() == [1, 2, 0, 0]


def test_a_larger_message_is_a_mismatch_that_everyone_hears_of(engines):
    memory = np.zeros(2, "i8")
    receiving = task(engines[1], memory, exact=False)
    task(engines[0], np.arange(1, 5)).advance()
    with pytest.raises(MismatchError, match=r"rank 0 sent 32 bytes in bcast.*, rank 1 expected 16; counts must agree"):
        engines[1].wait(receiving)
    assert memory.tolist() == [0, 0]
    assert engines[0].control.poll()[0].kind == "mismatch"


def test_nothing_is_begun_once_the_job_is_broken(engines):
    engines[0].fail(MismatchError("broken"))
    with pytest.raises(MismatchError, match="broken"):
        task(engines[0], np.arange(4))
    assert not engines[1].transport.progress(0.0, ())


def test_one_rank_alone_is_complete_at_once():
    hub = MemoryHub(1)
    engine = Engine(rank=0, size=1, control=hub.control(0), timeout_s=20, unexpected_limit_bytes=100)
    engine.attach(hub.transport(0, engine))
    space = ArrayBlocks(np.dtype("i8"), [Region(0, np.arange(4), (0, 4))], lambda _: 4, fmi.SUM)
    alone = CollectiveTask(engine, 1, 0, CALL, lookup("allreduce", "direct").schedule(0, 1, 0, 1), space, (0,))
    assert alone.advance()
    assert alone.sent_bytes == 0


def test_what_is_sent_to_several_ranks_is_counted_for_each():
    hub = MemoryHub(3)
    engine = Engine(rank=0, size=3, control=hub.control(0), timeout_s=20, unexpected_limit_bytes=100)
    engine.attach(hub.transport(0, engine))
    space = ArrayBlocks(np.dtype("i8"), [Region(0, np.arange(4), (0, 4))], lambda _: 4, fmi.SUM)
    sending = CollectiveTask(engine, 1, 0, CALL, lookup("bcast", "flat").schedule(0, 3, 0, 1), space, range(3))
    assert sending.advance()
    assert sending.sent_bytes == 2 * 32
