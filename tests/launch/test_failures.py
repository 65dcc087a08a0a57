import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmi_core.errors import AbortedError, IntegrityError, MismatchError, PeerLostError
from fmi_core.launch.failures import (
    Ending,
    Failure,
    consequences,
    from_exception,
    from_status,
    headline,
    rank_list,
    root_cause,
)

_failures = st.builds(
    Failure,
    rank=st.integers(0, 99),
    code=st.integers(1, 255),
    reason=st.text(),
    error=st.text(),
    traceback=st.text(),
    blames=st.integers(-1, 99),
    mismatch=st.booleans(),
    when_s=st.floats(0, 1e6),
)


@given(st.builds(Ending, st.none() | _failures, st.text()))
def test_an_ending_survives_its_way_over_the_pipe(ending):
    line = ending.encode()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Ending.decode(line) == ending


@pytest.mark.parametrize("line", [b"", b"junk", b"[]", b"{}", b'{"failure": {"rank": 1}, "ledger": ""}', b"\xff"])
def test_what_is_no_ending_is_refused(line):
    with pytest.raises(IntegrityError, match="last record cannot be read"):
        Ending.decode(line)


def caught(function):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it raises is what is wanted
        function()
    return caught.value


def raising(error):
    def function():
        raise error

    return function


def test_an_exception_is_kept_with_the_users_part_of_the_traceback():
    before = time.monotonic()
    failure = from_exception(2, caught(lambda: compile("(", "their.py", "exec")), [__file__])
    assert (failure.rank, failure.code, failure.error, failure.blames) == (2, 1, "SyntaxError", -1)
    assert failure.reason == "raised SyntaxError: '(' was never closed"
    assert __file__ not in failure.traceback
    assert 'File "their.py", line 1' in failure.traceback
    assert before <= failure.when_s <= time.monotonic()


def test_only_the_outer_frames_are_left_out():
    namespace = {"call": raising(ValueError("boom"))}
    code = compile("def f():\n    call()\n\nf()", "their.py", "exec")
    failure = from_exception(0, caught(lambda: exec(code, namespace)), [__file__])
    lines = [line.strip() for line in failure.traceback.splitlines() if line.strip().startswith("File")]
    assert lines[0] == 'File "their.py", line 4, in <module>'
    assert lines[1] == 'File "their.py", line 2, in f'
    assert __file__ in lines[2]
    assert headline(failure) == f"rank 0 failed:\n{failure.traceback.rstrip()}"


def test_an_exception_that_cannot_be_shown_is_reported_all_the_same():
    class HopelessError(Exception):
        def __str__(self):
            raise RuntimeError("no")

    failure = from_exception(0, caught(raising(HopelessError())), [])
    assert failure.reason == "raised HopelessError: <exception str() failed>"


def test_the_reason_is_one_line_of_bearable_length():
    assert from_exception(0, ValueError(), []).reason == "raised ValueError"
    assert from_exception(0, ValueError("a\nb   c"), []).reason.count("\n") == 0
    assert len(from_exception(0, ValueError("x" * 10_000), []).reason) < 600


def test_a_huge_traceback_keeps_its_head_and_its_tail():
    failure = from_exception(0, ValueError("start" + "x" * 1_000_000 + "end"), [])
    assert len(failure.traceback) < 70_000
    assert failure.traceback.startswith("ValueError: start")
    assert failure.traceback.endswith("end\n")
    assert "characters left out" in failure.traceback


def test_a_lost_peer_is_a_consequence_and_so_is_what_comes_of_it():
    lost = PeerLostError("rank 3 is gone", rank=3)
    assert from_exception(1, lost, []).blames == 3

    def handled():
        try:
            raise lost
        except PeerLostError as error:
            raise RuntimeError("while handling it") from error

    def handled_badly():
        try:
            raise lost
        except PeerLostError:
            raise KeyError("again") from None

    assert from_exception(1, caught(handled), []).blames == 3
    assert from_exception(1, caught(handled_badly), []).blames == 3
    assert from_exception(1, ValueError(), []).blames == -1


def test_a_chain_that_bites_its_tail_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert from_exception(0, first, []).blames == -1


def test_an_abort_counts_for_the_rank_that_did_it():
    error = AbortedError("rank 2 had enough", rank=2, code=7)
    own, other = from_exception(2, error, []), from_exception(0, error, [])
    assert (own.code, own.blames, own.traceback) == (7, -1, "")
    assert headline(own) == "rank 2 aborted the job with code 7: rank 2 had enough"
    assert (other.code, other.blames) == (7, 2)
    assert from_exception(2, AbortedError("", rank=2, code=256), []).code == 1


def test_an_interrupted_rank_ends_as_if_by_the_signal():
    assert from_exception(0, KeyboardInterrupt(), []).code == 130


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (3, 3, "rank 1 exited with code 3"),
        (-signal.SIGKILL, 137, "rank 1 was killed by SIGKILL"),
        (
            -(signal.SIGRTMIN + 1),
            128 + signal.SIGRTMIN + 1,
            f"rank 1 was killed by signal {signal.SIGRTMIN + 1}",
        ),
    ],
)
def test_a_status_becomes_an_exit_code_and_a_sentence(status, code, text):
    failure = from_status(1, status)
    assert failure.code == code
    assert headline(failure) == text


def failed(rank, when_s, *, blames=-1, error="ValueError", mismatch=False):
    return Failure(rank, 1, f"raised {error}: x", error, blames=blames, mismatch=mismatch, when_s=when_s, traceback="t")


def test_the_root_cause_is_the_first_that_blames_nobody():
    lost = failed(0, 1.0, blames=2, error="PeerLostError")
    root, later = failed(2, 2.0), failed(1, 3.0)
    assert root_cause([lost, later, root]) is root
    assert root_cause([lost]) is lost
    with pytest.raises(ValueError, match="empty"):
        root_cause([])


def test_the_others_are_told_in_one_line_for_each_way_they_ended():
    root = failed(2, 1.0)
    known = [
        failed(5, 2.0, blames=2, error="PeerLostError"),
        failed(0, 2.0, blames=2, error="PeerLostError"),
        failed(1, 2.0),
        root,
    ]
    assert consequences(root, known, [3, 4]) == [
        "ranks 0, 5 raised PeerLostError as a consequence",
        "rank 1 raised ValueError: x too",
        "ranks 3-4 were stopped",
    ]
    assert consequences(root, [root], [3]) == ["rank 3 was stopped"]
    assert consequences(root, [root], []) == []


def test_ranks_that_disagree_all_say_so_and_the_first_one_counts():
    first = from_exception(1, MismatchError("ranks disagree"), [])
    second = from_exception(0, MismatchError("ranks disagree"), [])
    assert root_cause([second, first]) is first
    assert consequences(first, [second, first], []) == ["rank 0 raised MismatchError as a consequence"]
    other = failed(2, 0.0)
    assert consequences(other, [other, first], []) == ["rank 1 raised MismatchError: ranks disagree too"]


@pytest.mark.parametrize(
    ("ranks", "text"),
    [([3], "rank 3"), ([2, 0, 1], "ranks 0-2"), ([0, 2, 3, 7], "ranks 0, 2-3, 7"), ([4, 6], "ranks 4, 6")],
)
def test_ranks_are_listed_for_people(ranks, text):
    assert rank_list(ranks) == text
