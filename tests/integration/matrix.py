"""The matrix: every collective by every algorithm, against NumPy's answer, as one program for one size.

Values are small whole numbers, so that every order of folding gives the same bits and NumPy's answer
can be compared exactly; that all ranks and all runs agree on fractions too is tested on its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import fmi_core as fmi
from fmi_core.collectives import Algorithm, catalog
from fmi_core.selection.select import Selector

SIZES = (0, 1, 7, 1000, 100_003)
DTYPES = ("f8", "f4", "i4", "c16", "?", "u1")
LARGE = 100_003


def affine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Composition of the maps y -> m·y + c, written m + ci: associative, not commutative, exact on whole numbers."""
    return a.real * b.real + 1j * (a.real * b.imag + a.imag)


AFFINE = fmi.Op(affine, elementwise=True, name="affine")


def data(rank: int, count: int, dtype: str) -> np.ndarray:
    """What ``rank`` brings: ``count`` whole numbers; for complex ones, factors of 1 and -1."""
    index = np.arange(count, dtype="i8")
    if dtype == "c16":
        return np.where((index + rank) % 3 == 0, -1.0, 1.0) + 1j * ((index * 7 + rank * 3) % 11 - 5)
    return ((index * 5 + rank * 7 + 3) % (2 if dtype == "?" else 5)).astype(dtype)


def operator(algorithm: Algorithm, dtype: str) -> fmi.Op:
    """One that notices wrong order where the algorithm promises rank order."""
    if dtype == "c16" and not algorithm.commutative_only:
        return AFFINE
    return fmi.LXOR if dtype == "?" else fmi.SUM


def fold(op: fmi.Op, arrays: list[np.ndarray]) -> np.ndarray:
    """NumPy's answer."""

    def two(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        out = np.empty_like(a)
        op.fold(a, b, out)
        return out

    return functools.reduce(two, arrays)


def cases(size: int, *, thorough: bool) -> Iterator[tuple[Algorithm, int, str, int]]:
    """Algorithm, count, dtype and root of every call; large data with two types, in the last rank's hands."""
    for algorithms in catalog().values():
        for algorithm in algorithms:
            if algorithm.why_not(size) is not None:
                continue
            if algorithm.collective == "barrier":
                yield algorithm, 0, "f8", 0
                continue
            rooted = algorithm.collective in ("bcast", "scatter", "gather", "reduce")
            roots = sorted({0, size // 2, size - 1}) if rooted else [0]
            for count in SIZES:
                large = count == LARGE
                dtypes = DTYPES if thorough and not large else ("f8", "c16") if not large else ("f4",)
                for dtype in dtypes:
                    for root in roots[-1:] if large else roots:
                        yield algorithm, count, dtype, root


Pair = tuple[np.ndarray, np.ndarray]


def barrier(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    comm.Barrier()
    return np.empty(0), np.empty(0)


def bcast(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    mine = data(comm.rank, count, dtype)
    comm.Bcast(mine, root)
    return mine, data(root, count, dtype)


def scatter(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    whole = data(root, comm.size * count, dtype)
    mine = np.empty(count, dtype)
    comm.Scatter(whole if comm.rank == root else None, mine, root)
    return mine, whole[comm.rank * count : (comm.rank + 1) * count]


def gather(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    whole = np.zeros(comm.size * count, dtype) if comm.rank == root else None
    mine = data(comm.rank, count, dtype)
    comm.Gather(mine, whole, root)
    if whole is None:
        return mine, data(comm.rank, count, dtype)
    return whole, np.concatenate([data(rank, count, dtype) for rank in range(comm.size)])


def allgather(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    whole = np.zeros(comm.size * count, dtype)
    comm.Allgather(data(comm.rank, count, dtype), whole)
    return whole, np.concatenate([data(rank, count, dtype) for rank in range(comm.size)])


def alltoall(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    whole = np.zeros(comm.size * count, dtype)
    comm.Alltoall(data(comm.rank, comm.size * count, dtype), whole)
    part = slice(comm.rank * count, (comm.rank + 1) * count)
    return whole, np.concatenate([data(rank, comm.size * count, dtype)[part] for rank in range(comm.size)])


def _contributions(comm: Any, ranks: range, count: int, dtype: str) -> list[np.ndarray]:
    return [data(rank, count, dtype) for rank in ranks]


def reduce(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    op = operator(algorithm, dtype)
    mine = data(comm.rank, count, dtype)
    result = np.zeros(count, dtype) if comm.rank == root else None
    comm.Reduce(mine, result, op, root)
    if result is None:
        return mine, data(comm.rank, count, dtype)  # the send buffer is as it was
    return result, fold(op, _contributions(comm, range(comm.size), count, dtype))


def reduce_scatter(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    op = operator(algorithm, dtype)
    result = np.zeros(count, dtype)
    comm.Reduce_scatter_block(data(comm.rank, comm.size * count, dtype), result, op)
    part = slice(comm.rank * count, (comm.rank + 1) * count)
    return result, fold(op, [data(rank, comm.size * count, dtype)[part] for rank in range(comm.size)])


def allreduce(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    op = operator(algorithm, dtype)
    result = np.zeros(count, dtype)
    comm.Allreduce(data(comm.rank, count, dtype), result, op)
    return result, fold(op, _contributions(comm, range(comm.size), count, dtype))


def scan(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    op = operator(algorithm, dtype)
    result = np.zeros(count, dtype)
    comm.Scan(data(comm.rank, count, dtype), result, op)
    return result, fold(op, _contributions(comm, range(comm.rank + 1), count, dtype))


def exscan(comm: Any, algorithm: Algorithm, count: int, dtype: str, root: int) -> Pair:
    op = operator(algorithm, dtype)
    result = np.full(count, 1, dtype)
    comm.Exscan(data(comm.rank, count, dtype), result, op)
    if comm.rank == 0:
        return result, np.full(count, 1, dtype)
    return result, fold(op, _contributions(comm, range(comm.rank), count, dtype))


CALLS = {
    "barrier": barrier,
    "bcast": bcast,
    "scatter": scatter,
    "gather": gather,
    "allgather": allgather,
    "alltoall": alltoall,
    "reduce": reduce,
    "reduce_scatter": reduce_scatter,
    "allreduce": allreduce,
    "scan": scan,
    "exscan": exscan,
}


def program(comm: fmi.Communicator, *, thorough: bool) -> int:
    """Do every case on this rank and compare; returns how many there were."""
    done = 0
    for algorithm, count, dtype, root in cases(comm.size, thorough=thorough):
        segments = 3 if count < LARGE else 8
        tune = {algorithm.collective: f"{algorithm.name}/{segments}"}
        comm._selector = Selector(comm.size, comm._selector._model, 2, tune)
        got, want = CALLS[algorithm.collective](comm, algorithm, count, dtype, root)
        label = f"{algorithm.collective} by {algorithm.name}, {count} of {dtype}, root {root}, rank {comm.rank}"
        assert got.dtype == want.dtype, label
        assert np.array_equal(got, want), label
        done += 1
    return done
