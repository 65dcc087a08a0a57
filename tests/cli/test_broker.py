import shlex
import signal
import socket

import pytest

from fmi_core.cli import broker, main
from fmi_core.secret import Secret

_SECRET = "a secret of more than sixteen characters"


def start(fmi, *options, secret=None):
    """A running broker, the lines that it shows, and its address."""
    if secret is not None:
        fmi.environment["FMI_SECRET"] = secret
    job = fmi.start("broker", "--bind", "tcp://127.0.0.1:0", *options)
    lines = [job.stdout.readline().rstrip("\n") for _ in range(6)]
    return job, lines, lines[0].split()[4].rstrip(";")


def variables(lines):
    words = (shlex.split(line, comments=True) for line in lines)
    return dict(word[1].split("=", 1) for word in words if word[:1] == ["export"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(fmi, number):
    job, lines, address = start(fmi)
    assert lines[0] == f"fmi broker: listening on {address}; stop it with Ctrl-C"
    job.send_signal(number)
    out, err = job.communicate(timeout=20)
    assert (job.returncode, out, err) == (0, "", "")
    fmi.assert_nothing_left()


def test_it_takes_as_many_connections_as_the_system_allows(fmi):
    import resource
    from pathlib import Path

    job, _, _ = start(fmi)
    rows = Path(f"/proc/{job.pid}/limits").read_text().splitlines()
    (row,) = (row for row in rows if row.startswith("Max open files"))
    job.terminate()
    job.communicate(timeout=20)
    most = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert row.split()[3:5] == [most, most]


def test_without_a_secret_it_makes_one_and_shows_how_to_start_ranks(fmi):
    from fmi_core.broker.client import BrokerClient

    job, lines, address = start(fmi)
    told = variables(lines)
    assert told["FMI_BROKER"] == address
    assert (told["FMI_SIZE"], told["FMI_RANK"]) == ("2", "0")
    client = BrokerClient(told["FMI_BROKER"], Secret(told["FMI_SECRET"]), job="job", rank=0, size=2)
    client.join(20)
    client.put("key", b"value")
    assert client.get("key") == b"value"
    client.leave()
    client.close()
    job.terminate()
    job.communicate(timeout=20)


@pytest.mark.parametrize("way", ["environment", "file"])
def test_a_secret_that_is_given_is_used_and_never_shown(fmi, way):
    from fmi_core.broker.client import BrokerClient

    if way == "file":
        fmi.environment["FMI_SECRET"] = "another secret, which the file overrides"
        job, lines, address = start(fmi, "--secret-file", fmi.write("secret", _SECRET + "\n"))
    else:
        job, lines, address = start(fmi, secret=_SECRET)
    client = BrokerClient(address, Secret(_SECRET), job="job", rank=0, size=1)
    client.join(20)
    client.close()
    job.terminate()
    out, err = job.communicate(timeout=20)
    assert _SECRET not in "\n".join([*lines, out, err])
    assert "FMI_SECRET" not in variables(lines)


def test_an_address_that_is_taken_is_one_line(fmi):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = fmi.run("broker", "--bind", f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("fmi: error: ")
    assert "in use" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bind", "localhost"], "--bind is 'localhost'; expected tcp://HOST:PORT"),
        (["--bind", "tcp://127.0.0.1"], "expected tcp://HOST:PORT"),
        (["--bind", "tcp://127.0.0.1:65536"], "expected tcp://HOST:PORT"),
        (["--bind", "ipc:///tmp/x"], "expected tcp://HOST:PORT"),
        (["--job-ttl", "never"], "--job-ttl is 'never'; expected a duration"),
        (["--secret-file", "/nowhere/secret"], "'/nowhere/secret' cannot be read: No such file"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(capsys, options, message):
    assert main(["broker", *options]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("fmi: error: ")
    assert message in shown
    assert shown.count("\n") == 1


def test_a_secret_that_is_no_use_is_refused_and_not_shown(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FMI_SECRET", "too short")
    assert main(["broker"]) == 2
    shown = capsys.readouterr().err
    assert "has 9 characters, expected at least 16" in shown
    assert "too short" not in shown
    (tmp_path / "junk").write_bytes(b"\xff" * 40)
    assert main(["broker", "--secret-file", str(tmp_path / "junk")]) == 2
    assert "cannot be read: it is not text" in capsys.readouterr().err


@pytest.mark.parametrize("bind", ["tcp://*:7077", "tcp://[::1]:0", "tcp://a-host.example:*", "tcp://0.0.0.0:1"])
def test_addresses_in_all_their_forms(bind):
    assert broker._checked(bind) == bind


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "[::]"])
def test_ranks_are_not_told_to_connect_to_everywhere(host):
    told = variables(broker._instructions(f"tcp://{host}:7077", None).splitlines())
    assert told["FMI_BROKER"] == f"tcp://{socket.gethostname()}:7077"
