"""``mpi4py.util.dtlib``: NumPy's dtypes and MPI's datatypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmi_core.datatypes import Datatype, as_datatype

if TYPE_CHECKING:
    import numpy as np

__all__ = ["from_numpy_dtype", "to_numpy_dtype"]


def from_numpy_dtype(dtype: Any) -> Datatype:
    """The datatype of what ``numpy.dtype`` takes."""
    return as_datatype(dtype)


def to_numpy_dtype(datatype: Datatype) -> np.dtype[Any]:
    """The NumPy dtype of one item of a datatype.

    Raises:
        ArgumentError: it is ``DATATYPE_NULL``.
    """
    import numpy as np

    base = datatype.dtype
    if datatype.dense:
        return base if datatype.stride == 1 else np.dtype((base, (datatype.stride,)))
    names = [f"f{index}" for index in range(len(datatype.offsets))]
    offsets = [offset * base.itemsize for offset in datatype.offsets]
    return np.dtype({"names": names, "formats": [base] * len(names), "offsets": offsets, "itemsize": datatype.extent})
