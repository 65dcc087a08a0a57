"""Child processes: each leads its own session, ends together with its launcher, and is stopped as a group."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fmi_core.launch import lifeline

__all__ = ["Process"]

_REAP_S = 5.0


class Process:
    """One child, the leader of a session and process group of its own.

    It is tied to this process by a lifeline, see :mod:`fmi_core.launch.lifeline`; if ``watches``, it is told
    which descriptor that is, and calls :func:`fmi_core.launch.lifeline.watch`.

    The child stays a zombie until :meth:`reap`. That keeps its number from being given to another process,
    so that signals to the group never hit a stranger.

    Raises:
        OSError: the program cannot be executed, or there are no more processes or descriptors.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int | None,
        stdout: int,
        stderr: int,
        inherited: Sequence[int] = (),
        watches: bool = False,
    ) -> None:
        reader, self._lifeline = os.pipe()
        told = {lifeline.VARIABLE: str(reader)} if watches else {}
        self._status: int | None = None
        self._reaped = False
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - running the user's program is the purpose
                argv,
                env={**environment, **told},
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(*inherited, reader),
                start_new_session=True,
            )
            lifeline.arm(reader, self.pid)
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(reader)

    @property
    def pid(self) -> int:
        """The child's process number, which is also its group's and its session's."""
        return self._popen.pid

    def status(self) -> int | None:
        """``None`` while the child lives; then its exit code, or minus the number of a signal."""
        if self._status is None:
            if hasattr(os, "waitid"):
                info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if info is not None:
                    exited = info.si_code == os.CLD_EXITED
                    self._status = info.si_status if exited else -info.si_status
            else:
                self._status = self._popen.poll()
        return self._status

    def signal_group(self, number: int) -> None:
        """Send a signal to the child and to all its descendants that stayed in its group."""
        if not self._reaped:
            # PermissionError: what macOS says of a group of zombies.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def reap(self) -> None:
        """Kill the whole group, wait for the child, and let its number go. Idempotent."""
        if not self._reaped:
            self.signal_group(signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):  # not even SIGKILL ends a wait for a dead disk
                self._status = self._popen.wait(_REAP_S)
            self._reaped = True
            os.close(self._lifeline)
