import sys

import pytest

from fmi_core.cli import main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-n", "2"], "no program is given"),
        (["-n", "2", "--"], "no program is given"),
        (["-n", "2", "-m"], "no program is given"),
        (["-n", "-1", "true"], "number of ranks is -1"),
        (["-n", "2", "nosuch.py"], "'nosuch.py' not found"),
        (["-n", "2", "-m", "nosuchmodule"], "module 'nosuchmodule' not found"),
        (["-n", "2", "--timeout", "soon", "true"], "--timeout is 'soon'; expected a duration"),
        (["-n", "2", "--timeout", "0", "true"], "--timeout is '0'; expected more than zero"),
        (["-n", "2", "--op-timeout", "5x", "true"], "--op-timeout is '5x'"),
        (["-n", "2", "--join-timeout", "-", "true"], "--join-timeout is '-'"),
        (["-n", "2", "--tune", "ring", "true"], "expected collective:algorithm"),
        (["-n", "2", "--channel", "", "true"], "channel is empty"),
        (["-n", "2", "--channel", "memory", "sh"], "memory channel runs all ranks in one Python process"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(capsys, options, message):
    assert main(["run", *options]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("fmi: error: ")
    assert message in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["true"], "required: -n/--ranks"),
        (["-n", "two", "true"], "invalid int value: 'two'"),
        (["-n", "2", "--hint", "best", "true"], "invalid choice: 'best'"),
        (["-n", "2", "--nosuch", "true"], "unrecognized arguments: --nosuch"),
        (["-n", "2", "--time", "5", "true"], "unrecognized arguments: --time"),
    ],
)
def test_an_unknown_option_is_one_line_and_exit_code_2(capsys, options, message):
    with pytest.raises(SystemExit) as left:
        main(["run", *options])
    assert left.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("fmi: error: ")
    assert message in shown
    assert shown.endswith("see 'fmi run --help'\n")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_output_is_refused(capsys, monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr("builtins.print", lambda text, file=None: None)
        assert main(["run", "-n", "1", "true"]) == 2


def test_options_reach_the_ranks(fmi):
    result = fmi.run(
        "run", "-n", 1, "--op-timeout", "1m", "--join-timeout", "500ms", "--hint", "cheap",
        "--channel", "unix", "--tune", "bcast:binomial", "--timeout", "1h", "--no-labels", "--",
        "sh", "-c", "echo $FMI_TIMEOUT $FMI_JOIN_TIMEOUT $FMI_HINT $FMI_CHANNEL $FMI_TUNE",
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "60.0 0.5 cheap unix bcast:binomial\n")


@pytest.mark.parametrize("arguments", [["-n", "9"], ["--help"], ["--", "x"], ["--version", "-m"]])
def test_what_follows_the_program_is_the_programs(fmi, arguments):
    fmi.write("show.py", "import sys\nprint(sys.argv[1:])\n")
    for command in (["show.py"], ["-m", "show"]):
        result = fmi.run("run", "-n", 1, *command, *arguments)
        assert result.stdout == f"[0] {arguments}\n"


def test_a_report_without_operations_says_so(fmi):
    result = fmi.run("run", "-n", 2, "--report", "true")
    assert (result.returncode, result.stderr) == (0, "fmi: operations\nno operations\n")


def test_the_exit_code_passes(fmi):
    assert fmi.run("run", "-n", 1, "sh", "-c", "exit 42").returncode == 42
