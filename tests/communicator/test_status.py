"""What is known of a message."""

from __future__ import annotations

import numpy as np

import fmi_core as fmi
from fmi_core import datatypes
from fmi_core.testing import run


def test_a_status_is_read_and_set():
    status = fmi.Status()
    status.Set_source(1)
    status.Set_tag(2)
    status.Set_error(3)
    status.Set_cancelled(True)
    status.count = 24
    assert (status.Get_source(), status.Get_tag(), status.Get_error()) == (1, 2, 3)
    assert status.Is_cancelled()
    assert status.count == status.Get_count() == status.nbytes == 24
    assert status.Get_count(datatypes.DOUBLE) == status.Get_count("d") == status.Get_count(np.float64) == 3
    assert status.Get_count(datatypes.DOUBLE.Create_contiguous(2)) == fmi.UNDEFINED
    assert status.Get_count(datatypes.DOUBLE.Create_contiguous(0)) == 0
    assert status.Get_elements(datatypes.DOUBLE.Create_contiguous(2)) == 3
    status.Set_elements(datatypes.INT, 5)
    assert status.Get_elements(datatypes.INT) == 5
    assert status.Get_elements(datatypes.DOUBLE) == fmi.UNDEFINED
    status.Set_count(datatypes.INT.Create_contiguous(2), 2)
    assert status.nbytes == 16
    assert repr(status) == "Status(source=1, tag=2, nbytes=16)"


def test_the_count_of_pairs_is_that_of_items():
    def program(comm):
        pairs = np.zeros(3, datatypes.DOUBLE_INT.dtype)
        comm.Isend([pairs, datatypes.DOUBLE_INT], 0)
        status = fmi.Status()
        comm.Recv([np.empty_like(pairs), datatypes.DOUBLE_INT], 0, status=status)
        return status.Get_count(datatypes.DOUBLE_INT)

    assert run(1, program) == [3]
