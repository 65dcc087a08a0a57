"""Blocks for real: where the blocks that a schedule names are in memory.

:class:`ArrayBlocks` serves the upper-case calls: a block is a slice of the caller's array, or scratch.
:class:`ObjectBlocks` serves the lower-case calls: a block is a Python object, pickled once by the
rank that has it, passed on as bytes, and unpickled where it is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from fmi_core.collectives.steps import Blocks, Side
from fmi_core.ops import Op
from fmi_core.payload import Array, View, allocate, as_bytes, decode, encode, gather, pack, unpack

__all__ = ["ArrayBlocks", "BlockSpace", "ObjectBlocks", "Region"]


class BlockSpace(Protocol):
    """What a running schedule does with blocks."""

    def outgoing(self, blocks: Blocks) -> Sequence[View]:
        """The bytes of ``blocks``, one after the other; they do not change while they are sent."""
        ...

    def incoming(self, blocks: Blocks, fold: Side | None) -> Sequence[View] | None:
        """Where a message with ``blocks`` goes; ``None``: into memory that is made to fit."""
        ...

    def arrived(self, blocks: Blocks, views: Sequence[View], fold: Side | None) -> None:
        """A message is complete in ``views`` (what :meth:`incoming` gave, or the memory made): take it."""
        ...

    def local(self, dst: int, src: int, fold: Side | None) -> None:
        """Copy block ``src`` to ``dst``, or fold it on that side."""
        ...


class Region:
    """Blocks ``first``, ``first + 1``, … as adjacent slices of one 1-D array.

    Args:
        first: index of the first block.
        array: the memory.
        offsets: where each block begins, in elements, and, last, where the last one ends.
        writable: whether blocks may be changed there; if not, the first change makes a copy.
    """

    __slots__ = ("_bytes", "_itemsize", "_writable", "array", "first", "last", "offsets")

    def __init__(self, first: int, array: Array, offsets: Sequence[int], *, writable: bool = True) -> None:
        self._writable = writable
        self.first = first
        self.last = first + len(offsets) - 1
        self.array = array
        self.offsets = offsets
        self._bytes = as_bytes(array)
        self._itemsize = array.itemsize

    def make_writable(self) -> None:
        """Change blocks from now on: in place, or, if that is not allowed, in a copy of the whole region."""
        if not self._writable:
            self._writable = True
            self.array = self.array.copy()
            self._bytes = as_bytes(self.array)

    def part(self, lo: int, hi: int) -> Array:
        """Blocks ``lo`` to ``hi - 1`` as one array."""
        offsets, first = self.offsets, self.first
        return self.array[offsets[lo - first] : offsets[hi - first]]

    def view(self, lo: int, hi: int) -> View:
        """The bytes of blocks ``lo`` to ``hi - 1``."""
        offsets, first, size = self.offsets, self.first, self._itemsize
        return self._bytes[offsets[lo - first] * size : offsets[hi - first] * size]


class ArrayBlocks:
    """Blocks in arrays of one dtype.

    Args:
        dtype: the elements' type.
        regions: the blocks that are in the caller's memory, or in a working copy of it.
        count_of: the number of elements of any other block (scratch, allocated when first named).
        op: the operator of folds.
    """

    def __init__(
        self,
        dtype: Any,
        regions: Sequence[Region],
        count_of: Callable[[int], int],
        op: Op | None = None,
    ) -> None:
        self._dtype = dtype
        self._regions = list(regions)
        self._count_of = count_of
        self._op = op
        self._fold_into: Array | None = None

    def outgoing(self, blocks: Blocks) -> Sequence[View]:
        """See :class:`BlockSpace`."""
        return [region.view(lo, hi) for region, lo, hi in self._runs(blocks)]

    def incoming(self, blocks: Blocks, fold: Side | None) -> Sequence[View] | None:
        """See :class:`BlockSpace`; a fold is received into scratch first."""
        if fold is None:
            for region, _, _ in self._runs(blocks):
                region.make_writable()
            return self.outgoing(blocks)
        nbytes = sum(region.view(lo, hi).nbytes for region, lo, hi in self._runs(blocks))
        return [allocate(nbytes)]

    def arrived(self, blocks: Blocks, views: Sequence[View], fold: Side | None) -> None:
        """See :class:`BlockSpace`."""
        if fold is None or not views[0].nbytes:
            return
        import numpy as np

        received = np.frombuffer(views[0], self._dtype)
        start = 0
        for region, lo, hi in self._runs(blocks):
            region.make_writable()
            mine = region.part(lo, hi)
            self._fold(mine, received[start : start + mine.size], fold)
            start += mine.size

    def local(self, dst: int, src: int, fold: Side | None) -> None:
        """See :class:`BlockSpace`."""
        target, source = self._region(dst, dst + 1), self._region(src, src + 1)
        target.make_writable()
        mine, other = target.part(dst, dst + 1), source.part(src, src + 1)
        if fold is None:
            mine[...] = other
        else:
            self._fold(mine, other, fold)

    def _fold(self, mine: Array, other: Array, side: Side) -> None:
        assert self._op is not None
        if mine.size:
            self._op.fold(*((other, mine) if side is Side.LEFT else (mine, other)), out=mine)

    def _runs(self, blocks: Blocks) -> list[tuple[Region, int, int]]:
        """``blocks`` as the longest runs of adjacent ones: region, first block, one past the last."""
        runs: list[tuple[Region, int, int]] = []
        for lo, hi in _adjacent(blocks):
            at = lo
            while at < hi:
                region = self._region(at, hi)
                end = min(hi, region.last)
                runs.append((region, at, end))
                at = end
        return runs

    def _region(self, block: int, hi: int) -> Region:
        for region in self._regions:
            if region.first <= block < region.last:
                return region
        # Scratch, for as many of the blocks that follow as nobody has memory for.
        end = min([hi, *(region.first for region in self._regions if region.first > block)])
        import numpy as np

        offsets = [0]
        for index in range(block, end):
            offsets.append(offsets[-1] + self._count_of(index))
        region = Region(block, np.empty(offsets[-1], self._dtype), offsets)
        self._regions.append(region)
        return region


def _adjacent(blocks: Blocks) -> Iterator[tuple[int, int]]:
    if type(blocks) is range and blocks.step == 1:
        if blocks:
            yield blocks.start, blocks.stop
        return
    lo = hi = -1
    for block in blocks:
        if block == hi:
            hi += 1
            continue
        if hi > lo:
            yield lo, hi
        lo, hi = block, block + 1
    if hi > lo:
        yield lo, hi


_IMMUTABLE = frozenset({type(None), bool, int, float, complex, str, bytes})


class ObjectBlocks:
    """Blocks that are Python objects.

    A message of one block is its pickle, one of several is their pickles packed: a rank that only
    passes them on never unpickles them.

    Args:
        values: the blocks that this rank has at the start.
        op: the operator of folds.
    """

    def __init__(self, values: dict[int, Any], op: Op | None = None) -> None:
        self._own = values
        self._values: dict[int, Any] = {}
        self._pickles: dict[int, list[View]] = {}
        self._op = op

    def outgoing(self, blocks: Blocks) -> Sequence[View]:
        """See :class:`BlockSpace`."""
        if len(blocks) == 1:
            return self._pickle(blocks[0])
        if not blocks:
            return ()
        return pack([self._pickle(block) for block in blocks])

    def incoming(self, blocks: Blocks, fold: Side | None) -> Sequence[View] | None:  # noqa: ARG002
        """See :class:`BlockSpace`: the size is known when the message comes."""
        return None

    def arrived(self, blocks: Blocks, views: Sequence[View], fold: Side | None) -> None:
        """See :class:`BlockSpace`."""
        if not blocks:
            return
        (data,) = views
        pickles = [data] if len(blocks) == 1 else unpack(data)
        for block, pickled in zip(blocks, pickles, strict=True):
            if fold is None:
                self._own.pop(block, None)
                self._values.pop(block, None)
                self._pickles[block] = [pickled]
            else:
                self._fold(block, decode(pickled), fold)

    def local(self, dst: int, src: int, fold: Side | None) -> None:
        """See :class:`BlockSpace`."""
        if fold is not None:
            self._fold(dst, self._copy(src), fold)
            return
        self._values.pop(dst, None)
        self._own.pop(dst, None)
        self._pickles[dst] = [gather(self._pickle(src))]

    def value(self, block: int) -> Any:
        """The object in ``block``: a value of its own, that shares nothing with what the caller gave."""
        if block not in self._values:
            self._values[block] = self._copy(block)
        return self._values[block]

    def _fold(self, block: int, other: Any, side: Side) -> None:
        assert self._op is not None
        mine = self.value(block)
        self._values[block] = self._op(other, mine) if side is Side.LEFT else self._op(mine, other)
        self._pickles.pop(block, None)
        self._own.pop(block, None)

    def _copy(self, block: int) -> Any:
        own = self._own.get(block, self)
        if own is not self and type(own) in _IMMUTABLE:
            return own
        return decode(gather(self._pickle(block)))

    def _pickle(self, block: int) -> list[View]:
        pickled = self._pickles.get(block)
        if pickled is None:
            value = self._values[block] if block in self._values else self._own[block]
            pickled = self._pickles[block] = encode(value)
        return pickled
