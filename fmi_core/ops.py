"""Reduction operators: the twelve of MPI, and any callable of two values.

An operator folds two *objects* (``op(a, b)``, for the lower-case methods) or two *arrays* into a
third (:meth:`Op.fold`, for the upper-case ones). All are taken as associative; only an operator
that says ``commutative=True`` may be applied out of rank order.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fmi_core.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "BAND", "BOR", "BXOR", "LAND", "LOR", "LXOR", "MAX", "MAXLOC", "MIN", "MINLOC", "NO_OP", "OP_NULL", "PROD",
    "REPLACE", "SUM", "Op", "as_op",
]  # fmt: skip

_NUMERIC = "?bBhHiIlLqQefdgFDG"
_ORDERED = "?bBhHiIlLqQefdg"
_INTEGERS = "?bBhHiIlLqQ"


class Op:
    """A reduction operator made from ``function(a, b)``.

    Args:
        function: takes two values, returns their combination. In upper-case calls the values are
            1-D NumPy arrays; a ufunc, or a function with a parameter ``out``, is given ``out=``.
        commutative: whether ``function(a, b) == function(b, a)``, so that order may be changed.
        elementwise: whether element i of the result depends only on elements i of the arguments, so
            that arrays may be folded in pieces; by default true of ufuncs only.
        name: what errors and tables call it; by default the function's own name.

    Raises:
        ArgumentError: ``function`` is not callable.
    """

    __slots__ = ("_function", "_takes_out", "commutative", "elementwise", "name")

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        commutative: bool = False,
        elementwise: bool | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(function):
            raise ArgumentError(
                f"op is {function!r}; expected fmi.SUM or another operator, or a callable of two values",
                argument="op",
                value=function,
            )
        self._function = function
        self._takes_out: bool | None = None
        self.commutative = commutative
        self.elementwise = _is_ufunc(function) if elementwise is None else elementwise
        self.name = name or getattr(function, "__qualname__", None) or type(function).__name__

    @classmethod
    def Create(cls, function: Callable[[Any, Any, Any], Any], commute: bool = False) -> Op:  # noqa: FBT001  # MPI's
        """An operator made from ``function`` as MPI calls it.

        Args:
            function: for the upper-case calls ``function(inbuf, inoutbuf, datatype)``, with both as the bytes
                of buffers, which leaves its result in ``inoutbuf``; for the lower-case ones
                ``function(a, b, None)``, which returns it. What comes first is from the lower ranks.
            commute: whether the order of the two does not matter.
        """
        return _UserOp(function, commute=bool(commute))

    def Free(self) -> None:
        """Nothing to do: memory is Python's."""

    def Is_commutative(self) -> bool:
        """As :attr:`commutative`."""
        return self.commutative

    @property
    def is_commutative(self) -> bool:
        """As :attr:`commutative`."""
        return self.commutative

    @property
    def is_predefined(self) -> bool:
        """Whether this is one of MPI's own."""
        return isinstance(self, _Predefined | _Location)

    def __call__(self, a: Any, b: Any) -> Any:
        """The fold of two objects; ``a`` comes from the lower ranks."""
        return self._function(a, b)

    def check(self, dtype: np.dtype[Any]) -> None:
        """Refuse a dtype that this operator cannot fold.

        Raises:
            ArgumentError: the operator is not defined for ``dtype``.
        """

    def fold(self, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        """``out[...] = a ⊕ b`` on 1-D arrays of one dtype and length; ``out`` may be ``a`` or ``b``.

        Raises:
            ArgumentError: the function's result does not fit ``out``, or a ufunc cannot fold the dtype.
        """
        if self._takes_out is None:
            self._takes_out = _takes_out(self._function)
        if self._takes_out:
            self._fold_out(a, b, out)
            return
        import numpy as np

        result = np.asarray(self._function(a, b))
        if result.shape != out.shape or not np.can_cast(result.dtype, out.dtype, "same_kind"):
            raise ArgumentError(
                f"operator {self.name} returned shape {result.shape} of {result.dtype}; "
                f"expected shape {out.shape} of {out.dtype}, an array like its two arguments",
                argument="op",
                value=self.name,
            )
        out[...] = result

    def _fold_out(self, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        try:
            self._function(a, b, out=out)
        except TypeError as error:
            if not _is_ufunc(self._function):  # the program's own error
                raise
            raise ArgumentError(
                f"operator {self.name} cannot fold {out.dtype} ({error}); "
                "expected arrays of a dtype that it maps to itself",
                argument="op",
                value=self.name,
            ) from None

    def __repr__(self) -> str:
        return f"fmi.Op({self.name}, commutative={self.commutative})"


class _Predefined(Op):
    """An operator of MPI: a Python function for objects, a ufunc for arrays, and the dtypes it takes."""

    __slots__ = ("_dtypes", "_ufunc", "_ufunc_name")

    def __init__(self, name: str, function: Callable[[Any, Any], Any], ufunc: str, dtypes: str) -> None:
        super().__init__(function, commutative=True, elementwise=True, name=name)
        self._ufunc_name = ufunc
        self._ufunc: Callable[..., Any] | None = None
        self._dtypes = dtypes

    def _load(self) -> Callable[..., Any]:
        import numpy as np

        ufunc: Callable[..., Any] = getattr(np, self._ufunc_name)
        self._ufunc = ufunc
        return ufunc

    def __call__(self, a: Any, b: Any) -> Any:
        if hasattr(a, "__array_ufunc__") or hasattr(b, "__array_ufunc__"):
            return (self._ufunc or self._load())(a, b)
        return self._function(a, b)

    def check(self, dtype: np.dtype[Any]) -> None:
        if dtype.char not in self._dtypes:
            raise ArgumentError(
                f"operator {self.name} is not defined for {dtype}; expected one of the dtypes "
                f"{_describe(self._dtypes)}",
                argument="op",
                value=self.name,
            )

    def fold(self, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        (self._ufunc or self._load())(a, b, out=out)

    def __repr__(self) -> str:
        return f"fmi.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class _Location(Op):
    """MINLOC or MAXLOC: the extreme value and the lowest index where it occurs.

    Objects are pairs ``(value, index)``. Arrays have a structured dtype of two fields, value first,
    such as ``[("value", "f8"), ("index", "i4")]``.
    """

    __slots__ = ("_better",)

    def __init__(self, name: str, better: Callable[[Any, Any], Any]) -> None:
        super().__init__(self._pick, commutative=True, elementwise=True, name=name)
        self._better = better

    def _pick(self, a: Any, b: Any) -> Any:
        if a[0] == b[0]:
            return (a[0], min(a[1], b[1]))
        return tuple(a) if self._better(a[0], b[0]) else tuple(b)

    def check(self, dtype: np.dtype[Any]) -> None:
        if dtype.names is None or len(dtype.names) != 2:
            raise ArgumentError(
                f"operator {self.name} is not defined for {dtype}; expected a structured dtype of two "
                "fields, such as [('value', 'f8'), ('index', 'i4')]",
                argument="op",
                value=self.name,
            )

    def fold(self, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        import numpy as np

        assert a.dtype.names is not None  # check() saw to it
        value, index = a.dtype.names
        lower_index = (a[value] == b[value]) & (a[index] <= b[index])
        out[...] = np.where(self._better(a[value], b[value]) | lower_index, a, b)

    def __repr__(self) -> str:
        return f"fmi.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class _UserOp(Op):
    """An operator made by :meth:`Op.Create`."""

    __slots__ = ()

    def __init__(self, function: Callable[[Any, Any, Any], Any], *, commute: bool) -> None:
        super().__init__(function, commutative=commute, elementwise=False)

    def __call__(self, a: Any, b: Any) -> Any:
        return self._function(a, b, None)

    def fold(self, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        import numpy as np

        from fmi_core.datatypes import as_datatype

        # The function changes its second argument: b may only be lent to it where the result belongs.
        inout = out if b is out or (b.ctypes.data == out.ctypes.data and b.nbytes == out.nbytes) else b.copy()
        inbuf = a.copy() if a is out and inout is out else a
        self._function(inbuf.view(np.uint8).data, inout.view(np.uint8).data, as_datatype(a.dtype))
        if inout is not out:
            out[...] = inout


class _Special(Op):
    """REPLACE, NO_OP, or OP_NULL: for one-sided calls only, which are not offered, or for nothing."""

    __slots__ = ()

    def __init__(self, name: str, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(function, commutative=False, elementwise=True, name=name)

    def check(self, dtype: np.dtype[Any]) -> None:
        raise ArgumentError(
            f"operator {self.name} cannot fold {dtype}; expected SUM or another operator",
            argument="op",
            value=self.name,
        )

    def __call__(self, a: Any, b: Any) -> Any:
        if self.name == "OP_NULL":
            raise ArgumentError("operator OP_NULL is none; expected SUM or another operator", argument="op")
        return super().__call__(a, b)

    def __bool__(self) -> bool:
        return self.name != "OP_NULL"

    def __repr__(self) -> str:
        return f"fmi.{self.name}"

    def __reduce__(self) -> str:
        return self.name


def _is_ufunc(function: Callable[..., Any]) -> bool:
    return hasattr(function, "nin") and hasattr(function, "nout")  # without importing NumPy


def _takes_out(function: Callable[..., Any]) -> bool:
    if _is_ufunc(function):
        return True
    try:
        return "out" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a built-in without a signature
        return False


def _describe(chars: str) -> str:
    import numpy as np

    return ", ".join(dict.fromkeys(np.dtype(char).name for char in chars))


def _land(a: Any, b: Any) -> bool:
    return bool(a) and bool(b)


def _lor(a: Any, b: Any) -> bool:
    return bool(a) or bool(b)


def _lxor(a: Any, b: Any) -> bool:
    return bool(a) != bool(b)


SUM = _Predefined("SUM", operator.add, "add", _NUMERIC)
PROD = _Predefined("PROD", operator.mul, "multiply", _NUMERIC)
MIN = _Predefined("MIN", min, "minimum", _ORDERED)
MAX = _Predefined("MAX", max, "maximum", _ORDERED)
LAND = _Predefined("LAND", _land, "logical_and", _NUMERIC)
LOR = _Predefined("LOR", _lor, "logical_or", _NUMERIC)
LXOR = _Predefined("LXOR", _lxor, "logical_xor", _NUMERIC)
BAND = _Predefined("BAND", operator.and_, "bitwise_and", _INTEGERS)
BOR = _Predefined("BOR", operator.or_, "bitwise_or", _INTEGERS)
BXOR = _Predefined("BXOR", operator.xor, "bitwise_xor", _INTEGERS)
MINLOC = _Location("MINLOC", operator.lt)
MAXLOC = _Location("MAXLOC", operator.gt)
REPLACE = _Special("REPLACE", lambda _a, b: b)
NO_OP = _Special("NO_OP", lambda a, _b: a)
OP_NULL = _Special("OP_NULL", lambda a, _b: a)


def as_op(op: Op | Callable[[Any, Any], Any]) -> Op:
    """``op`` itself if it is an operator, else one made of it: associative, not commutative.

    Raises:
        ArgumentError: ``op`` is neither an operator nor callable.
    """
    return op if isinstance(op, Op) else Op(op)
