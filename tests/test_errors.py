"""The tree of errors: complete, documented, and able to travel."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from fmi_core import api, errors

SAMPLES = [
    errors.FmiError("m"),
    errors.ConfigError("m", name="FMI_RANK", value="x"),
    errors.ArgumentError("m", argument="dest", value=9),
    errors.TruncationError("m", source=1, tag=2, message_bytes=3, buffer_bytes=2),
    errors.PluginError("m", plugin="aws"),
    errors.RendezvousError("m", missing=[1, 2]),
    errors.ChannelError("m", channel="tcp", retryable=True),
    errors.PeerLostError("m", rank=3, reason="why"),
    errors.AbortedError("m", rank=3, code=7),
    errors.MismatchError("m", calls={0: "a", 1: "b"}),
    errors.DeadlineExceeded("m", seconds=1.5, waiting_for=[4]),
    errors.UnsupportedError("m", feature="Win"),
    errors.IntegrityError("m"),
]


def classes():
    return {name: getattr(errors, name) for name in errors.__all__}


def test_the_samples_are_all_there_are():
    assert {type(sample) for sample in SAMPLES} == set(classes().values())


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_survives_pickling_and_copying_with_its_fields(error):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == "m"
        assert again.__dict__ == error.__dict__


def test_the_tree_in_the_docstring_is_the_tree():
    rows = re.findall(r"[├└]── (\w+) +(?:\((\w+)\))?", errors.__doc__)
    assert {name for name, _ in rows} == set(classes()) - {"FmiError"}
    for name, builtin in rows:
        bases = [base.__name__ for base in classes()[name].__bases__]
        assert bases == ["FmiError", builtin] if builtin else ["FmiError"]


def test_the_plugin_interface_has_them_all():
    for name, error in classes().items():
        assert getattr(api, name) is error
    assert set(classes()) <= set(api.__all__)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_the_docstring_names_every_field(error):
    assert type(error).__doc__
    for field in vars(error):
        assert f"``{field}``" in type(error).__doc__ or field == "value" or f"``{field}`` >" in type(error).__doc__


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(errors.ConfigError, ValueError), (errors.PeerLostError, ConnectionError), (errors.DeadlineExceeded, TimeoutError),
     (errors.ChannelError, OSError), (errors.UnsupportedError, NotImplementedError)],
)  # fmt: skip
def test_a_handler_of_the_built_in_error_is_a_handler_of_ours(error, builtin):
    sample = next(sample for sample in SAMPLES if type(sample) is error)
    with pytest.raises(builtin) as caught:
        raise sample
    assert caught.value is sample


def test_the_docstring_explains_every_class_and_the_tree_has_one_root():
    assert re.search(r"^ +FmiError( +\(\w+\))?( .*)?$", errors.__doc__, re.MULTILINE)
    for name, error in classes().items():
        assert issubclass(error, errors.FmiError)
        assert name == "FmiError" or re.search(rf"── {name} +(\(\w+\) +)?\S.+", errors.__doc__)


def test_notes_survive_and_what_was_passed_in_is_not_shared():
    missing, calls = [1], {0: "a"}
    error, other = errors.RendezvousError("m", missing=missing), errors.MismatchError("m", calls=calls)
    missing.append(2)
    calls[1] = "b"
    assert (error.missing, other.calls) == ((1,), {0: "a"})
    assert errors.MismatchError("m").calls == {}
    error.add_note("on rank 3")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["on rank 3"]


def test_a_value_that_cannot_be_pickled_travels_as_text():
    endless = (number for number in ())
    again = pickle.loads(pickle.dumps(errors.ArgumentError("m", argument="buf", value=endless)))
    assert again.argument == "buf"
    assert again.value == repr(endless)
