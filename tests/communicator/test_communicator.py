"""The communicator as a whole: identity, names, its end."""

from __future__ import annotations

import pytest

import fmi_core as fmi
from fmi_core.testing import outcomes, run


def test_identity():
    def program(comm):
        assert (comm.Get_rank(), comm.Get_size(), comm.Get_name()) == (comm.rank, comm.size, "world")
        return repr(comm)

    assert run(2, program) == [f"<fmi world: rank {rank} of 2 over memory>" for rank in range(2)]


def test_the_time_out_is_checked():
    def program(comm):
        for bad in (0, -1.0, float("nan")):
            with pytest.raises(fmi.ArgumentError, match="timeout_s is"):
                comm.timeout_s = bad
        comm.timeout_s = 7
        return comm.timeout_s

    assert run(1, program) == [7]


def test_close_is_idempotent_and_fail_after_it_does_nothing():
    def program(comm):
        comm.close()
        comm.close()
        comm.fail("too late")
        return comm.closed

    assert run(2, program) == [True, True]


def test_a_with_statement_that_ends_by_sys_exit_zero_ends_well():
    def program(comm):
        raise SystemExit(0 if comm.rank else None)

    assert [str(outcome.error) for outcome in outcomes(2, program)] == ["None", "0"]


def test_a_failure_that_the_program_was_told_of_is_not_told_again_at_the_end():
    def program(comm):
        if comm.rank == 0:
            raise ValueError("broken")
        with pytest.raises(fmi.PeerLostError):
            comm.barrier()
        return "went on"

    assert outcomes(2, program)[1].value == "went on"


def test_a_failure_that_nobody_was_told_of_is_told_at_the_end():
    def program(comm):
        if comm.rank == 0:
            raise ValueError("broken")

    error = outcomes(2, program)[1].error
    assert isinstance(error, fmi.PeerLostError)
    assert (error.rank, error.reason) == (0, "it failed: ValueError: broken")


def test_abort_in_its_mpi_spelling():
    def program(comm):
        if comm.rank == 0:
            comm.Abort(5)
        comm.barrier()

    first, second = outcomes(2, program)
    assert isinstance(first.error, SystemExit)
    assert first.error.code == 5
    assert isinstance(second.error, fmi.AbortedError)
    assert (second.error.rank, second.error.code) == (0, 5)


def test_a_communicator_is_not_entered_after_its_end():
    comm = fmi.init()
    comm.close()
    with pytest.raises(fmi.FmiError, match="is closed"), comm:
        pass


def test_two_calls_of_long_descriptions_are_remembered_within_bounds():
    def program(comm):
        import numpy as np

        for count in range(1500):
            comm.Bcast(np.zeros(count, "u1"))
        return len(comm._calls)

    assert run(1, program)[0] <= 1024
