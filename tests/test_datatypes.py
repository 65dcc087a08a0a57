"""Datatypes: names, sizes, layouts, and what stands for one."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from fmi_core import ArgumentError, datatypes
from fmi_core.datatypes import Datatype, as_datatype, predefined, typedict

KNOWN = [datatype for datatype in predefined().values() if datatype]


def test_importing_them_does_not_import_numpy():
    code = "import sys, fmi_core.datatypes as d; d.DOUBLE.Create_contiguous(3); print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [
        (datatypes.BYTE, "u1"),
        (datatypes.CHAR, "S1"),
        (datatypes.INT, np.intc),
        (datatypes.LONG, np.int_),
        (datatypes.UNSIGNED_LONG_LONG, np.ulonglong),
        (datatypes.FLOAT, "f4"),
        (datatypes.DOUBLE, "f8"),
        (datatypes.LONG_DOUBLE, np.longdouble),
        (datatypes.C_BOOL, "?"),
        (datatypes.INT64_T, "i8"),
        (datatypes.C_DOUBLE_COMPLEX, "c16"),
        (datatypes.DOUBLE_PRECISION, "f8"),
        (datatypes.AINT, np.intp),
    ],
)
def test_a_datatype_is_a_dtype(datatype, dtype):
    assert datatype.dtype == np.dtype(dtype)
    assert datatype.Get_size() == datatype.size == datatype.itemsize == np.dtype(dtype).itemsize
    assert datatype.Get_extent() == datatype.Get_true_extent() == (0, datatype.extent)
    assert (datatype.lb, datatype.ub) == (0, datatype.extent)
    assert datatype.typechar == np.dtype(dtype).char
    assert datatype.typestr == datatype.tocode() == np.dtype(dtype).str


@pytest.mark.parametrize("datatype", KNOWN, ids=str)
def test_every_known_one_is_itself_after_pickling_and_keeps_its_name(datatype):
    assert pickle.loads(pickle.dumps(datatype)) is datatype
    assert datatype.is_named
    assert datatype.is_predefined
    assert datatype.Get_name().startswith("MPI_")
    assert repr(datatype).startswith("MPI.")
    assert datatype.dense
    assert datatype.Commit() is datatype
    datatype.Free()
    with pytest.raises(ArgumentError, match="keeps its name"):
        datatype.Set_name("mine")


def test_aliases_are_the_same_object():
    assert datatypes.BOOL is datatypes.C_BOOL
    assert datatypes.TWOINT is datatypes.INT_INT
    assert datatypes.F_DOUBLE is datatypes.DOUBLE_PRECISION


@pytest.mark.parametrize(("pair", "size", "extent"), [("DOUBLE_INT", 12, 16), ("FLOAT_INT", 8, 8), ("SHORT_INT", 6, 8)])
def test_pairs_are_laid_out_as_in_c(pair, size, extent):
    datatype = getattr(datatypes, pair)
    assert (datatype.Get_size(), datatype.Get_extent()) == (size, (0, extent))
    assert datatype.dtype.names == ("value", "index")


def test_null_is_false_and_has_no_dtype():
    assert not datatypes.DATATYPE_NULL
    with pytest.raises(ArgumentError, match="DATATYPE_NULL"):
        _ = datatypes.DATATYPE_NULL.dtype


@pytest.mark.parametrize(
    ("made", "offsets", "stride"),
    [
        (lambda t: t.Create_contiguous(3), [0, 1, 2], 3),
        (lambda t: t.Create_contiguous(0), [], 0),
        (lambda t: t.Create_vector(3, 2, 4), [0, 1, 4, 5, 8, 9], 10),
        (lambda t: t.Create_hvector(2, 1, 24), [0, 3], 4),
        (lambda t: t.Create_indexed([2, 1], [4, 0]), [4, 5, 0], 6),
        (lambda t: t.Create_indexed_block(2, [3, 0]), [3, 4, 0, 1], 5),
        (lambda t: t.Create_hindexed([1, 2], [8, 24]), [1, 3, 4], 5),
        (lambda t: t.Create_subarray([3, 4], [2, 2], [1, 1]), [5, 6, 9, 10], 12),
        (lambda t: t.Create_subarray([3, 4], [2, 2], [1, 1], datatypes.ORDER_F), [4, 5, 7, 8], 12),
        (lambda t: t.Create_vector(2, 1, 3).Create_resized(0, 8), [0, 3], 1),
        (lambda t: t.Create_contiguous(2).Create_vector(2, 1, 2), [0, 1, 4, 5], 6),
        (lambda t: t.Dup(), [0], 1),
    ],
)
def test_layouts_of_made_datatypes(made, offsets, stride):
    datatype = made(datatypes.DOUBLE).Commit()
    assert (list(datatype.offsets), datatype.stride) == (offsets, stride)
    assert (datatype.Get_size(), datatype.Get_extent()) == (8 * len(offsets), (0, 8 * stride))
    assert datatype.dense == (offsets == list(range(stride)))
    again = pickle.loads(pickle.dumps(datatype))
    assert (list(again.offsets), again.stride, again.dtype) == (offsets, stride, datatype.dtype)
    assert "unnamed" in repr(datatype)


def test_a_struct_is_bytes_with_gaps():
    datatype = Datatype.Create_struct([1, 2], [0, 8], [datatypes.CHAR, datatypes.INT])
    assert list(datatype.offsets) == [0, *range(8, 16)]
    assert (datatype.Get_size(), datatype.extent, datatype.dtype) == (9, 16, np.dtype("u1"))


def test_the_true_extent_is_that_of_the_data():
    assert datatypes.INT.Create_subarray([4], [2], [1]).Get_true_extent() == (4, 8)
    assert datatypes.INT.Create_contiguous(0).Get_true_extent() == (0, 0)


def test_a_made_datatype_may_have_a_name():
    datatype = datatypes.INT.Create_contiguous(2)
    datatype.Set_name("pair")
    assert datatype.Get_name() == "pair"
    assert "pair" in repr(datatype)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda t: t.Create_subarray([3], [3], [1]), "not within sizes"),
        (lambda t: t.Create_resized(8, 8), "lb is 8"),
        (lambda t: t.Create_resized(0, 12), "expected a multiple of the 8 bytes"),
        (lambda t: t.Create_hvector(2, 1, 3), "displacement is 3 bytes"),
        (lambda t: t.Create_indexed([1], [-2]), "no negative displacement"),
    ],
)
def test_bad_layouts_are_refused(make, text):
    with pytest.raises(ArgumentError, match=text):
        make(datatypes.DOUBLE)


@pytest.mark.parametrize(
    ("spec", "datatype"),
    [
        (datatypes.INT, datatypes.INT),
        ("d", datatypes.DOUBLE),
        ("i4", datatypes.INT),
        ("c", datatypes.CHAR),
        ("S1", datatypes.CHAR),
        (np.float32, datatypes.FLOAT),
        (np.dtype("?"), datatypes.C_BOOL),
        (float, datatypes.DOUBLE),
    ],
)
def test_what_stands_for_a_datatype(spec, datatype):
    assert as_datatype(spec) is datatype
    if isinstance(spec, str):
        assert Datatype.fromcode(spec) is datatype


@pytest.mark.parametrize("spec", [">f8", [("a", "f8"), ("b", "i4")], "f2", "S5"])
def test_other_dtypes_become_datatypes_of_their_own(spec):
    datatype = as_datatype(spec)
    assert datatype.dtype == np.dtype(spec)
    assert not datatype.is_named


@pytest.mark.parametrize("spec", ["nonsense", None, "O", "S", 3])
def test_nonsense_is_no_datatype(spec):
    with pytest.raises(ArgumentError, match=r"expected one such as MPI\.DOUBLE"):
        as_datatype(spec)


def test_the_table_of_type_codes():
    table = typedict()
    assert table["d"] is table["f8"] is datatypes.DOUBLE
    assert table["?"] is datatypes.C_BOOL
