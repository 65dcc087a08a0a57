"""Buffer arguments in all their forms."""

from __future__ import annotations

import array

import numpy as np
import pytest

from fmi_core import ArgumentError, UnsupportedError, datatypes
from fmi_core.communicator.specs import array_of, parts_of, strided_of, vector_of

DATA = np.arange(12.0)


class Interface:
    """Only the array interface."""

    def __init__(self, data):
        self.data = data
        self.__array_interface__ = data.__array_interface__


class Exchange:
    """Only DLPack, of before or after 1.0."""

    def __init__(self, data, *, old, device=None):
        self.data = data
        self.old = old
        self.device = device

    def __dlpack__(self, **options):
        if self.old and options:
            raise TypeError("no options yet")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device or self.data.__dlpack_device__()


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (DATA, DATA),
        ([DATA], DATA),
        ([DATA, datatypes.DOUBLE], DATA),
        ([DATA, "d"], DATA),
        ([DATA, np.dtype("f8")], DATA),
        ((DATA, np.float64), DATA),
        ([DATA, 3], DATA[:3]),
        ([DATA, np.int32(3)], DATA[:3]),
        ([DATA, (3, 2)], DATA[2:5]),
        ([DATA, [3, None]], DATA[:3]),
        ([DATA, 3, datatypes.DOUBLE], DATA[:3]),
        ([DATA, (3, 2), "d"], DATA[2:5]),
        ([DATA, (3, None), "d"], DATA[:3]),
        ([DATA, 3, 2, "d"], DATA[2:5]),
        ([DATA, 0, "d"], DATA[:0]),
        ([DATA, 2, datatypes.DOUBLE.Create_contiguous(3)], DATA[:6]),
        ([DATA, datatypes.DOUBLE.Create_contiguous(3)], DATA),
        ([DATA, (1, 2), datatypes.DOUBLE.Create_contiguous(3)], DATA[6:9]),
        ([DATA.reshape(3, 4), 5], DATA[:5]),
        ([array.array("d", DATA), 5], DATA[:5]),
        ([None, 0], np.empty(0, "u1")),
        ([None, 0, "d"], np.empty(0)),
        ([None, datatypes.INT], np.empty(0, "i4")),
    ],
)
def test_a_spec_stands_for_an_array(spec, wanted):
    got = array_of(spec, name="sendbuf")
    assert got.dtype == wanted.dtype
    assert got.tolist() == wanted.tolist()


def test_the_array_is_over_the_same_memory():
    data = np.zeros(6)
    array_of([data, (2, 3), datatypes.DOUBLE], name="buf", writable=True)[:] = 7
    array_of([data, datatypes.BYTE], name="buf", writable=True)[0] = 1
    assert data[3:].tolist() == [7, 7, 0]
    assert data[0] != 0


def test_a_count_is_that_of_one_block():
    assert array_of([DATA, 2, "d"], name="buf", blocks=4).size == 8
    assert array_of([DATA, "d"], name="buf", blocks=4).size == 12


def test_memory_is_seen_as_the_datatype_says():
    assert array_of([DATA, datatypes.INT], name="buf").size == 24
    assert array_of([b"abcd", datatypes.CHAR], name="buf").tolist() == [b"a", b"b", b"c", b"d"]


def test_a_pair_of_other_names_is_left_as_it_is():
    packed = np.zeros(3, [("x", "f8"), ("rank", "i4")])
    assert array_of([packed, datatypes.DOUBLE_INT], name="buf").dtype == packed.dtype
    other = np.zeros(4, [("x", "i4"), ("y", "i4")])
    assert array_of([other, datatypes.DOUBLE_INT], name="buf").dtype == datatypes.DOUBLE_INT.dtype
    assert array_of([np.zeros(4, "i4,i4,i4,i4"), datatypes.DOUBLE_INT], name="buf").size == 4


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ([1, 2], "sendbuf is list; expected a NumPy array"),
        ([], "sendbuf is a list of 0 items"),
        ([DATA, 1, 2, 3, 4], "sendbuf is a list of 5 items"),
        ("text", "sendbuf is str"),
        (["text", 1], "sendbuf is str"),
        ([DATA, -1], "the count -1"),
        ([DATA, 1.5], "the count 1.5"),
        ([DATA, (1, -2)], "the displacement -2"),
        ([DATA, (None, 2)], "a displacement but no count"),
        ([DATA, 13], "12 elements of float64; expected at least 13"),
        ([DATA, (3, 10)], "expected at least 13"),
        ([None, 2], "is None, but has a count of 2"),
        ([DATA, 1, "nonsense"], "datatype is 'nonsense'"),
        ([np.zeros(5, "u1"), datatypes.INT], "5 bytes; expected a multiple of 4"),
        ([np.zeros(5), datatypes.DOUBLE.Create_contiguous(2)], "5 elements; expected a multiple of the 2"),
    ],
)
def test_bad_specs_are_refused(spec, text):
    with pytest.raises(ArgumentError, match="expected" if not text else text.replace("(", r"\(")):
        array_of(spec, name="sendbuf")


# --- objects without the buffer protocol ----------------------------------------------------------


def test_the_array_interface_is_taken():
    data = np.zeros(3)
    array_of(Interface(data), name="buf", writable=True)[:] = 5
    assert data.tolist() == [5, 5, 5]


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("shape", [(4,), (2, 2), (0,)])
def test_dlpack_is_taken_and_can_be_written(old, shape):
    data = np.ones(shape, "f4")
    got = array_of(Exchange(data, old=old), name="buf", writable=data.size > 0)
    if data.size:
        got[0] = 5
        assert data.reshape(-1)[0] == 5
    assert got.dtype == np.float32


def test_read_only_dlpack_stays_read_only():
    data = np.ones(3)
    data.flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        array_of(Exchange(data, old=False), name="buf", writable=True)


def test_pinned_memory_is_the_hosts():
    assert array_of(Exchange(np.ones(3), old=False, device=(3, 1)), name="buf").tolist() == [1, 1, 1]


def test_memory_of_another_device_is_refused():
    with pytest.raises(ArgumentError, match=r"device \(2, 0\); copy it to the host"):
        array_of(Exchange(np.ones(3), old=False, device=(2, 0)), name="buf")


# --- datatypes with gaps --------------------------------------------------------------------------


def test_a_column_is_packed_and_unpacked():
    matrix = np.arange(12.0).reshape(3, 4)
    column = datatypes.DOUBLE.Create_vector(3, 1, 4)
    assert array_of([matrix, 1, column], name="buf").tolist() == [0, 4, 8]
    assert array_of([matrix.reshape(-1)[1:], 1, column], name="buf").tolist() == [1, 5, 9]
    packed, unpack = strided_of([matrix, 1, column], name="buf", writable=True)
    packed[:] = -1
    unpack(2)
    assert matrix[:, 0].tolist() == [-1, -1, 8]


@pytest.mark.parametrize(
    ("datatype", "size", "items"),
    [
        (datatypes.DOUBLE.Create_vector(2, 1, 2), 6, 2),  # 0 2 | 3 5
        (datatypes.DOUBLE.Create_vector(2, 1, 2), 2, 0),
        (datatypes.DOUBLE.Create_vector(2, 1, 2).Create_resized(0, 8), 5, 3),
        (datatypes.DOUBLE.Create_vector(2, 1, 2).Create_resized(0, 0), 5, 0),
        (datatypes.DOUBLE.Create_contiguous(0), 5, 0),
    ],
)
def test_without_a_count_as_many_items_as_fit(datatype, size, items):
    assert strided_of([np.arange(float(size)), datatype], name="buf").array.size == items * len(datatype.offsets)


def test_what_a_datatype_with_gaps_cannot_do():
    column = datatypes.DOUBLE.Create_vector(3, 1, 4)
    with pytest.raises(UnsupportedError, match="recvbuf has a datatype with gaps"):
        array_of([np.zeros(12), 1, column], name="recvbuf", writable=True)
    with pytest.raises(UnsupportedError, match="calls with one count a rank"):
        vector_of([np.zeros(12), [1, 1], column], name="recvbuf", blocks=2)
    with pytest.raises(ArgumentError, match="reach element 8"):
        array_of([np.zeros(8), 1, column], name="buf")


# --- one count a rank -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "counts", "displs"),
    [
        (DATA, [4, 4, 4], [0, 4, 8]),
        (DATA[:11], [4, 4, 3], [0, 4, 8]),
        ([DATA, "d"], [4, 4, 4], [0, 4, 8]),
        ([DATA, [1, 2, 3]], [1, 2, 3], [0, 1, 3]),
        ([DATA, (1, 2, 3)], [1, 2, 3], [0, 1, 3]),
        ([DATA, np.array([1, 2, 3])], [1, 2, 3], [0, 1, 3]),
        ([DATA, 2], [2, 2, 2], [0, 2, 4]),
        ([DATA, (2, 4)], [2, 2, 2], [0, 4, 8]),
        ([DATA, ([1, 2, 3], [9, 0, 5])], [1, 2, 3], [9, 0, 5]),
        ([DATA, ([1, 2, 3], None), "d"], [1, 2, 3], [0, 1, 3]),
        ([DATA, [[1, 2, 3], [9, 0, 5]], "d"], [1, 2, 3], [9, 0, 5]),
        ([DATA, [1, 2, 3], [9, 0, 5], "d"], [1, 2, 3], [9, 0, 5]),
        ([DATA, [1, 0, 1], datatypes.DOUBLE.Create_contiguous(2)], [2, 0, 2], [0, 2, 2]),
        ([None, [0, 0, 0]], [0, 0, 0], [0, 0, 0]),
    ],
)
def test_a_vector_has_a_part_for_each_rank(spec, counts, displs):
    vector = vector_of(spec, name="sendbuf", blocks=3)
    assert (list(vector.counts), list(vector.displs)) == (counts, displs)
    assert [vector.part(rank).size for rank in range(3)] == counts


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ([DATA, [1, 2]], "the counts of sendbuf"),
        ([DATA, [1, 2, -3]], "the counts of sendbuf"),
        ([DATA, [1, 2, "x"]], "the counts of sendbuf"),
        ([DATA, 1.5], "the counts of sendbuf: 1.5"),
        ([DATA, ([1, 2, 3], [0, 1])], "the displacements of sendbuf"),
        ([DATA, ([1, 2, 3], -1)], "the displacement -1"),
        ([DATA, [4, 4, 5]], "12 items; the part of rank 2 is 5 items from 8 on"),
        ([None, [0, 1, 0]], "0 items; the part of rank 1"),
    ],
)
def test_bad_vectors_are_refused(spec, text):
    with pytest.raises(ArgumentError, match=text):
        vector_of(spec, name="sendbuf", blocks=3)


def test_one_number_stands_for_all():
    assert parts_of(4, 3, "counts") == [4, 4, 4]
    assert parts_of([], 0, "counts") == []
