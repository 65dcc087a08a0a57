"""Buffer arguments: what upper-case calls accept as a buffer, and the array that it stands for.

A *spec* is a buffer alone, or a list or tuple of it with more::

    buf
    [buf, datatype]
    [buf, count]                      [buf, counts]
    [buf, (count, displ)]             [buf, (counts, displs)]
    [buf, count, datatype]            [buf, counts, datatype]
    [buf, (count, displ), datatype]   [buf, (counts, displs), datatype]
    [buf, count, displ, datatype]     [buf, counts, displs, datatype]

The right column is for the calls with one count for each rank. Counts and displacements are in items
of the datatype; a datatype is a :class:`~fmi_core.datatypes.Datatype`, a type code or a NumPy dtype.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fmi_core.datatypes import BYTE, Datatype, as_datatype
from fmi_core.errors import ArgumentError, UnsupportedError
from fmi_core.payload import Array, as_array

__all__ = ["Strided", "Vector", "array_of", "parts_of", "split_counts", "strided_of", "vector_of"]


class Vector(NamedTuple):
    """An array of which rank ``i`` has ``counts[i]`` elements from ``displs[i]`` on."""

    array: Array
    counts: Sequence[int]
    displs: Sequence[int]

    def part(self, rank: int) -> Array:
        """What belongs to ``rank``."""
        return self.array[self.displs[rank] : self.displs[rank] + self.counts[rank]]


class Strided(NamedTuple):
    """A contiguous array for a message, and what to call when it was received (``None``: nothing)."""

    array: Array
    unpack: Callable[[int], None] | None


class _Spec(NamedTuple):
    """A spec taken apart; ``array`` is all of the memory, as base elements."""

    array: Array
    datatype: Datatype
    counts: Any
    displs: Any


def array_of(spec: Any, *, name: str, writable: bool = False, blocks: int = 1) -> Array:
    """The 1-D array that ``spec`` stands for, over the same memory.

    Args:
        spec: see the module's docstring.
        name: what an error calls it, such as ``sendbuf``.
        writable: whether the memory will be written.
        blocks: how many blocks there are; a count is that of one block.

    Raises:
        ArgumentError: the spec or its buffer cannot be used; says why.
        UnsupportedError: a datatype with gaps is to be received by a collective.
    """
    if type(spec) is not list and type(spec) is not tuple:
        return as_array(spec, name=name, writable=writable)
    array, unpack = strided_of(spec, name=name, writable=writable, blocks=blocks)
    if unpack is not None:
        raise UnsupportedError(
            f"{name} has a datatype with gaps, into which only Recv, Irecv, Sendrecv and Alltoallw can receive; "
            "receive into a contiguous array, and copy it from there",
            feature="receiving into a datatype with gaps",
        )
    return array


def strided_of(spec: Any, *, name: str, writable: bool = False, blocks: int = 1) -> Strided:
    """As :func:`array_of`, for datatypes with gaps too: those are packed, and unpacked when ``writable``."""
    if type(spec) is not list and type(spec) is not tuple:
        return Strided(as_array(spec, name=name, writable=writable), None)
    parsed = _parse(spec, name, writable=writable)
    datatype = parsed.datatype
    displ = 0 if parsed.displs is None else _number(parsed.displs, name, "displacement")
    if parsed.counts is None:
        if parsed.displs is not None:
            raise ArgumentError(f"{name} has a displacement but no count; give both", argument=name, value=displ)
        count = _all_items(parsed, name) if datatype.dense else _items(parsed, name)
    else:
        count = blocks * _number(parsed.counts, name, "count")
    if datatype.dense:
        part = _slice(parsed, displ * datatype.stride, count * datatype.stride, name)
        return Strided(part, None)
    return _gapped(parsed, displ, count, name, writable=writable)


def vector_of(spec: Any, *, name: str, blocks: int, writable: bool = False) -> Vector:
    """The array with one part for each of ``blocks`` ranks that ``spec`` stands for.

    Without counts, the elements are shared out evenly, the first ranks have one more; without
    displacements, parts lie side by side.

    Raises:
        ArgumentError: the spec or its buffer cannot be used, or the parts are not within it.
    """
    parsed = _parse(spec, name, writable=writable)
    unit = parsed.datatype.stride
    if not parsed.datatype.dense:
        raise UnsupportedError(
            f"{name} has a datatype with gaps, which calls with one count a rank cannot move; "
            "use Alltoallw, or move a contiguous copy",
            feature="datatypes with gaps in vector collectives",
        )
    if parsed.counts is None:
        each, more = divmod(_items(parsed, name), blocks)
        counts = [each + (rank < more) for rank in range(blocks)]
    else:
        counts = parts_of(parsed.counts, blocks, f"the counts of {name}")
    if parsed.displs is None:
        displs = [0]
        for count in counts[:-1]:
            displs.append(displs[-1] + count)
    elif _is_number(parsed.displs):
        displs = [rank * _number(parsed.displs, name, "displacement") for rank in range(blocks)]
    else:
        displs = parts_of(parsed.displs, blocks, f"the displacements of {name}")
    for rank, (count, displ) in enumerate(zip(counts, displs, strict=True)):
        if count and (displ + count) * unit > parsed.array.size:
            raise ArgumentError(
                f"{name} has {parsed.array.size // unit} items; the part of rank {rank} is {count} items from "
                f"{displ} on, which is not within it",
                argument=name,
                value=displ + count,
            )
    if unit != 1:
        counts = [count * unit for count in counts]
        displs = [displ * unit for displ in displs]
    return Vector(parsed.array, counts, displs)


def parts_of(values: Any, blocks: int, what: str) -> list[int]:
    """``values`` as one number for each of ``blocks`` ranks, none negative; one number stands for all.

    Raises:
        ArgumentError: they are not.
    """
    if _is_number(values):
        values = [values] * blocks
    try:
        numbers = [operator.index(value) for value in values]
    except TypeError:
        numbers = []
    if len(numbers) != blocks or min(numbers, default=0) < 0:
        shown = list(values) if hasattr(values, "__iter__") else values
        raise ArgumentError(
            f"{what}: {shown!r}; expected {blocks} whole numbers, one for each rank, none negative",
            argument=what,
            value=values,
        )
    return numbers


# --- taking a spec apart --------------------------------------------------------------------------


def _parse(spec: Any, name: str, *, writable: bool) -> _Spec:
    if isinstance(spec, list | tuple) and spec and isinstance(spec[0], int | float | complex):
        as_array(spec, name=name)  # a list of numbers is no buffer, which this says
    buf, counts, displs, kind = _fields(spec, name)
    datatype = None if kind is None else as_datatype(kind)
    if buf is None:
        import numpy as np

        datatype = datatype or BYTE
        if _is_number(counts) and counts:
            raise ArgumentError(f"{name} is None, but has a count of {counts}; expected a buffer", argument=name)
        return _Spec(np.empty(0, datatype.dtype), datatype, counts, displs)
    array = as_array(buf, name=name, writable=writable)
    if datatype is None:
        datatype = Datatype("", array.dtype)
    elif array.dtype != datatype.dtype and not _same_pair(array.dtype, datatype.dtype):
        array = _seen_as(array, datatype, name)
    return _Spec(array, datatype, counts, displs)


def _fields(spec: Any, name: str) -> tuple[Any, Any, Any, Any]:
    """Buffer, counts, displacements and datatype; ``None`` for what is not there."""
    match list(spec) if type(spec) is list or type(spec) is tuple else [spec]:
        case [buf]:
            return buf, None, None, None
        case [buf, (Datatype() | str() | type()) as kind]:
            return buf, None, None, kind
        case [buf, counts] if _is_dtype(counts):
            return buf, None, None, counts
        case [buf, counts]:
            return buf, *split_counts(counts), None
        case [buf, counts, kind]:
            return buf, *split_counts(counts), kind
        case [buf, counts, displs, kind]:
            return buf, counts, displs, kind
        case fields:
            raise ArgumentError(
                f"{name} is a {type(spec).__name__} of {len(fields)} items; expected a buffer, or [buffer, datatype], "
                "[buffer, count], [buffer, count, datatype] or [buffer, (counts, displacements), datatype]",
                argument=name,
                value=spec,
            )


def split_counts(counts: Any) -> tuple[Any, Any]:
    """Counts and displacements, from a pair of them or from counts alone."""
    if type(counts) is tuple and len(counts) == 2:
        return counts
    if type(counts) is list and len(counts) == 2 and not all(map(_is_number, counts)):
        return counts[0], counts[1]
    return counts, None


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") and not getattr(value, "ndim", 0)


def _is_dtype(value: Any) -> bool:
    return hasattr(value, "itemsize") and hasattr(value, "kind") and hasattr(value, "newbyteorder")


def _number(value: Any, name: str, what: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise ArgumentError(
            f"{name} has the {what} {value!r}; expected a whole number that is not negative", argument=name, value=value
        )
    return number


def _same_pair(a: Any, b: Any) -> bool:
    """Whether both are structures of the same fields, maybe of other names: as for MINLOC and MAXLOC."""
    if a.names is None or b.names is None or len(a.names) != len(b.names):
        return False
    return all(a[index] == b[index] for index in range(len(a.names)))


def _seen_as(array: Array, datatype: Datatype, name: str) -> Array:
    """The same memory as elements of another dtype."""
    rest = array.nbytes % datatype.dtype.itemsize
    if rest:
        raise ArgumentError(
            f"{name} has {array.nbytes} bytes; expected a multiple of {datatype.dtype.itemsize}, as of {datatype}",
            argument=name,
            value=array.nbytes,
        )
    return array.view(datatype.dtype)


# --- how much of it -------------------------------------------------------------------------------


def _items(spec: _Spec, name: str) -> int:
    """How many whole items the buffer has room for; the gap at the end of the last one may be missing."""
    datatype = spec.datatype
    if datatype.dense:
        return _all_items(spec, name)
    span = max(datatype.offsets, default=-1) + 1
    if not datatype.stride or spec.array.size < span:
        return 0
    return 1 + (spec.array.size - span) // datatype.stride


def _all_items(spec: _Spec, name: str) -> int:
    if not spec.datatype.stride:
        return 0
    count, rest = divmod(spec.array.size, spec.datatype.stride)
    if rest:
        raise ArgumentError(
            f"{name} has {spec.array.size} elements; expected a multiple of the {spec.datatype.stride} of its datatype",
            argument=name,
            value=spec.array.size,
        )
    return count


def _slice(spec: _Spec, start: int, count: int, name: str) -> Array:
    if count and start + count > spec.array.size:
        raise ArgumentError(
            f"{name} has {spec.array.size} elements of {spec.array.dtype}; expected at least {start + count}, "
            "by its count and displacement",
            argument=name,
            value=spec.array.size,
        )
    return spec.array[start : start + count]


def _gapped(spec: _Spec, displ: int, count: int, name: str, *, writable: bool) -> Strided:
    import numpy as np

    datatype, memory = spec.datatype, spec.array
    starts = (displ + np.arange(count)) * datatype.stride
    index = (starts[:, None] + np.asarray(datatype.offsets, dtype=np.intp)[None, :]).reshape(-1)
    if index.size and index.max() >= memory.size:
        raise ArgumentError(
            f"{name} has {memory.size} elements of {memory.dtype}; its datatype and count reach element {index.max()}",
            argument=name,
            value=memory.size,
        )
    packed = memory[index]
    if not writable:
        return Strided(packed, None)

    def unpack(elements: int) -> None:
        memory[index[:elements]] = packed[:elements]

    return Strided(packed, unpack)
