import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fmi_core.cli
from fmi_core.cli import COMMANDS, main


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert import_module(f"fmi_core.cli.{name}").HELP in shown
    assert "examples:" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples_variables_and_exit_codes(capsys, name):
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: fmi {name} ")
    for part in ("examples:", "environment variables", "exit codes:", "FMI_BROKER", "FMI_SECRET"):
        assert part in shown


def test_every_module_here_is_a_command():
    found = {path.stem for path in Path(fmi_core.cli.__file__).parent.glob("*.py")} - {"__init__"}
    assert found == set(COMMANDS)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "fmi: error: the following arguments are required: COMMAND; see 'fmi --help'"),
        (["fly"], "invalid choice: 'fly'"),
        (["--nosuch"], "fmi: error: "),
        (["--vers"], "fmi: error: "),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(capsys, argv, message):
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("fmi-core ")


def test_the_version_of_a_copy_that_is_not_installed(capsys, monkeypatch):
    def missing(_name):
        raise fmi_core.cli.metadata.PackageNotFoundError

    monkeypatch.setattr(fmi_core.cli.metadata, "version", missing)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("fmi-core (not installed), Python 3")


def test_an_error_of_ours_is_one_line_and_exit_code_2(capsys):
    assert main(["run", "-n", "0", "true"]) == 2
    assert capsys.readouterr().err == "fmi: error: the number of ranks is 0; expected 1 or more\n"


def test_the_package_runs_as_a_module(fmi):
    result = fmi.run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("fmi-core ")
    result = fmi.run("run", "-n", 2, "nosuchtool")
    assert result.returncode == 2
    assert result.stderr.startswith("fmi: error: program 'nosuchtool' not found")


def test_importing_the_package_as_a_module_does_not_run_it():
    import_module("fmi_core.__main__")


def test_help_loads_nothing_heavy():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, fmi_core.cli\n"
                "try:\n    fmi_core.cli.main(['run', '--help'])\nexcept SystemExit:\n    print(*sys.modules)"
            ),
        ],
        cwd=Path(fmi_core.cli.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "argparse" in loaded
    assert not {"numpy", "zmq", "pluggy", "tabulate", "asyncio", "fmi_core.launch.job"} & set(loaded)
