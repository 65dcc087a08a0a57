import math

import pytest

from fmi_core.errors import ConfigError
from fmi_core.launch.options import Options
from fmi_core.settings import Settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ranks": 0}, "number of ranks is 0; expected 1 or more"),
        ({"ranks": -3}, "-3"),
        ({"timeout_s": 0.0}, r"timeout_s is 0\.0"),
        ({"op_timeout_s": -1.0}, r"op_timeout_s is -1\.0"),
        ({"join_timeout_s": math.nan}, "join_timeout_s is nan"),
        ({"timeout_s": math.inf}, "timeout_s is inf"),
        ({"hint": "best"}, "'best'; expected one of fast, cheap"),
        ({"channel": ""}, "channel is empty"),
        ({"tune": "ring"}, "collective:algorithm"),
    ],
)
def test_a_wrong_option_is_named(given, message):
    with pytest.raises(ConfigError, match=message):
        Options(**({"ranks": 2} | given))


def test_ranks_understand_what_they_are_told():
    options = Options(
        ranks=3, op_timeout_s=2.5, join_timeout_s=1e-5, hint="cheap", channel="unix", tune="bcast:binomial"
    )
    told = options.variables({}) | {"FMI_RANK": "1", "FMI_BROKER": "tcp://x:1", "FMI_SECRET": "s" * 20}
    settings = Settings.from_environment(told)
    assert (settings.rank, settings.size, settings.timeout_s, settings.join_timeout_s) == (1, 3, 2.5, 1e-5)
    assert (settings.hint, settings.channel, settings.tune) == ("cheap", "unix", {"bcast": "binomial"})


def test_what_is_not_given_is_left_as_the_environment_has_it():
    environ = {"FMI_TIMEOUT": "7s", "FMI_BIND": "10.0.0.1", "PATH": "/bin", "FMI_CHANNEL": "tcp"}
    assert Options(ranks=2).variables(environ) == environ | {"FMI_SIZE": "2"}
    assert Options(ranks=2, channel="unix").variables(environ)["FMI_CHANNEL"] == "unix"


def test_nothing_of_another_job_is_inherited():
    names = ("FMI_RANK", "FMI_ATTEMPT", "FMI_BROKER", "FMI_SECRET", "FMI_JOB", "FMI_SIZE")
    assert Options(ranks=2).variables(dict.fromkeys(names, "9")) == {"FMI_SIZE": "2"}


@pytest.mark.parametrize(
    ("channel", "environ", "expected"),
    [
        (None, {}, False),
        ("memory", {}, True),
        (None, {"FMI_CHANNEL": "memory"}, True),
        ("tcp", {"FMI_CHANNEL": "memory"}, False),
    ],
)
def test_the_memory_channel_is_known_from_the_option_or_the_environment(channel, environ, expected):
    assert Options(ranks=2, channel=channel).in_memory(environ) is expected
