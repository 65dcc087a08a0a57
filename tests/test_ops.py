"""Operators on objects and on arrays, against NumPy."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core.errors import ArgumentError
from fmi_core.ops import Op, as_op

NUMERIC = "?bBhHiIlLqQefdgFDG"
UFUNCS = {
    "SUM": (np.add, NUMERIC),
    "PROD": (np.multiply, NUMERIC),
    "MIN": (np.minimum, NUMERIC[:-3]),
    "MAX": (np.maximum, NUMERIC[:-3]),
    "LAND": (np.logical_and, NUMERIC),
    "LOR": (np.logical_or, NUMERIC),
    "LXOR": (np.logical_xor, NUMERIC),
    "BAND": (np.bitwise_and, "?bBhHiIlLqQ"),
    "BOR": (np.bitwise_or, "?bBhHiIlLqQ"),
    "BXOR": (np.bitwise_xor, "?bBhHiIlLqQ"),
}
PAIRS = np.dtype([("value", "f8"), ("index", "i4")])


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("char", NUMERIC)
def test_arrays_fold_as_numpy_does_in_place_too_or_are_refused(name, char):
    op = getattr(fmi, name)
    ufunc, allowed = UFUNCS[name]
    if char not in allowed:
        with pytest.raises(
            ArgumentError, match=f"operator {name} is not defined for {np.dtype(char)}; expected one of"
        ):
            op.check(np.dtype(char))
        return
    op.check(np.dtype(char))
    a = np.array([0, 1, 2, 3, 1], char)
    b = np.array([1, 0, 2, 1, 1], char)
    want = ufunc(a, b).astype(char)
    out = np.empty_like(a)
    op.fold(a, b, out)
    left, right = a.copy(), b.copy()
    op.fold(left, b, left)
    op.fold(a, right, right)
    for got in (out, left, right):
        assert got.dtype == want.dtype
        assert np.array_equal(got, want)


@pytest.mark.parametrize(
    ("name", "a", "b", "want"),
    [
        ("SUM", 2, 3, 5), ("SUM", "ab", "c", "abc"), ("SUM", [1], [2], [1, 2]), ("PROD", 2, 3, 6), ("MIN", 2, 3, 2),
        ("MAX", 2, 3, 3), ("LAND", 2, 0, False), ("LOR", 0, "x", True), ("LXOR", 1, 2, False), ("BAND", 6, 3, 2),
        ("BOR", 6, 3, 7), ("BXOR", 6, 3, 5), ("MINLOC", (2, 5), (2, 3), (2, 3)), ("MINLOC", [1, 9], (2, 3), (1, 9)),
        ("MAXLOC", (2, 5), (2, 3), (2, 3)), ("MAXLOC", (1, 9), (2, 3), (2, 3)),
    ],
)  # fmt: skip
def test_objects(name, a, b, want):
    assert getattr(fmi, name)(a, b) == want


def test_arrays_as_objects_fold_element_by_element():
    a, b = np.array([1, 5]), np.array([4, 2])
    assert fmi.MAX(a, b).tolist() == [4, 5]
    assert fmi.SUM(a, 1).tolist() == [2, 6]
    assert fmi.MIN(1, b).tolist() == [1, 1]


def test_the_first_of_equal_objects_is_kept():
    low, high = 1, True
    assert fmi.MIN(low, high) is low
    assert fmi.MAX(high, low) is high


@pytest.mark.parametrize(
    ("op", "want"), [(fmi.MINLOC, [(1, 2), (2, 0), (0, 4)]), (fmi.MAXLOC, [(1, 2), (3, 1), (5, 3)])]
)
def test_locations_in_arrays(op, want):
    op.check(PAIRS)
    a = np.array([(1, 3), (2, 0), (5, 3)], PAIRS)
    b = np.array([(1, 2), (3, 1), (0, 4)], PAIRS)
    for out in (np.empty_like(a), a.copy(), b.copy()):
        op.fold(a, b, out)
        assert out.tolist() == want


@pytest.mark.parametrize("dtype", ["f8", [("a", "f8")], [("a", "f8"), ("b", "i4"), ("c", "i4")]])
def test_locations_need_pairs(dtype):
    with pytest.raises(ArgumentError, match="expected a structured dtype of two fields"):
        fmi.MINLOC.check(np.dtype(dtype))


def test_predefined_operators_are_commutative_elementwise_and_pickle_to_themselves():
    for name in [*UFUNCS, "MINLOC", "MAXLOC"]:
        op = getattr(fmi, name)
        assert op.commutative
        assert op.elementwise
        assert pickle.loads(pickle.dumps(op)) is op
        assert repr(op) == f"fmi.{name}"


def test_a_callable_becomes_an_operator_that_keeps_order():
    def join(a, b):
        return a + b

    op = as_op(join)
    assert (op.commutative, op.elementwise) == (False, False)
    assert op.name.endswith("join")
    assert op("a", "b") == "ab"
    assert as_op(op) is op
    op.check(np.dtype("f8"))
    assert repr(Op(math.gcd, commutative=True)) == "fmi.Op(gcd, commutative=True)"
    assert Op(join, name="mine", elementwise=True).elementwise


def test_a_callable_object_is_named_by_its_class():
    class Fold:
        def __call__(self, a, b):
            return a

    assert Op(Fold()).name == "Fold"


@pytest.mark.parametrize("bad", [None, 3, "SUM"])
def test_what_cannot_be_called_is_no_operator(bad):
    with pytest.raises(ArgumentError, match=r"op is .*; expected fmi.SUM or another operator, or a callable") as caught:
        as_op(bad)
    assert caught.value.argument == "op"


def fold(op, a, b):
    out = np.zeros_like(a)
    as_op(op).fold(a, b, out)
    return out.tolist()


def test_functions_of_every_kind_fold_arrays():
    def with_out(a, b, out):
        np.subtract(a, b, out=out)

    a, b = np.array([5.0, 7.0]), np.array([1.0, 2.0])
    assert fold(lambda x, y: x - y, a, b) == [4, 5]
    assert fold(with_out, a, b) == [4, 5]
    assert fold(np.subtract, a, b) == [4, 5]
    assert fold(lambda x, y: [1, 2], a, b) == [1, 2]
    assert as_op(np.subtract).elementwise


def test_a_built_in_without_a_signature_is_called_with_two_values():
    class Strange:
        __signature__ = "none"

        def __call__(self, a, b):
            return b

    assert fold(Strange(), np.array([1]), np.array([2])) == [2]


@pytest.mark.parametrize("result", [lambda a, b: a[:1], lambda a, b: 1.5, lambda a, b: a + 1j, lambda a, b: ["x", "y"]])
def test_a_result_that_does_not_fit_is_refused(result):
    with pytest.raises(ArgumentError, match=r"returned shape .* expected shape \(2,\) of int64"):
        fold(result, np.array([1, 2]), np.array([3, 4]))
