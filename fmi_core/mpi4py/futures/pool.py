"""A pool: tasks go from one rank, the master, to the others, the workers, and their results come back.

Theory of operation. The master has one thread that does all of its communication while the pool lives: it
gives a task to each idle worker, and takes results as they arrive. The program's own thread only fills a
queue; it has nobody to talk to meanwhile, since the other ranks serve. Without workers the thread
does the tasks itself.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from contextvars import copy_context
from typing import Any, NamedTuple

from fmi_core.communicator import Communicator
from fmi_core.communicator.status import Status
from fmi_core.errors import FmiError

__all__ = ["Pool", "Setup", "Task", "serve"]

_TASK, _RESULT = 1, 2
_SHORTEST_S, _LONGEST_S = 0.00005, 0.002  # how long to sleep between two looks for messages


class Setup(NamedTuple):
    """What a worker calls once, before the first task of an executor: its number, a function, arguments."""

    number: int
    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]


class Task(NamedTuple):
    """One call."""

    setup: Setup
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class _Worked(NamedTuple):
    value: Any
    error: BaseException | None


class _Doer:
    """Does tasks, and the setups before them."""

    def __init__(self) -> None:
        self._ready: dict[int, BaseException | None] = {}

    def do(self, task: Task) -> _Worked:
        """The outcome of ``task``."""
        number, function, arguments = task.setup
        if number not in self._ready:
            self._ready[number] = None
            if function is not None:
                try:
                    function(*arguments)
                except Exception as error:  # noqa: BLE001  # the program's own; all tasks fail by it
                    broken = BrokenExecutor(f"the initializer failed: {type(error).__name__}: {error}")
                    self._ready[number] = broken
        failed = self._ready[number]
        if failed is not None:
            return _Worked(None, failed)
        try:
            return _Worked(task.function(*task.arguments, **task.keywords), None)
        except Exception as error:  # noqa: BLE001  # the program's own; it is for who waits for the result
            error.add_note("".join(traceback.format_exception(error)).rstrip())
            return _Worked(None, error.with_traceback(None))


class _Patience:
    """Sleeps, longer each time, until there is something to do."""

    def __init__(self) -> None:
        self._seconds = _SHORTEST_S

    def found(self) -> None:
        """Be quick again."""
        self._seconds = _SHORTEST_S

    def next_s(self) -> float:
        """How long to sleep now."""
        self._seconds = min(2 * self._seconds, _LONGEST_S)
        return self._seconds


def serve(comm: Communicator, master: int) -> None:
    """Do the tasks that rank ``master`` sends, until it says that there are no more.

    Raises:
        FmiError: the job broke.
    """
    doer = _Doer()
    patience = _Patience()
    while True:
        if not comm.iprobe(master, _TASK):  # a wait for it would reach its deadline when there is nothing to do
            time.sleep(patience.next_s())
            continue
        patience.found()
        try:
            task = comm.recv(source=master, tag=_TASK)
        except FmiError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever unpickling raises
            comm.send(_Worked(None, error), master, _RESULT)
            continue
        if task is None:
            return
        worked = doer.do(task)
        try:
            comm.send(worked, master, _RESULT)
        except FmiError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever pickling raises
            comm.send(_Worked(None, error), master, _RESULT)


class Pool:
    """The master's side.

    Args:
        comm: whose other ranks call :func:`serve`; nobody else may use it.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._queue: queue.SimpleQueue[tuple[Task, Future[Any]] | None] = queue.SimpleQueue()
        self._idle = deque(rank for rank in range(comm.size) if rank != comm.rank)
        self._busy: dict[int, Future[Any]] = {}
        self._doer = _Doer()
        self._error: Exception | None = None
        self.workers = max(1, len(self._idle))
        context = copy_context()  # in which pickle finds this rank's own classes, where ranks are threads
        self._thread = threading.Thread(target=context.run, args=(self._manage,), name="fmi-pool", daemon=True)
        self._thread.start()

    def put(self, task: Task) -> Future[Any]:
        """Have ``task`` done; its outcome will be in the future.

        Raises:
            BrokenExecutor: the job broke.
        """
        if self._error is not None:
            raise BrokenExecutor(str(self._error)) from self._error
        future: Future[Any] = Future()
        self._queue.put((task, future))
        return future

    def close(self) -> None:
        """Wait until all tasks are done, and let the workers go."""
        self._queue.put(None)
        self._thread.join()

    def _manage(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  # without this thread nobody would ever settle a future
            self._error = error
            self._break(error)

    def _work(self) -> None:
        closing = False
        patience = _Patience()
        alone = not self._idle
        while not closing or self._busy:
            if self._busy and self._take():
                patience.found()
                continue
            if closing or not (self._idle or alone):
                time.sleep(patience.next_s())
                continue
            try:
                item = self._queue.get(timeout=patience.next_s() if self._busy else None)
            except queue.Empty:
                continue
            if item is None:
                closing = True
            elif item[1].set_running_or_notify_cancel():
                patience.found()
                self._give(*item)
        for rank in self._idle:
            self._comm.send(None, rank, _TASK)

    def _give(self, task: Task, future: Future[Any]) -> None:
        if not self._idle:
            _settle(future, self._doer.do(task))
            return
        rank = self._idle[0]
        try:
            self._comm.send(task, rank, _TASK)
        except FmiError as error:
            future.set_exception(BrokenExecutor(str(error)))
            raise
        except Exception as error:  # noqa: BLE001  # whatever pickling raises
            future.set_exception(error)
            return
        self._busy[self._idle.popleft()] = future

    def _take(self) -> bool:
        """Take a result, if one is there."""
        status = Status()
        if not self._comm.iprobe(tag=_RESULT, status=status):
            return False
        future = self._busy.pop(status.source)
        self._idle.append(status.source)
        try:
            worked = self._comm.recv(source=status.source, tag=_RESULT)
        except FmiError as error:
            future.set_exception(BrokenExecutor(str(error)))
            raise
        except Exception as error:  # noqa: BLE001  # whatever unpickling raises
            worked = _Worked(None, error)
        _settle(future, worked)
        return True

    def _break(self, error: Exception) -> None:
        waiting = list(self._busy.values())
        while not self._queue.empty():
            item = self._queue.get()
            if item is not None and item[1].set_running_or_notify_cancel():
                waiting.append(item[1])
        for future in waiting:
            if not future.done():
                future.set_exception(BrokenExecutor(str(error)))


def _settle(future: Future[Any], worked: _Worked) -> None:
    if worked.error is None:
        future.set_result(worked.value)
    else:
        future.set_exception(worked.error)
