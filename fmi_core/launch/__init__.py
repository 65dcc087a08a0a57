"""Starting the ranks of a job on this machine: what ``fmi run`` does, as a function."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["run"]


def run(
    command: Sequence[str],
    ranks: int,
    *,
    module: bool = False,
    timeout_s: float | None = None,
    op_timeout_s: float | None = None,
    join_timeout_s: float | None = None,
    hint: str | None = None,
    channel: str | None = None,
    tune: str | None = None,
    report: bool = False,
    labels: bool = True,
    mpi4py: bool = False,
    stdout: int = 1,
    stderr: int = 2,
) -> int:
    """Run ``command`` on ``ranks`` ranks of this machine, and return when all of them are gone.

    Call it from the main thread: it handles SIGINT, SIGTERM, SIGHUP and SIGCHLD while it runs.

    Args:
        command: the program and its arguments; a ``.py`` file and a module (``module=True``) run under
            this Python and report their failures, anything else is executed as it is.
        ranks: how many ranks, at least 1.
        module: the first word of ``command`` is a module's name, as for ``python -m``.
        timeout_s: stop the whole job after so many seconds; ``None``: never.
        op_timeout_s: how long one operation may wait (``FMI_TIMEOUT``).
        join_timeout_s: how long start-up may wait for all ranks (``FMI_JOIN_TIMEOUT``).
        hint: the objective, ``fast`` or ``cheap`` (``FMI_HINT``).
        channel: ``auto``, ``tcp``, ``unix``, a plugin's channel (``FMI_CHANNEL``), or ``memory``: the ranks
            are threads of one process.
        tune: forced algorithms, such as ``allreduce:ring`` (``FMI_TUNE``).
        report: print a table of the operations at the end, to ``stderr``.
        labels: put ``[rank]`` before every line.
        mpi4py: answer the program's ``import mpi4py`` with fmi-core (``FMI_MPI4PY``).
        stdout: the descriptor that the ranks' standard output goes to.
        stderr: the descriptor for their standard error, and for what the launcher has to say.

    Returns:
        0 if every rank ended with 0; else the exit code of the rank that failed first (128 + signal when
        one killed it), 124 after ``timeout_s``, 128 + signal when the launcher was told to stop, 141 when
        nobody reads the output any more.

    Raises:
        ConfigError: an option or an output is wrong, or there is no such program; nothing was started.
        UnsupportedError: called from a thread that is not the main thread.
        FmiError: the broker or a rank could not be started; nothing is left running.
    """
    from fmi_core.launch.command import resolve
    from fmi_core.launch.job import Job
    from fmi_core.launch.options import Options

    options = Options(
        ranks=ranks,
        timeout_s=timeout_s,
        op_timeout_s=op_timeout_s,
        join_timeout_s=join_timeout_s,
        hint=hint,
        channel=channel,
        tune=tune,
        report=report,
        labels=labels,
        mpi4py=mpi4py,
    )
    return Job(resolve(command, module=module, mpi4py=mpi4py), options, stdout=stdout, stderr=stderr).run()
