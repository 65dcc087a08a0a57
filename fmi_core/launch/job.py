"""One job from start to end: its ranks, its broker, the first failure, the exit code.

Theory of operation. One thread waits in one selector for the ranks' output, their last words, and
signals, SIGCHLD among them; the broker serves beside it in a thread of its own. The job goes through phases,
forward only:

``RUNNING``     until every rank is over, one failed, the time is up, or the launcher is told to stop
``NOTIFIED``    a rank failed; the others were told, through the broker, and may end by themselves
``TERMINATED``  what is left was sent SIGTERM
``LINGERING``   all ranks are over, but something that they started still holds their output
``KILLED``      all groups were sent SIGKILL
``DONE``        nothing is left

Each but the first and the last has a deadline. A rank that fails only because another one was lost
(:attr:`Failure.blames`) may be heard of before that other one: its failure counts when nothing
better has turned up after a while.
"""

from __future__ import annotations

import enum
import errno
import math
import os
import secrets
import selectors
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from fmi_core.control import Notice
from fmi_core.errors import ConfigError, FmiError
from fmi_core.launch import failures, report
from fmi_core.launch.output import Output
from fmi_core.launch.signals import Signals
from fmi_core.launch.start import start_processes, start_threads
from fmi_core.secret import Secret
from fmi_core.units import format_seconds

if TYPE_CHECKING:
    from fmi_core.broker.server import Broker
    from fmi_core.launch.command import Program
    from fmi_core.launch.failures import Failure
    from fmi_core.launch.members import Member
    from fmi_core.launch.options import Options
    from fmi_core.launch.processes import Process

__all__ = ["EXIT_TIMEOUT", "Job"]

EXIT_TIMEOUT = 124
"""The exit code of a job that took too long, as timeout(1) has it."""


class _Phase(enum.Enum):
    RUNNING = enum.auto()
    NOTIFIED = enum.auto()
    TERMINATED = enum.auto()
    LINGERING = enum.auto()
    KILLED = enum.auto()
    DONE = enum.auto()


_LASTS_S = {_Phase.NOTIFIED: 0.5, _Phase.TERMINATED: 2.0, _Phase.LINGERING: 1.0, _Phase.KILLED: 1.0}
_DOUBT_S = 1.0  # how long a failure that blames another rank waits for that rank's own
_FLUSH_S = 1.0  # how long a stopped job's last output waits for a reader that takes nothing


class Job:
    """``program`` on ``options.ranks`` ranks, once; see :func:`fmi_core.launch.run`.

    Raises:
        ConfigError: the program cannot be run on the channel that was asked for.
    """

    def __init__(
        self,
        program: Program,
        options: Options,
        *,
        stdout: int = 1,
        stderr: int = 2,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._program = program
        self._options = options
        self._fds = {"stdout": stdout, "stderr": stderr}
        self._environ = dict(os.environ if environ is None else environ)
        for name, fd in self._fds.items():
            try:
                os.fstat(fd)  # now, before its number is given to something else
            except OSError as error:
                raise ConfigError(
                    f"{name} cannot be used ({error.strerror}); redirect it to a file or to /dev/null",
                    name=name,
                    value=fd,
                ) from None
        self._in_memory = options.in_memory(self._environ)
        if self._in_memory and program.kind == "executable":
            raise ConfigError(
                f"the memory channel runs all ranks in one Python process, and {program.name!r} is not a "
                "Python file; give a .py file or -m module, or another channel",
                name="channel",
                value="memory",
            )
        self._name = f"{program.title}-{secrets.token_hex(4)}"
        self._broker: Broker | None = None
        self._members: list[Member] = []
        self._stopped: list[int] = []  # ranks that the launcher ended
        self._code: int | None = None  # the exit code, where it is the launcher that ends the job
        self._why = ""
        self._phase = _Phase.RUNNING
        self._phase_ends_s = math.inf
        self._job_ends_s = math.inf
        self._doubt_ends_s = math.inf

    def run(self) -> int:
        """Run the job; the exit code and the errors are those of :func:`fmi_core.launch.run`."""
        options = self._options
        with ExitStack() as stack:
            self._signals = stack.enter_context(Signals())
            self._selector = stack.enter_context(selectors.PollSelector())
            self._selector.register(self._signals, selectors.EVENT_READ, self._signals.drain)
            self._output = Output(self._selector, **self._fds, ranks=options.ranks, labels=options.labels)
            stack.callback(self._release)
            self._start(stack)
            while self._phase is not _Phase.DONE:
                self._serve()
                before = None
                while before is not self._phase:  # what ends the next phase may be so already
                    before = self._phase
                    self._advance(time.monotonic())
            return self._conclude()

    # Starting --------------------------------------------------------------------------------------------

    def _start(self, stack: ExitStack) -> None:
        common = self._options.variables(self._environ) | {"FMI_JOB": self._name}
        if self._options.timeout_s is not None:
            self._job_ends_s = time.monotonic() + self._options.timeout_s
        if not self._in_memory:
            from fmi_core.broker.server import Broker

            secret = Secret.generate()
            self._broker = stack.enter_context(Broker(secret))
            stack.callback(self._release)  # the ranks end before the broker does
            common |= {"FMI_SECRET": secret.reveal(), "FMI_BROKER": self._broker.address}
        start = start_threads if self._in_memory else start_processes
        ranks = self._options.ranks
        try:
            for member in start(self._program, ranks, common, self._output, self._selector):
                self._members.append(member)
        except OSError as error:
            few = "; use fewer ranks, or raise the limit (ulimit -n)" if error.errno == errno.EMFILE else ""
            raise ConfigError(
                f"rank {len(self._members)} of {ranks} cannot be started: {error.strerror}{few}",
                name="ranks",
                value=ranks,
            ) from error

    # Running ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Handle what happens until the next deadline."""
        ends_s = min(self._phase_ends_s, self._job_ends_s, self._doubt_ends_s)
        wait_s = None if ends_s == math.inf else max(0.0, ends_s - time.monotonic())
        for key, mask in self._selector.select(wait_s):
            key.data(mask)
        for member in self._members:
            member.check()

    def _advance(self, now_s: float) -> None:
        """Go to the next phase, if it is time."""
        late = now_s >= self._phase_ends_s
        all_gone = all(process.status() is not None for process in self._processes())
        quiet = all_gone and not self._output.open
        if self._phase in (_Phase.RUNNING, _Phase.NOTIFIED) and self._must_stop(now_s):
            self._enter(_Phase.TERMINATED)
        elif self._phase is _Phase.RUNNING:
            failure = self._first_failure(now_s)
            if failure is not None:
                self._notify(failure)
                self._enter(_Phase.NOTIFIED)
            elif all(member.over for member in self._members):
                self._enter(_Phase.LINGERING)
        elif self._phase is _Phase.NOTIFIED:
            if all_gone or late:
                self._enter(_Phase.TERMINATED)
        elif self._phase in (_Phase.TERMINATED, _Phase.LINGERING):
            if quiet or late or len(self._signals.stops) > 1:
                self._enter(_Phase.KILLED)
        elif quiet or late:
            self._enter(_Phase.DONE)

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self._phase_ends_s = time.monotonic() + _LASTS_S.get(phase, math.inf)
        self._job_ends_s = self._doubt_ends_s = math.inf
        if phase in (_Phase.TERMINATED, _Phase.KILLED):
            self._stopped += [
                member.number
                for member in self._members
                if not member.over and member.failure is None and member.number not in self._stopped
            ]
            for process in self._processes():
                process.signal_group(signal.SIGTERM if phase is _Phase.TERMINATED else signal.SIGKILL)

    def _must_stop(self, now_s: float) -> bool:
        """Whether the launcher itself has a reason to end the job; it is noted if no rank failed before."""
        if self._signals.stops:
            number = signal.Signals(self._signals.stops[0])
            code, why = 128 + number, f"stopped by {number.name}"
        elif self._output.error is not None:
            code, why = self._output_lost(self._output.error)
        elif now_s >= self._job_ends_s:
            running = [member.number for member in self._members if not member.over]
            code = EXIT_TIMEOUT
            why = (
                f"time-out: the job did not end within {format_seconds(self._options.timeout_s or 0)}; "
                f"{failures.rank_list(running)} still ran"
            )
        else:
            return False
        if self._phase is _Phase.RUNNING:
            self._code, self._why = code, why
        return True

    @staticmethod
    def _output_lost(error: OSError) -> tuple[int, str]:
        if isinstance(error, BrokenPipeError):  # as in "fmi run ... | head": nothing to complain about
            return 128 + signal.SIGPIPE, ""
        return 1, f"stopped: the output cannot be written ({error.strerror})"

    def _first_failure(self, now_s: float) -> Failure | None:
        """The failure to act on, or ``None`` while there is none, or while a better one may turn up."""
        known = self._failures()
        if not known:
            return None
        root = failures.root_cause(known)
        if root.blames < 0 or now_s >= self._doubt_ends_s:
            return root
        blamed = {failure.blames for failure in known}
        if all(member.over for member in self._members if member.number in blamed):
            return root  # who it blames ended well, so it stands for itself
        if self._doubt_ends_s == math.inf:
            self._doubt_ends_s = now_s + _DOUBT_S
        return None

    def _notify(self, failure: Failure) -> None:
        if self._broker is not None:
            sentence = f"rank {failure.rank} {failure.reason}"
            self._broker.publish(self._name, Notice("lost", failure.rank, sentence))

    def _failures(self) -> list[Failure]:
        return [
            member.failure
            for member in self._members
            if member.failure is not None and member.number not in self._stopped
        ]

    def _processes(self) -> list[Process]:
        return list(dict.fromkeys(member.process for member in self._members))

    # Ending ----------------------------------------------------------------------------------------------

    def _conclude(self) -> int:
        """Hand on the last output, say how it ended; the exit code."""
        self._output.cut()
        self._flush()
        known = self._failures()
        code = 0
        if self._code is not None:
            code = self._code
            if self._why:
                self._output.say(self._why)
        elif known:
            root = failures.root_cause(known)
            code = root.code
            self._output.say(failures.headline(root))
            for line in failures.consequences(root, known, self._stopped):
                self._output.say(line)
        if self._options.report:
            self._show_report()
        self._flush()
        if code == 0 and self._output.error is not None:
            code, why = self._output_lost(self._output.error)
            self._output.say(why)
            self._flush()
        return code

    def _flush(self) -> None:
        """Write what waits, however slow the reader is; but a job that was stopped does not wait for ever."""
        begun_s = time.monotonic()
        self._output.finish(
            lambda: (self._code is not None or bool(self._signals.stops)) and time.monotonic() > begun_s + _FLUSH_S
        )

    def _show_report(self) -> None:
        if self._broker is not None:
            values = self._broker.values(self._name, report.PREFIX)
        else:
            values = {
                f"{report.PREFIX}{member.number}": member.ledger.encode() for member in self._members if member.ledger
            }
        try:
            self._output.say("operations\n" + report.table(report.merge(report.parse(values))))
        except FmiError as error:
            self._output.say(f"no report: {error}")

    def _release(self) -> None:
        """Whatever happened: nothing is left behind. Idempotent."""
        for process in self._processes():
            process.reap()
        for member in self._members:
            member.close()
        self._output.close()
