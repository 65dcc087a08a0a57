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
from hypothesis.extra import numpy as hnp

import fmi_core as fmi
from fmi_core.errors import ArgumentError, IntegrityError
from fmi_core.payload import _Capsule, allocate, as_array, as_bytes, decode, encode, gather, pack, scatter, unpack

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
    memoryview(bytearray(4)).cast("?"),
    np.zeros((1, 3))[:, ::1],
    np.zeros(5)[1:4],
    np.zeros((2, 2), ">c16"),
    np.ones((2, 2)).view(np.matrix),
    np.ma.MaskedArray([1, 2]),
    np.rec.array([(1, 2.0)]),
]


@pytest.mark.parametrize("buffer", WRITABLE, ids=lambda buffer: type(buffer).__name__)
def test_a_buffer_is_viewed_flat_and_in_place(buffer):
    flat = as_array(buffer, name="buf", writable=True)
    whole = np.asarray(buffer)
    assert flat.ndim == 1
    assert (flat.size, flat.dtype) == (whole.size, whole.dtype)
    assert flat.size == 0 or np.shares_memory(flat, whole)
    view = as_bytes(flat)
    assert type(view) is memoryview
    assert view.ndim == 1
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
        (3.5, "buf is float; .*for Python objects, use the lower-case method"),
        (np.zeros(2, [("a", "O")]), "holds Python objects"),
        (np.arange(3)[::-1], "is not contiguous"),
        (np.broadcast_to(np.zeros(1), (3,)), "is not contiguous"),
        (memoryview(bytearray(6))[::2], "is not contiguous"),
        ((ctypes.py_object * 2)(), "holds Python objects"),
        (memoryview(bytearray(16)).cast("P"), r"elements of format 'P', which NumPy does not know .* cast it: memory"),
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


class Bits(ctypes.Structure):
    _fields_ = (("low", ctypes.c_int, 3), ("high", ctypes.c_int, 5))


@pytest.mark.filterwarnings("ignore:A builtin ctypes object gave")  # NumPy, before it refuses
def test_fields_of_bits_are_refused_as_they_are_and_taken_as_bytes():
    bits = (Bits * 2)()
    with pytest.raises(ArgumentError, match="which NumPy does not know") as caught:
        as_array(bits, name="buf")
    assert caught.value.argument == "buf"
    flat = as_array(memoryview(bits).cast("B"), name="buf", writable=True)
    flat[:4] = (5, 0, 0, 0)
    assert bits[0].low == -3  # 101 in three bits


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_view_is_taken_in_the_order_of_memory_or_refused_never_copied(data):
    base = np.arange(60, dtype="i2").reshape(3, 4, 5)
    view = base.transpose(data.draw(st.permutations(range(3))))[data.draw(hnp.basic_indices(base.shape[:1]))]
    view = np.asarray(view)
    try:
        flat = as_array(view, name="buf", writable=True)
    except ArgumentError:
        assert not view.flags.forc
        return
    assert flat.shape == (view.size,)
    assert sorted(flat.tolist()) == sorted(view.ravel().tolist())
    assert flat.size == 0 or (np.shares_memory(flat, view) and flat.strides == (2,))


class Interface:
    """What says where its memory is, as images and data frames of other libraries do."""

    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


class Tensor:
    """What lends its memory by DLPack, from before 1.0 or since."""

    def __init__(self, array, *, old=False, device=(1, 0)):
        self._array = array
        self._old = old
        self._device = device

    def __dlpack__(self, **options):
        if self._old and options:
            raise TypeError("no such argument")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._device


@pytest.mark.parametrize(
    "lend",
    [Interface, Tensor, lambda a: Tensor(a, old=True), lambda a: Tensor(a, device=(3, 1))],
    ids=["interface", "dlpack", "old dlpack", "pinned"],
)
def test_memory_that_is_lent_is_written_in_place(lend):
    memory = np.arange(6.0).reshape(2, 3)
    flat = as_array(lend(memory), name="buf", writable=True)
    flat[4] = 40
    assert memory.tolist() == [[0, 1, 2], [3, 40, 5]]
    assert as_bytes(flat).nbytes == 48


def test_memory_that_is_lent_lives_as_long_as_what_was_made_of_it():
    for old in (False, True):
        flat = as_array(Tensor(np.arange(1000.0), old=old), name="buf")
        others = [np.zeros(1000) for _ in range(20)]
        assert flat.tolist() == list(range(1000))
        del others


def test_an_empty_tensor_is_an_empty_buffer():
    assert as_array(Tensor(np.zeros(0), old=True), name="buf").size == 0


def test_memory_of_another_device_is_refused():
    with pytest.raises(ArgumentError, match=r"Tensor in the memory of device \(2, 0\); copy it to the host first"):
        as_array(Tensor(np.zeros(2), device=(2, 0)), name="buf")


ARRAYS = hnp.arrays(
    st.sampled_from(["?", "i1", ">u2", "f4", "f8", "g", "c16", "M8[s]", "U2", [("a", "i1"), ("b", "f8")]]),
    hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=6),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ARRAYS, min_size=1, max_size=4), st.binary(max_size=40), st.booleans())
def test_arrays_of_every_kind_come_back_aligned_and_writable_in_the_messages_memory(given_arrays, odd, fortran):
    sent = [np.asfortranarray(a) if fortran else a for a in given_arrays]
    data = gather(encode([bytearray(odd), *sent]))
    _, *back = decode(data)
    for one, other in zip(sent, back, strict=True):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        assert other.flags.writeable
        assert other.flags.aligned
        assert not np.shares_memory(one, other)
        if one.size > 1 and one.dtype.kind != "M":  # those are pickled in place
            assert np.shares_memory(other, np.asarray(data))


def test_a_read_only_array_comes_back():
    frozen = np.arange(5000)
    frozen.flags.writeable = False
    assert np.array_equal(decode(gather(encode(frozen))), frozen)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_to_the_table_of_parts_is_an_integrity_error_or_only_other_parts(data):
    whole = bytearray(gather(encode([np.arange(40.0), b"x" * 30, np.ones(9, "i2")])))
    table = 8 * (1 + len(unpack(memoryview(whole))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, table - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for damaged in (memoryview(whole), memoryview(whole)[:cut]):
        with contextlib.suppress(IntegrityError):
            assert sum(part.nbytes for part in unpack(damaged)) <= damaged.nbytes


@pytest.mark.parametrize("count", [0, 1 << 60, (1 << 64) - 1])
def test_an_absurd_number_of_parts_takes_no_memory(count):
    with pytest.raises(IntegrityError, match="damaged table of parts"):
        unpack(memoryview(count.to_bytes(8, "little") + bytes(40)))


def test_what_is_left_over_is_an_integrity_error():
    with pytest.raises(IntegrityError, match=r"a message has \d+ bytes, but its parts need"):
        unpack(gather([*encode("text"), memoryview(b"more")]))


def test_gathered_memory_is_fresh():
    memory = bytearray(b"abc")
    data = gather([memoryview(memory)[1:], memoryview(memory)[:1], memoryview(b"")])
    memory[:] = b"xyz"
    assert bytes(data) == b"bca"
    assert not data.readonly


@pytest.mark.parametrize("nbytes", [16, 500, 4000, 5000])
def test_fresh_memory_is_aligned_for_every_dtype(nbytes):
    assert all(np.asarray(allocate(nbytes)).ctypes.data % 16 == 0 for _ in range(20))


@pytest.mark.parametrize(("device", "want"), [((1, 3), (1, 3)), ((3, 2), (1, 0)), ((13, 0), (1, 0))])
def test_memory_that_the_processor_reaches_is_the_processors_to_numpy(device, want):
    assert _Capsule(None, device).__dlpack_device__() == want


def test_memory_that_is_gone_is_said():
    view = memoryview(bytearray(b"abc"))
    view.release()
    with pytest.raises(ArgumentError, match="buf is memoryview whose memory is gone"):
        as_array(view, name="buf")
