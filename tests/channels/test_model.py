"""The models of the built-in channels."""

from __future__ import annotations

import pytest

from fmi_core.channels.model import model_of
from fmi_core.errors import ConfigError


@pytest.mark.parametrize("name", ["memory", "unix", "tcp"])
def test_every_channel_has_a_model_with_its_source(name):
    model = model_of(name)
    assert model.name == name
    assert min(model.latency_s, model.overhead_s, model.byte_s, model.fold_byte_s) > 0
    assert model.source


def test_an_unknown_channel_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match="no channel 'pigeon'; expected one of memory, unix, tcp"):
        model_of("pigeon")
