"""Buffers without copies, objects with their buffers beside them."""

from __future__ import annotations

import array
import contextlib
import ctypes
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fmi_core as fmi
from fmi_core.errors import ArgumentError, IntegrityError
from fmi_core.payload import allocate, as_array, as_bytes, decode, encode, gather, pack, scatter, unpack

WRITABLE = [
    np.arange(6.0),
    np.arange(6, dtype="i2").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(3),
    np.zeros((0, 4)),
    np.zeros(2, [("a", "f8"), ("b", "i4")]),
    np.zeros(3, "M8[s]"),
    bytearray(b"abc"),
    array.array("h", [1, 2]),
    (ctypes.c_double * 3)(1, 2, 3),
    memoryview(bytearray(b"xy")),
]


@pytest.mark.parametrize("buffer", WRITABLE, ids=lambda buffer: type(buffer).__name__)
def test_a_buffer_is_viewed_flat_and_in_place(buffer):
    flat = as_array(buffer, name="buf", writable=True)
    whole = np.asarray(buffer)
    assert flat.ndim == 1
    assert (flat.size, flat.dtype) == (whole.size, whole.dtype)
    assert flat.size == 0 or np.shares_memory(flat, whole)
    view = as_bytes(flat)
    assert (view.nbytes, view.format, view.readonly) == (whole.nbytes, "B", False)


def test_fortran_order_is_the_order_of_memory():
    a = np.asfortranarray([[1, 2], [3, 4]])
    assert as_array(a, name="buf").tolist() == [1, 3, 2, 4]


@pytest.mark.parametrize("buffer", [b"abc", np.float64(3), memoryview(b"x")])
def test_what_is_read_only_can_be_sent_but_not_filled(buffer):
    assert as_array(buffer, name="sendbuf").size
    with pytest.raises(ArgumentError, match="recvbuf is read-only; expected memory that can be written") as caught:
        as_array(buffer, name="recvbuf", writable=True)
    assert caught.value.argument == "recvbuf"


@pytest.mark.parametrize(
    ("buffer", "text"),
    [
        (np.arange(10)[::2], r"of shape \(5,\) and strides \(16,\) is not contiguous; pass numpy.ascontiguousarray"),
        (np.zeros((4, 4))[:, 1:3], "is not contiguous"),
        (np.array([object()]), "holds Python objects"),
        ([1, 2], "buf is list; expected a NumPy array or another object with the buffer protocol"),
        (None, "buf is NoneType"),
        ("text", "buf is str"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_to_do(buffer, text):
    with pytest.raises(ArgumentError, match=text):
        as_array(buffer, name="buf")


OBJECTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner)),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(OBJECTS)
def test_any_object_comes_back_equal(value):
    assert decode(gather(encode(value))) == value


def test_arrays_travel_beside_the_pickle_without_a_copy_and_come_back_aligned_and_writable():
    value = {"odd": bytearray(b"x" * 13), "a": np.arange(1000.0), "b": np.ones(3, "c16"), "empty": np.zeros(0)}
    views = encode(value)
    assert any(view.nbytes == 8000 and np.shares_memory(np.asarray(view), value["a"]) for view in views)
    back = decode(gather(views))
    for name in ("a", "b", "empty"):
        assert np.array_equal(back[name], value[name])
    assert back["odd"] == value["odd"]
    for name in ("a", "b"):
        assert back[name].flags.aligned
        back[name] += 1


def test_what_cannot_be_pickled_says_so():
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        encode(lambda: None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=40), max_size=3), min_size=1, max_size=6))
def test_parts_come_apart_as_they_were_packed(parts):
    views = pack([[memoryview(piece) for piece in part] for part in parts])
    assert [bytes(part) for part in unpack(gather(views))] == [b"".join(part) for part in parts]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_damaged_parts_are_an_integrity_error(data):
    with contextlib.suppress(IntegrityError):
        assert sum(part.nbytes for part in unpack(memoryview(data))) <= len(data)


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_truncated_object_is_an_integrity_error(cut):
    whole = gather(encode("some text"))
    with pytest.raises(IntegrityError):
        unpack(whole[:-cut])


@pytest.mark.parametrize("nbytes", [0, 10, 4096, 100_000])
def test_fresh_memory_can_be_written(nbytes):
    view = allocate(nbytes)
    assert (view.nbytes, view.readonly) == (nbytes, False)


def test_memory_needs_no_numpy():
    code = (
        "import sys, fmi_core.payload as p; assert p.allocate(9999).nbytes == 9999; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_scatter_fills_views_in_order_and_leaves_the_rest():
    memory = bytearray(b".........")
    views = [memoryview(memory)[:2], memoryview(memory)[2:2], memoryview(memory)[2:]]
    scatter(memoryview(b"abcde"), views)
    assert memory == b"abcde...."


def test_in_place_is_one_object_everywhere():
    assert pickle.loads(pickle.dumps(fmi.IN_PLACE)) is fmi.IN_PLACE
    assert repr(fmi.IN_PLACE) == "fmi.IN_PLACE"
