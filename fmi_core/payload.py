"""What a message carries: arrays without a copy, objects as pickles with their buffers beside them."""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fmi_core.errors import ArgumentError, IntegrityError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "IN_PLACE",
    "Array",
    "InPlace",
    "View",
    "allocate",
    "as_array",
    "as_bytes",
    "decode",
    "encode",
    "gather",
    "pack",
    "scatter",
    "serialize_with",
    "unpack",
]

View: TypeAlias = memoryview
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class InPlace:
    """The type of :data:`IN_PLACE`."""

    def __repr__(self) -> str:
        return "fmi.IN_PLACE"

    def __reduce__(self) -> str:
        return "IN_PLACE"


IN_PLACE: Final = InPlace()
"""Given as the send buffer: take the data from the receive buffer, where the result goes too."""


def as_array(buffer: object, *, name: str, writable: bool = False) -> Array:
    """``buffer`` as a 1-D array over the same memory: no copy is ever made.

    Args:
        buffer: a NumPy array (C or Fortran order) or anything with the buffer protocol.
        name: what an error calls it, such as ``sendbuf``.
        writable: whether the memory will be written.

    Raises:
        ArgumentError: no buffer, not contiguous, read-only where it must be written, or Python
            objects inside; the error says what to do.
    """
    import numpy as np

    array = np.asarray(buffer) if isinstance(buffer, np.ndarray) else _from_protocol(buffer, name)
    if array.dtype.hasobject:
        raise ArgumentError(
            f"{name} holds Python objects ({array.dtype}); use the lower-case method, or an array of numbers",
            argument=name,
            value=array.dtype,
        )
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
    elif array.flags.f_contiguous:
        flat = array.reshape(-1, order="F")
    else:
        raise ArgumentError(
            f"{name} of shape {array.shape} and strides {array.strides} is not contiguous; "
            "pass numpy.ascontiguousarray(...), and copy the result back if it is a receive buffer",
            argument=name,
            value=array.shape,
        )
    if writable and not flat.flags.writeable:
        raise ArgumentError(
            f"{name} is read-only; expected memory that can be written, such as a NumPy array or a bytearray",
            argument=name,
            value=type(buffer).__name__,
        )
    return flat


def _from_protocol(buffer: object, name: str) -> Array:
    import numpy as np

    try:
        view = memoryview(buffer)  # type: ignore[arg-type]  # this is the check
    except ValueError as error:
        raise ArgumentError(
            f"{name} is {type(buffer).__name__} whose memory is gone ({error}); "
            "expected one that is not released or closed",
            argument=name,
            value=type(buffer).__name__,
        ) from None
    except TypeError:
        if hasattr(buffer, "__array_interface__"):
            return np.asarray(buffer)
        if hasattr(buffer, "__dlpack__") and hasattr(buffer, "__dlpack_device__"):
            return _from_dlpack(buffer, name)
        raise ArgumentError(
            f"{name} is {type(buffer).__name__}; expected a NumPy array or another object with the buffer "
            "protocol (for Python objects, use the lower-case method)",
            argument=name,
            value=buffer,
        ) from None
    try:
        return np.asarray(view)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{name} has elements of format {view.format!r}, which NumPy does not know ({error}); "
            "cast it: memoryview(x).cast('B')",
            argument=name,
            value=view.format,
        ) from None


_DLPACK_HOST: Final = frozenset({1, 3, 11, 13})
"""Kinds of memory that the processor reaches: its own, and what CUDA and ROCm pin or manage for it."""


class _Capsule:
    """A DLPack capsule as NumPy takes it."""

    def __init__(self, capsule: Any, device: tuple[int, int]) -> None:
        self._capsule = capsule
        self._device = device

    def __dlpack__(self, *, stream: None = None, **_: object) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0 if self._device[0] != 1 else self._device[1]


def _from_dlpack(buffer: Any, name: str) -> Array:
    import ctypes

    import numpy as np

    device = buffer.__dlpack_device__()
    if device[0] not in _DLPACK_HOST:
        raise ArgumentError(
            f"{name} is {type(buffer).__name__} in the memory of device {tuple(device)}; copy it to the host first",
            argument=name,
            value=type(buffer).__name__,
        )
    try:
        capsule = buffer.__dlpack__(max_version=(1, 0))
    except TypeError:  # from before DLPack 1.0
        capsule = buffer.__dlpack__()
    # Before 1.0 a capsule did not say whether memory may be written; NumPy then forbids it, MPI does not.
    silent = '"dltensor"' in repr(capsule)
    array: Array = np.from_dlpack(_Capsule(capsule, device))
    if silent and array.flags.c_contiguous and array.nbytes:
        memory = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
        memory._owner = array  # type: ignore[attr-defined]  # noqa: SLF001  # keeps the memory alive
        array = np.frombuffer(memoryview(memory), array.dtype).reshape(array.shape)
    return array


def as_bytes(array: Array) -> View:
    """The bytes of a contiguous 1-D array, whatever its dtype, as a view."""
    import numpy as np

    return array.view(np.uint8).data


def allocate(nbytes: int) -> View:
    """Fresh writable memory; not zeroed where NumPy is loaded, which saves touching it twice."""
    numpy = sys.modules.get("numpy")
    if numpy is None or nbytes < 4096:
        return memoryview(bytearray(nbytes))
    return memoryview(numpy.empty(nbytes, numpy.uint8))


def scatter(data: View, views: Sequence[View]) -> None:
    """Copy ``data`` into ``views``, one after the other; they must be large enough in all."""
    offset = 0
    for view in views:
        count = min(view.nbytes, data.nbytes - offset)
        view[:count] = data[offset : offset + count]
        offset += count


def gather(views: Sequence[View]) -> View:
    """The bytes of ``views``, one after the other, in fresh writable memory."""
    data = allocate(sum(view.nbytes for view in views))
    offset = 0
    for view in views:
        data[offset : offset + view.nbytes] = view
        offset += view.nbytes
    return data


# Parts on the wire: their number n, their n sizes, then the parts, each at a multiple of _ALIGN so
# that arrays made of them are aligned. An object is the parts of its pickle: the pickle itself,
# then its out-of-band buffers (PEP 574).
_COUNT = struct.Struct("<Q")
_ALIGN = 16


def pack(parts: Sequence[Sequence[View]]) -> list[View]:
    """``parts``, each a sequence of views, as one message that :func:`unpack` can take apart; nothing is copied."""
    sizes = [sum(view.nbytes for view in part) for part in parts]
    head = struct.pack(f"<Q{len(parts)}Q", len(parts), *sizes)
    views = [memoryview(head)]
    offset = len(head)
    for part, size in zip(parts, sizes, strict=True):
        if offset % _ALIGN:
            views.append(memoryview(bytes(-offset % _ALIGN)))
            offset += -offset % _ALIGN
        views.extend(part)
        offset += size
    return views


def unpack(data: View) -> list[View]:
    """The parts that :func:`pack` joined, as views of ``data``.

    Raises:
        IntegrityError: the sizes in ``data`` do not add up.
    """
    try:
        (count,) = _COUNT.unpack_from(data)
        if count < 1 or 8 * count > data.nbytes:
            raise struct.error(f"{count} parts")
        sizes = struct.unpack_from(f"<{count}Q", data, _COUNT.size)
    except struct.error as error:
        raise IntegrityError(f"a message of {data.nbytes} bytes has a damaged table of parts ({error})") from None
    offset = _COUNT.size * (count + 1)
    parts = []
    for size in sizes:
        offset += -offset % _ALIGN
        parts.append(data[offset : offset + size])
        offset += size
    if offset != data.nbytes:
        raise IntegrityError(f"a message has {data.nbytes} bytes, but its parts need {offset}")
    return parts


_custom: tuple[Callable[[Any], bytes], Callable[[Any], Any]] | None = None


def serialize_with(dumps: Callable[[Any], bytes] | None, loads: Callable[[Any], Any] | None) -> None:
    """From now on make bytes of objects with ``dumps`` and objects of bytes with ``loads``; ``None``: with pickle.

    All ranks must do so. Other than with pickle, large buffers are copied.
    """
    global _custom  # noqa: PLW0603  # one for the process, as in MPI
    _custom = None if dumps is None or loads is None else (dumps, loads)


def encode(value: Any) -> list[View]:
    """``value`` as a list of views to be sent one after the other; large buffers are not copied.

    Raises:
        Exception: whatever pickling raises for a value that cannot be pickled.
    """
    if _custom is not None:
        return pack([[memoryview(_custom[0](value)).cast("B")]])
    buffers: list[pickle.PickleBuffer] = []
    pickled = memoryview(pickle.dumps(value, protocol=5, buffer_callback=buffers.append))
    return pack([[pickled], *([buffer.raw()] for buffer in buffers)])


def decode(data: View) -> Any:
    """The value that :func:`encode` made ``data`` from; its arrays live in ``data``'s memory.

    Only ever call this on bytes that were authenticated: unpickling runs code.

    Raises:
        IntegrityError: the sizes in ``data`` do not add up.
    """
    pickled, *buffers = unpack(data)
    if _custom is not None:
        return _custom[1](pickled)
    return pickle.loads(pickled, buffers=buffers)  # noqa: S301  # links are authenticated first
