"""The executors, as users see them."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed, wait
from contextlib import suppress
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any

from fmi_core import runtime
from fmi_core.communicator import Communicator
from fmi_core.errors import ArgumentError, FmiError, UnsupportedError
from fmi_core.facade.environment import world
from fmi_core.mpi4py.futures.pool import Pool, Setup, Task, serve

__all__ = ["MPICommExecutor", "MPIPoolExecutor", "enter", "get_comm_workers"]

_numbers = itertools.count()
_shared: list[Pool] = []  # the pool of this process, once there is one


def enter() -> Pool:
    """Make rank 0 the master of all ranks. On the others: serve until rank 0 ends, and end then.

    Raises:
        UnsupportedError: ranks are threads.
        SystemExit: on a worker that has served.
    """
    if _shared:
        return _shared[0]
    comm = world()
    if runtime.placement() is not None:
        raise UnsupportedError(
            "MPIPoolExecutor is not offered where ranks are threads (--channel memory): a worker ends with rank 0, "
            "and threads do not end; use MPICommExecutor, or another channel",
            feature="MPIPoolExecutor",
        )
    own = comm.Dup()
    if comm.rank:
        serve(own, 0)
        raise SystemExit(0)
    pool = Pool(own)
    _shared.append(pool)
    atexit.register(_leave, pool)
    runtime.on_end(lambda: _leave(pool), lambda _reason: None)  # before the world is closed, which comes before exit
    return pool


def _leave(pool: Pool) -> None:
    with suppress(FmiError):  # what broke was said before
        pool.close()


def get_comm_workers() -> Communicator:
    """The communicator of master and workers."""
    return world()


def _prepare(
    path: Sequence[str],
    wdir: str | None,
    env: Mapping[str, str],
    names: Mapping[str, Any],
    initializer: Callable[..., Any] | None,
    initargs: tuple[Any, ...],
) -> None:
    """What a worker does before the first task of an executor."""
    sys.path[:0] = path
    if wdir is not None:
        os.chdir(wdir)
    os.environ.update(env)
    vars(sys.modules["__main__"]).update(names)
    if initializer is not None:
        initializer(*initargs)


class MPIPoolExecutor(Executor):
    """All ranks but 0 are workers until rank 0 ends; alone, this process does the work itself.

    Under ``-m mpi4py.futures`` only rank 0 runs the program. Without it all ranks run it up to the first
    executor, which ranks other than 0 never leave: they serve, and end when rank 0 does.

    Args:
        max_workers: how many tasks to expect at once; there are as many workers as there are.
        initializer: each worker calls it before its first task of this executor, with ``initargs``.
        initargs: its arguments.
        path: put in front of the workers' ``sys.path``.
        wdir: the workers' current folder.
        env: put in the workers' environment.
        globals: put among the names of the workers' main program.
        options: mpi4py's other options, which have no effect: ``python_exe``, ``python_args``, ``mpi_info``,
            ``main``, ``use_pkl5``, ``max_tasks_per_child``, ``fork``, ``backoff``.

    Raises:
        UnsupportedError: ranks are threads.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Iterable[Any] = (),
        *,
        path: Sequence[str] = (),
        wdir: str | None = None,
        env: Mapping[str, str] | None = None,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  # mpi4py's name
        _pool: Pool | None = None,
        **options: Any,
    ) -> None:
        del options
        if max_workers is not None and max_workers <= 0:
            raise ArgumentError(
                f"max_workers is {max_workers}; expected more than 0", argument="max_workers", value=max_workers
            )
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._pool = enter() if _pool is None else _pool
        given = bool(path or wdir or env or globals or initializer)
        prepare = partial(_prepare, list(path), wdir, dict(env or {}), dict(globals or {}), initializer)
        self._setup = Setup(next(_numbers), prepare if given else None, (tuple(initargs),))
        self._futures: set[Future[Any]] = set()
        self._closed = False

    @property
    def num_workers(self) -> int:
        """How many workers there are."""
        return 0 if self._closed else self._pool.workers

    _max_workers = num_workers

    def bootup(self, wait: bool = True) -> MPIPoolExecutor:  # noqa: FBT001  # mpi4py's signature
        """Nothing to do: workers are there."""
        del wait
        self._check()
        return self

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have ``fn(*args, **kwargs)`` called by a worker.

        Raises:
            RuntimeError: after :meth:`shutdown`.
            BrokenExecutor: the job broke.
        """
        self._check()
        future = self._pool.put(Task(self._setup, fn, args, kwargs))
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        unordered: bool = False,
    ) -> Iterator[Any]:
        """The results of ``fn(*items)`` for items taken from all ``iterables`` together.

        Args:
            fn: what workers call.
            iterables: its arguments.
            timeout: how many seconds until the last result.
            chunksize: how many calls make one task.
            unordered: give results as they come.
        """
        return self.starmap(fn, zip(*iterables, strict=False), timeout, chunksize, unordered)

    def starmap(
        self,
        fn: Callable[..., Any],
        iterable: Iterable[Sequence[Any]],
        timeout: float | None = None,
        chunksize: int = 1,
        unordered: bool = False,  # noqa: FBT001  # mpi4py's signature
    ) -> Iterator[Any]:
        """As :meth:`map`, with the arguments of each call in a sequence."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1")
        items = iter(iterable)
        chunks = iter(lambda: list(itertools.islice(items, chunksize)), [])
        futures = [self.submit(_all_of, fn, chunk) for chunk in chunks]
        return _results(futures, None if timeout is None else monotonic() + timeout, unordered=unordered)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001  # Python's
        """Take no more tasks; wait for those that were given, unless ``wait`` is false."""
        self._closed = True
        given = list(self._futures)
        if cancel_futures:
            for future in given:
                future.cancel()
        if wait:
            _wait(given)

    def _check(self) -> None:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")


def _wait(futures: Sequence[Future[Any]]) -> None:
    wait(futures)


def _all_of(fn: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    return [fn(*arguments) for arguments in calls]


def _results(futures: list[Future[list[Any]]], until: float | None, *, unordered: bool) -> Iterator[Any]:
    def left() -> float | None:
        return None if until is None else until - monotonic()

    try:
        if unordered:
            for future in as_completed(futures, left()):
                yield from future.result()
            return
        futures.reverse()
        while futures:
            yield from futures.pop().result(left())
    finally:
        for future in futures:
            future.cancel()


class MPICommExecutor:
    """Within ``with MPICommExecutor(comm, root) as executor:`` the other ranks of ``comm`` are workers.

    ``executor`` is an executor on rank ``root``, and ``None`` on the others, once they have served: so
    the block begins with ``if executor is not None:``. All ranks of ``comm`` must come to it.

    Args:
        comm: default: ``COMM_WORLD``.
        root: the master.
        options: see :class:`MPIPoolExecutor`.
    """

    def __init__(self, comm: Communicator | None = None, root: int = 0, **options: Any) -> None:
        self._comm = world() if comm is None else comm
        if not 0 <= root < self._comm.size:
            raise ArgumentError(
                f"root is {root!r}; expected a rank from 0 to {self._comm.size - 1}", argument="root", value=root
            )
        self._root = root
        self._options = options
        self._pool: Pool | None = None
        self._executor: MPIPoolExecutor | None = None

    def __enter__(self) -> MPIPoolExecutor | None:
        if self._executor is not None:
            raise RuntimeError("this MPICommExecutor is in use")
        own = self._comm.Dup()
        if self._comm.rank != self._root:
            serve(own, self._root)
            return None
        self._pool = Pool(own)
        self._executor = MPIPoolExecutor(_pool=self._pool, **self._options)
        return self._executor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor is not None and self._pool is not None:
            self._executor.shutdown(wait=True)
            self._pool.close()
        self._executor = self._pool = None
