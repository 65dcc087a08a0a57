"""MPI's datatypes, by MPI's names: what one element of a buffer is, and where elements lie.

A :class:`Datatype` is a NumPy dtype (the *base*), the offsets of the base elements that make up one
item, and the distance from one item to the next. NumPy is loaded when a dtype is first asked for.

Where the state lives: a datatype never changes, but for its name. ``_spec`` is what ``numpy.dtype``
takes; ``_offsets`` and ``_stride`` count in base elements, and are ``(0,)`` and 1 for a plain type.
Besides the names below, every constant of MPI's is public: ``DOUBLE``, ``INT``, ``C_BOOL``, …
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fmi_core.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ORDER_C", "ORDER_F", "ORDER_FORTRAN", "Datatype", "as_datatype", "predefined", "typedict"]

ORDER_C = 56
"""Row by row: the last index runs fastest."""
ORDER_FORTRAN = ORDER_F = 57
"""Column by column: the first index runs fastest."""

_PREDEFINED: dict[str, Datatype] = {}


class Datatype:
    """What one item of a message is made of.

    Args:
        name: MPI's name for it, such as ``MPI_DOUBLE``; empty for one that a program made.
        spec: what ``numpy.dtype`` takes for the base; a list of fields is laid out as a C struct.
        offsets: where in the item its base elements are, in base elements.
        stride: how many base elements lie between the beginnings of two items.
    """

    __slots__ = ("_dtype", "_offsets", "_spec", "_stride", "name")

    def __init__(self, name: str = "", spec: Any = "u1", offsets: Sequence[int] = (0,), stride: int = 1) -> None:
        self.name = name
        self._spec = spec
        self._offsets = offsets
        self._stride = stride
        self._dtype: np.dtype[Any] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of a base element."""
        if self._dtype is None:
            import numpy as np

            if self._spec is None:
                raise ArgumentError(
                    "datatype is MPI.DATATYPE_NULL; expected one such as MPI.DOUBLE", argument="datatype"
                )
            self._dtype = np.dtype(self._spec, align=isinstance(self._spec, list))
        return self._dtype

    @property
    def offsets(self) -> Sequence[int]:
        """Where in one item its base elements are, in base elements."""
        return self._offsets

    @property
    def stride(self) -> int:
        """How many base elements lie between the beginnings of two items."""
        return self._stride

    @property
    def dense(self) -> bool:
        """Whether items are base elements side by side, in order, without gaps."""
        return len(self._offsets) == self._stride and tuple(self._offsets) == tuple(range(self._stride))

    @property
    def size(self) -> int:
        """The bytes of data in one item, without gaps."""
        spec = self._spec
        if isinstance(spec, list):  # a pair has padding, which is no data
            return len(self._offsets) * sum(self.dtype[index].itemsize for index in range(len(spec)))
        return len(self._offsets) * self.dtype.itemsize

    @property
    def extent(self) -> int:
        """The bytes from the beginning of one item to the beginning of the next."""
        return self._stride * self.dtype.itemsize

    @property
    def lb(self) -> int:
        """Where an item begins, in bytes: always 0."""
        return 0

    @property
    def ub(self) -> int:
        """Where an item ends, in bytes."""
        return self.extent

    @property
    def typechar(self) -> str:
        """The character code of the base, as of :mod:`array` and NumPy."""
        return self.dtype.char

    @property
    def typestr(self) -> str:
        """The type string of the base, as in NumPy's array interface."""
        return self.dtype.str

    @property
    def is_named(self) -> bool:
        """Whether this is one of MPI's own."""
        return self.name in _PREDEFINED

    is_predefined = is_named

    @property
    def itemsize(self) -> int:
        """As :attr:`size`."""
        return self.size

    def Get_size(self) -> int:
        """As :attr:`size`."""
        return self.size

    def Get_extent(self) -> tuple[int, int]:
        """The lower bound and the extent, in bytes."""
        return 0, self.extent

    def Get_true_extent(self) -> tuple[int, int]:
        """Where the data of one item really begins, and how many bytes it spans."""
        if not self._offsets:
            return 0, 0
        first, last = min(self._offsets), max(self._offsets)
        return first * self.dtype.itemsize, (last + 1 - first) * self.dtype.itemsize

    def Get_name(self) -> str:
        """MPI's name for it, or the one that was set."""
        return self.name

    def Set_name(self, name: str) -> None:
        """Give a datatype of your own a name.

        Raises:
            ArgumentError: it is one of MPI's.
        """
        if self.is_named:
            raise ArgumentError(f"{self.name} is one of MPI's and keeps its name", argument="name", value=name)
        self.name = name

    def Commit(self) -> Datatype:
        """Nothing to do; gives the datatype itself."""
        return self

    def Free(self) -> None:
        """Nothing to do: memory is Python's."""

    def Dup(self) -> Datatype:
        """Another one like it."""
        return Datatype("", self._spec, self._offsets, self._stride)

    def tocode(self) -> str:
        """The type string of the base, as :attr:`typestr`."""
        return self.typestr

    @classmethod
    def fromcode(cls, code: str) -> Datatype:
        """The datatype of a type code, such as ``d`` or ``f8``."""
        return as_datatype(code)

    # --- made of others ---------------------------------------------------------------------------

    def Create_contiguous(self, count: int) -> Datatype:
        """``count`` items side by side as one."""
        return self._placed([index * self._stride for index in range(count)])

    def Create_vector(self, count: int, blocklength: int, stride: int) -> Datatype:
        """``count`` blocks of ``blocklength`` items; blocks begin ``stride`` items apart."""
        return self.Create_indexed([blocklength] * count, [index * stride for index in range(count)])

    def Create_hvector(self, count: int, blocklength: int, stride: int) -> Datatype:
        """As :meth:`Create_vector`, with ``stride`` in bytes."""
        return self.Create_hindexed([blocklength] * count, [index * stride for index in range(count)])

    def Create_indexed(self, blocklengths: Sequence[int], displacements: Sequence[int]) -> Datatype:
        """Blocks of ``blocklengths`` items, which begin ``displacements`` items from the item's beginning."""
        return self._placed(
            [
                (start + index) * self._stride
                for start, length in zip(displacements, blocklengths, strict=True)
                for index in range(length)
            ]
        )

    def Create_indexed_block(self, blocklength: int, displacements: Sequence[int]) -> Datatype:
        """As :meth:`Create_indexed`, with blocks of one length."""
        return self.Create_indexed([blocklength] * len(displacements), displacements)

    def Create_hindexed(self, blocklengths: Sequence[int], displacements: Sequence[int]) -> Datatype:
        """As :meth:`Create_indexed`, with ``displacements`` in bytes."""
        return self._placed(
            [
                self._whole(start, "displacement") + index * self._stride
                for start, length in zip(displacements, blocklengths, strict=True)
                for index in range(length)
            ]
        )

    def Create_subarray(
        self, sizes: Sequence[int], subsizes: Sequence[int], starts: Sequence[int], order: int = ORDER_C
    ) -> Datatype:
        """The part ``subsizes``, from ``starts`` on, of an array of shape ``sizes``; the item is the whole array.

        Raises:
            ArgumentError: the part is not within the array.
        """
        inside = all(
            start >= 0 and part > 0 and start + part <= size
            for size, part, start in zip(sizes, subsizes, starts, strict=True)
        )
        if not inside:
            raise ArgumentError(
                f"subsizes {list(subsizes)} from starts {list(starts)} is not within sizes {list(sizes)}",
                argument="subsizes",
                value=subsizes,
            )
        axes = list(zip(sizes, subsizes, starts, strict=True))
        offsets, total = [0], 1
        for size, part, start in axes if order == ORDER_FORTRAN else reversed(axes):  # the fastest axis first
            offsets = [(start + index) * total + inner for index in range(part) for inner in offsets]
            total *= size
        placed = self._placed([offset * self._stride for offset in offsets])
        return Datatype("", self._spec, placed.offsets, total * self._stride)

    def Create_resized(self, lb: int, extent: int) -> Datatype:
        """The same data, with items ``extent`` bytes apart; ``lb`` must be 0."""
        if lb:
            raise ArgumentError(f"lb is {lb}; expected 0: other lower bounds are not offered", argument="lb", value=lb)
        return Datatype("", self._spec, self._offsets, self._whole(extent, "extent"))

    @classmethod
    def Create_struct(
        cls, blocklengths: Sequence[int], displacements: Sequence[int], datatypes: Sequence[Datatype]
    ) -> Datatype:
        """Blocks of several datatypes, at ``displacements`` bytes; it is moved as bytes, and cannot be folded."""
        offsets: list[int] = []
        end = 0
        for length, start, datatype in zip(blocklengths, displacements, datatypes, strict=True):
            item = datatype.dtype.itemsize
            for index in range(length):
                for offset in datatype.offsets:
                    first = start + index * datatype.extent + offset * item
                    offsets.extend(range(first, first + item))
            end = max(end, start + length * datatype.extent)
        return cls("", "u1", offsets, end)

    def _placed(self, starts: Sequence[int]) -> Datatype:
        """Items at ``starts`` (in base elements) as one; it ends where the last of them ends."""
        offsets = [start + offset for start in starts for offset in self._offsets]
        if min(offsets, default=0) < 0:
            raise ArgumentError(
                f"an item would begin {min(offsets)} elements before its address; expected no negative displacement",
                argument="displacements",
                value=min(offsets),
            )
        stride = max(starts, default=-self._stride) + self._stride
        return Datatype("", self._spec, range(stride) if offsets == list(range(stride)) else offsets, stride)

    def _whole(self, nbytes: int, what: str) -> int:
        count, rest = divmod(nbytes, self.dtype.itemsize)
        if rest:
            raise ArgumentError(
                f"{what} is {nbytes} bytes; expected a multiple of the {self.dtype.itemsize} bytes of {self.dtype}",
                argument=what,
                value=nbytes,
            )
        return count

    def __repr__(self) -> str:
        if self.is_named:
            return self.name.replace("MPI_", "MPI.", 1)
        return f"<Datatype {self.name or 'unnamed'}: {len(self._offsets)} of {self._spec} in {self._stride}>"

    def __bool__(self) -> bool:
        return self._spec is not None

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self.is_named:
            return _named, (self.name,)
        return Datatype, (self.name, self._spec, self._offsets, self._stride)


def _named(name: str) -> Datatype:
    return _PREDEFINED[name]


def _make(name: str, spec: Any) -> Datatype:
    datatype = _PREDEFINED[f"MPI_{name}"] = Datatype(f"MPI_{name}", spec)
    return datatype


def _pair(name: str, value: str) -> Datatype:
    return _make(name, [("value", value), ("index", "i")])


DATATYPE_NULL = _make("DATATYPE_NULL", None)
PACKED = _make("PACKED", "u1")
BYTE = _make("BYTE", "u1")
AINT = _make("AINT", "p")
OFFSET = _make("OFFSET", "i8")
COUNT = _make("COUNT", "i8")
CHAR = _make("CHAR", "S1")
WCHAR = _make("WCHAR", "U1")
SIGNED_CHAR = _make("SIGNED_CHAR", "b")
SHORT = SIGNED_SHORT = _make("SHORT", "h")
INT = SIGNED_INT = _make("INT", "i")
LONG = SIGNED_LONG = _make("LONG", "l")
LONG_LONG = SIGNED_LONG_LONG = _make("LONG_LONG", "q")
UNSIGNED_CHAR = _make("UNSIGNED_CHAR", "B")
UNSIGNED_SHORT = _make("UNSIGNED_SHORT", "H")
UNSIGNED = UNSIGNED_INT = _make("UNSIGNED", "I")
UNSIGNED_LONG = _make("UNSIGNED_LONG", "L")
UNSIGNED_LONG_LONG = _make("UNSIGNED_LONG_LONG", "Q")
FLOAT = _make("FLOAT", "f")
DOUBLE = _make("DOUBLE", "d")
LONG_DOUBLE = _make("LONG_DOUBLE", "g")
C_BOOL = BOOL = _make("C_BOOL", "?")
INT8_T = SINT8_T = _make("INT8_T", "i1")
INT16_T = SINT16_T = _make("INT16_T", "i2")
INT32_T = SINT32_T = _make("INT32_T", "i4")
INT64_T = SINT64_T = _make("INT64_T", "i8")
UINT8_T = _make("UINT8_T", "u1")
UINT16_T = _make("UINT16_T", "u2")
UINT32_T = _make("UINT32_T", "u4")
UINT64_T = _make("UINT64_T", "u8")
C_FLOAT_COMPLEX = C_COMPLEX = _make("C_FLOAT_COMPLEX", "F")
C_DOUBLE_COMPLEX = _make("C_DOUBLE_COMPLEX", "D")
C_LONG_DOUBLE_COMPLEX = _make("C_LONG_DOUBLE_COMPLEX", "G")
CXX_BOOL = _make("CXX_BOOL", "?")
CXX_FLOAT_COMPLEX = _make("CXX_FLOAT_COMPLEX", "F")
CXX_DOUBLE_COMPLEX = _make("CXX_DOUBLE_COMPLEX", "D")
CXX_LONG_DOUBLE_COMPLEX = _make("CXX_LONG_DOUBLE_COMPLEX", "G")
SHORT_INT = _pair("SHORT_INT", "h")
INT_INT = TWOINT = _pair("2INT", "i")
LONG_INT = _pair("LONG_INT", "l")
FLOAT_INT = _pair("FLOAT_INT", "f")
DOUBLE_INT = _pair("DOUBLE_INT", "d")
LONG_DOUBLE_INT = _pair("LONG_DOUBLE_INT", "g")
CHARACTER = _make("CHARACTER", "S1")
LOGICAL = F_BOOL = _make("LOGICAL", "i4")
INTEGER = F_INT = _make("INTEGER", "i4")
REAL = F_FLOAT = _make("REAL", "f4")
DOUBLE_PRECISION = F_DOUBLE = _make("DOUBLE_PRECISION", "f8")
COMPLEX = F_COMPLEX = F_FLOAT_COMPLEX = _make("COMPLEX", "c8")
DOUBLE_COMPLEX = F_DOUBLE_COMPLEX = _make("DOUBLE_COMPLEX", "c16")
LOGICAL1 = _make("LOGICAL1", "i1")
LOGICAL2 = _make("LOGICAL2", "i2")
LOGICAL4 = _make("LOGICAL4", "i4")
LOGICAL8 = _make("LOGICAL8", "i8")
INTEGER1 = _make("INTEGER1", "i1")
INTEGER2 = _make("INTEGER2", "i2")
INTEGER4 = _make("INTEGER4", "i4")
INTEGER8 = _make("INTEGER8", "i8")
INTEGER16 = _make("INTEGER16", "V16")
REAL2 = _make("REAL2", "f2")
REAL4 = _make("REAL4", "f4")
REAL8 = _make("REAL8", "f8")
REAL16 = _make("REAL16", "g")
COMPLEX8 = _make("COMPLEX8", "c8")
COMPLEX16 = _make("COMPLEX16", "c16")
COMPLEX32 = _make("COMPLEX32", "G")

_BY_CHAR: dict[str, Datatype] = {
    "?": C_BOOL, "b": SIGNED_CHAR, "B": UNSIGNED_CHAR, "h": SHORT, "H": UNSIGNED_SHORT, "i": INT, "I": UNSIGNED,
    "l": LONG, "L": UNSIGNED_LONG, "q": LONG_LONG, "Q": UNSIGNED_LONG_LONG, "f": FLOAT, "d": DOUBLE, "g": LONG_DOUBLE,
    "F": C_FLOAT_COMPLEX, "D": C_DOUBLE_COMPLEX, "G": C_LONG_DOUBLE_COMPLEX, "c": CHAR, "p": AINT,
}  # fmt: skip


def typedict() -> dict[str, Datatype]:
    """Datatypes by type code: ``d``, and ``f8`` as well."""
    import numpy as np

    table = dict(_BY_CHAR)
    for char, datatype in _BY_CHAR.items():
        table.setdefault(np.dtype(char).str[1:], datatype)
    return table


def predefined() -> dict[str, Datatype]:
    """MPI's own datatypes by MPI's names, such as ``MPI_DOUBLE``."""
    return dict(_PREDEFINED)


def as_datatype(spec: Any) -> Datatype:
    """A datatype from a datatype, a type code such as ``d`` or ``f8``, or anything that ``numpy.dtype`` takes.

    Raises:
        ArgumentError: ``spec`` is none of them.
    """
    if isinstance(spec, Datatype):
        return spec
    import numpy as np

    try:
        dtype = np.dtype("S1" if spec == "c" else spec)
    except TypeError:
        dtype = None
    if dtype is None or spec is None or dtype.hasobject or not dtype.itemsize:
        raise ArgumentError(
            f"datatype is {spec!r}; expected one such as MPI.DOUBLE, a type code such as 'd', or a NumPy dtype",
            argument="datatype",
            value=spec,
        )
    native = dtype.isnative and dtype.names is None and dtype.subdtype is None
    known = _BY_CHAR.get("c" if dtype.str == "|S1" else dtype.char) if native else None
    return known or Datatype("", dtype)
