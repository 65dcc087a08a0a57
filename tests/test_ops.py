"""Operators on objects and on arrays, against NumPy."""

from __future__ import annotations

import math
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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
    assert (a.tolist(), b.tolist()) == (
        np.array([0, 1, 2, 3, 1], char).tolist(),
        np.array([1, 0, 2, 1, 1], char).tolist(),
    )


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


def arrays(dtype):
    floating = np.dtype(dtype).kind in "fc"
    return hnp.arrays(dtype, 7, elements={"allow_nan": False, "allow_infinity": False} if floating else None)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([*UFUNCS]), st.sampled_from(["?", "i1", "u8", ">i4", "f2", "f4", ">f8", "c16"]))
def test_any_values_fold_as_numpy_does(data, name, dtype):
    op, (ufunc, allowed) = getattr(fmi, name), UFUNCS[name]
    if np.dtype(dtype).char not in allowed:
        return
    a, b = data.draw(arrays(dtype)), data.draw(arrays(dtype))
    out = np.empty_like(a)
    with np.errstate(all="ignore"):
        op.fold(a, b, out)
        want = ufunc(a, b).astype(dtype)
    assert out.tobytes() == want.tobytes()


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("dtype", ["S3", "U3", "M8[s]", "m8[s]", "V4", "O", PAIRS])
def test_what_is_no_number_is_refused_by_every_operator_on_numbers(name, dtype):
    with pytest.raises(ArgumentError, match=r"is not defined for .*bool, int8, uint8") as caught:
        getattr(fmi, name).check(np.dtype(dtype))
    assert (caught.value.argument, caught.value.value) == ("op", name)


def test_not_a_number_wins_as_in_numpy():
    out = np.empty(2)
    fmi.MIN.fold(np.array([np.nan, 1.0]), np.array([1.0, np.nan]), out)
    assert np.isnan(out).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=9), st.data())
@pytest.mark.parametrize(("op", "extreme"), [(fmi.MINLOC, min), (fmi.MAXLOC, max)])
def test_a_location_is_the_lowest_index_of_the_extreme_in_any_order_of_folds(op, extreme, values, data):
    pairs = [(value, index) for index, value in enumerate(values)]
    folds = [np.array([pair], PAIRS) for pair in pairs]
    objects = list(pairs)
    while len(objects) > 1:
        at = data.draw(st.integers(0, len(objects) - 2))
        objects[at : at + 2] = [op(*objects[at : at + 2])]
        out = np.empty(1, PAIRS)
        op.fold(folds[at + 1], folds[at], out)  # commutative: swapped on purpose
        folds[at : at + 2] = [out]
    assert objects[0] == (extreme(values), values.index(extreme(values)))
    assert folds[0][0].item() == objects[0]


def plain(a, b):
    return a - b


def into(a, b, out):
    np.subtract(a, b, out=out)


@pytest.mark.parametrize("function", [plain, into, np.subtract])
def test_a_fold_into_one_of_its_arguments_is_right_and_changes_nothing_else(function):
    op = Op(function)
    a, b = np.array([5.0, 7.0]), np.array([1.0, 3.0])
    for _ in range(2):  # how the function is called is found out once
        left, right = a.copy(), b.copy()
        op.fold(left, b, left)
        op.fold(a, right, right)
        assert left.tolist() == right.tolist() == [4, 4]
        assert (a.tolist(), b.tolist()) == ([5, 7], [1, 3])


def test_a_result_that_is_one_of_the_arguments_is_copied():
    a, b, out = np.array([1.0]), np.array([2.0]), np.zeros(1)
    Op(lambda x, y: y).fold(a, b, out)
    b[0] = 9
    assert out.tolist() == [2]


def test_a_result_of_a_smaller_type_of_the_same_kind_is_taken():
    assert fold(lambda a, b: (a + b).astype("i1"), np.array([1, 2]), np.array([3, 4])) == [4, 6]
    assert fold(lambda a, b: (a + b).astype("f8"), np.array([1, 2], "f4"), np.array([3, 4], "f4")) == [4, 6]


def test_an_operator_of_a_function_that_pickles_pickles():
    op = pickle.loads(pickle.dumps(Op(operator.sub, commutative=True, elementwise=True, name="minus")))
    assert (op(5, 3), op.commutative, op.elementwise, op.name) == (2, True, True, "minus")
    assert fold(pickle.loads(pickle.dumps(Op(np.subtract))), np.array([5]), np.array([3])) == [2]


def test_a_ufunc_that_cannot_fold_a_dtype_is_refused_but_a_functions_own_error_passes():
    whole = np.array([1, 2])
    with pytest.raises(ArgumentError, match="operator divide cannot fold int64"):
        as_op(np.true_divide).fold(whole, whole, whole.copy())

    def wrong(a, b, out):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        as_op(wrong).fold(whole, whole, whole.copy())
