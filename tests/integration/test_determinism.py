"""Floating-point results: the same bits on all ranks, and again in the next run, by every algorithm."""

from __future__ import annotations

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.collectives import catalog
from fmi_core.selection.select import Selector
from fmi_core.testing import run


def _all_reductions(comm):
    """Each algorithm's result on fractions that no order of adding keeps."""
    mine = np.random.default_rng(comm.rank).standard_normal(999) * 10.0 ** np.arange(999 % 7, 999 % 7 + 999 % 9 + 1)[0]
    results = {}
    for collective in ("allreduce", "reduce", "reduce_scatter", "scan"):
        for algorithm in catalog()[collective]:
            if algorithm.why_not(comm.size) is not None:
                continue
            tune = {collective: f"{algorithm.name}/3"}
            comm._selector = Selector(comm.size, comm._selector._model, 2, tune)
            out = np.zeros(999)
            if collective == "allreduce":
                comm.Allreduce(mine, out)
            elif collective == "reduce":
                comm.Reduce(mine, out)
            elif collective == "scan":
                comm.Scan(mine, out)
            else:
                comm.Reduce_scatter_block(np.tile(mine, comm.size), out)
            results[collective, algorithm.name] = out.tobytes()
    return results


@pytest.mark.parametrize("ranks", [2, 3, 5, 8])
def test_results_have_the_same_bits_on_all_ranks_and_in_every_run(ranks):
    first = run(ranks, _all_reductions)
    again = run(ranks, _all_reductions)
    over_sockets = run(ranks, _all_reductions, channel="unix")
    assert first == again == over_sockets
    for key, bits in first[0].items():
        if key[0] == "allreduce":
            assert all(results[key] == bits for results in first), key


def test_algorithms_do_differ_in_bits_so_that_the_test_above_can_fail():
    bits = {bits for key, bits in run(5, _all_reductions)[0].items() if key[0] == "allreduce"}
    assert len(bits) > 1


def test_the_default_choice_is_deterministic_too():
    def program(comm):
        x = np.random.default_rng(comm.rank).standard_normal(50_000)
        comm.Allreduce(fmi.IN_PLACE, x)
        return x.tobytes()

    results = run(4, program, channel="tcp")
    assert len(set(results)) == 1
    assert run(4, program, channel="tcp") == results
