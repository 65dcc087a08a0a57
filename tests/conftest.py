"""The real command as a subprocess, and a way to see whether it left anything running."""

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import fmi_core

_ROOT = str(Path(fmi_core.__path__[0]).parent)


class Fmi:
    """Runs ``fmi`` with a mark in its environment that everything it starts inherits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen] = []
        self.mark = f"TEST_MARK={uuid.uuid4().hex}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FMI_")}
        path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))
        name, _, value = self.mark.partition("=")
        self.environment = inherited | {"PYTHONPATH": path, name: value}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "fmi_core", *map(str, arguments)]

    def run(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        options = {"text": True, "capture_output": True, "timeout": 50, "stdin": subprocess.DEVNULL} | options
        if "input" in options:
            del options["stdin"]
        environment = self.environment | options.pop("env", {})
        return subprocess.run(self.command(*arguments), cwd=self.folder, env=environment, check=False, **options)

    def in_shell(self, line: str, *arguments: object) -> subprocess.CompletedProcess:
        """Run ``line``, in which ``{}`` stands for the command."""
        return subprocess.run(
            ["sh", "-c", line.format(shlex.join(self.command(*arguments)))],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: object, **options) -> subprocess.Popen:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        job = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            **options,
        )
        self._started.append(job)
        return job

    def close(self) -> None:
        """A failed test leaves nothing behind either."""
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        for job in self._started:
            job.wait()
            for stream in (job.stdout, job.stderr):
                if stream is not None:
                    stream.close()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def running(self) -> list[int]:
        """The processes with this mark that are not zombies."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes()
                alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            except OSError:
                continue
            if marked and alive:
                found.append(int(entry.name))
        return found

    def assert_nothing_left(self) -> None:
        deadline = time.monotonic() + 5
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.running() == []


@pytest.fixture
def fmi(tmp_path):
    runner = Fmi(tmp_path)
    yield runner
    runner.close()
