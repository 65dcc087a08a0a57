"""Persistent requests: each call, started again and again."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.communicator.requests import Prequest
from fmi_core.testing import run


def collectives(comm, data, out):
    """Every persistent collective: how it is made, and the blocking call that it stands for."""
    p = comm.size
    mine, one = data[:2], out[:2]
    counts = [1] * p
    words = [data, counts, range(0, 8 * p, 8), ["d"] * p], [out, counts, range(0, 8 * p, 8), ["d"] * p]
    yield "Barrier", []
    yield "Bcast", [out, 0]
    yield "Scatter", [data, out[:1], 0]
    yield "Scatterv", [[data, counts], out[:1], 0]
    yield "Gather", [data[:1], out, 0]
    yield "Gatherv", [data[:1], [out, counts], 0]
    yield "Allgather", [data[:1], out]
    yield "Allgatherv", [data[:1], [out, counts]]
    yield "Alltoall", [data, out]
    yield "Alltoallv", [[data, counts], [out, counts]]
    yield "Alltoallw", list(words)
    yield "Reduce", [mine, one, fmi.SUM, 0]
    yield "Allreduce", [mine, one, fmi.SUM]
    yield "Reduce_scatter_block", [data, out[:1], fmi.SUM]
    yield "Reduce_scatter", [data, out[:1], counts, fmi.SUM]
    yield "Reduce_scatter", [data, out[:1]]
    yield "Scan", [mine, one, fmi.SUM]
    yield "Exscan", [mine, one, fmi.SUM]


def test_every_collective_can_be_started_again():
    def program(comm):
        data, out, wanted = np.zeros(4), np.zeros(4), np.zeros(4)
        for (name, arguments), (_, blocking) in zip(
            collectives(comm, data, out), collectives(comm, data, wanted), strict=True
        ):
            request = getattr(comm, name + "_init")(*arguments)
            assert isinstance(request, Prequest)
            for turn in range(3):
                data[:] = np.arange(4) + 10 * comm.rank + 100 * turn
                out[:] = wanted[:] = -1 if comm.rank else turn
                request.Start()
                request.Wait()
                getattr(comm, name)(*blocking)
                assert np.array_equal(out, wanted), (name, turn)
            request.Free()

    run(4, program)


@pytest.mark.parametrize("make", ["Send_init", "Ssend_init", "Bsend_init", "Rsend_init"])
@pytest.mark.parametrize("channel", ["memory", "unix"])
def test_messages_around_a_ring(make, channel):
    def program(comm):
        p, me = comm.size, comm.rank
        out, came = np.zeros(2), np.zeros(2)
        requests = [
            comm.Recv_init(came, (me - 1) % p, 3),
            getattr(comm, make)([out, 2, "d"], (me + 1) % p, 3),
        ]
        seen = []
        for turn in range(3):
            out[:] = 10 * turn + me
            Prequest.Startall(requests)
            statuses = []
            fmi.Request.Waitall(requests, statuses)
            assert (statuses[0].source, statuses[0].tag) == ((me - 1) % p, 3)
            seen.append(came[0])
        return seen

    assert run(3, program, channel=channel) == [[2, 12, 22], [0, 10, 20], [1, 11, 21]]


def test_persistent_messages_to_nobody():
    def program(comm):
        requests = [comm.Send_init(None, fmi.PROC_NULL), comm.Recv_init(None, fmi.PROC_NULL)]
        Prequest.Startall(requests)
        return fmi.Request.waitall(requests)

    assert run(1, program) == [[None, None]]


def test_bad_arguments_are_refused_at_once():
    def program(comm):
        for make in (
            lambda: comm.Send_init("text", 0),
            lambda: comm.Send_init(np.zeros(1), 5),
            lambda: comm.Ssend_init(np.zeros(1), 0, -4),
            lambda: comm.Recv_init(b"read-only", 0),
            lambda: comm.Recv_init(np.zeros(1), 7),
        ):
            with pytest.raises(fmi.ArgumentError):
                make()

    run(1, program)
