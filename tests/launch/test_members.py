import os
import time

import pytest

from fmi_core.launch.failures import Ending, Failure, from_status
from fmi_core.launch.members import Member
from fmi_core.launch.processes import Process


class Case:
    def __init__(self, script, *, alone=True, reports=True):
        self.process = Process(["sh", "-c", script], dict(os.environ), stdin=None, stdout=1, stderr=2)
        reader, self.writer = os.pipe() if reports else (-1, -1)
        if reports:
            os.set_blocking(reader, False)
        self.member = Member(3, self.process, reader, alone=alone)

    def end(self):
        deadline = time.monotonic() + 20
        while self.process.status() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.member.check()

    def close(self):
        self.process.reap()
        self.member.close()
        self.member.close()
        if self.writer >= 0:
            os.close(self.writer)


@pytest.fixture
def case():
    made = []

    def make(*arguments, **options):
        made.append(Case(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


_FAILURE = Failure(3, 1, "raised ValueError: boom", "ValueError", "a traceback")


def test_a_rank_that_ends_well(case):
    one = case("exit 0")
    one.end()
    assert one.member.over
    assert one.member.failure is None


def test_a_rank_that_says_nothing_has_its_exit_code(case):
    one = case("exit 4", reports=False)
    assert one.member.read_report() is False
    one.end()
    one.member.check()
    assert one.member.failure.reason == from_status(3, 4).reason


def test_what_a_rank_says_counts_at_once_and_more_than_its_exit_code(case):
    one = case("sleep 60")
    assert one.member.read_report() is True
    line = Ending(_FAILURE).encode()
    os.write(one.writer, line[:20])
    assert one.member.read_report() is True
    assert one.member.failure is None
    os.write(one.writer, line[20:])
    assert one.member.read_report() is False
    assert one.member.failure == _FAILURE
    one.member.check()
    assert not one.member.over  # its exit functions may still run
    one.process.signal_group(9)
    one.end()
    assert one.member.over
    assert one.member.failure == _FAILURE


def test_last_words_are_heard_even_if_the_end_was_seen_first(case):
    one = case("exit 1")
    os.write(one.writer, Ending(_FAILURE).encode())
    one.end()
    assert one.member.failure == _FAILURE


def test_a_rank_among_others_in_a_process_is_over_when_it_says_so(case):
    one = case("sleep 60", alone=False)
    os.write(one.writer, Ending(None, "[]").encode())
    one.member.read_report()
    assert one.member.over
    assert one.member.failure is None
    assert one.member.ledger == "[]"


def test_a_rank_among_others_that_said_nothing_ends_with_the_process(case):
    one = case("exit 5", alone=False)
    one.end()
    assert one.member.failure.code == 5


def test_a_rank_that_spoke_just_before_its_process_ended_is_believed(case):
    one = case("exit 5", alone=False)
    os.write(one.writer, Ending(None).encode())
    one.end()
    assert one.member.failure is None


@pytest.mark.parametrize("said", [b"", b"junk\n", b'{"failure"'])
def test_what_cannot_be_understood_leaves_the_exit_code(case, said):
    one = case("exit 6")
    os.write(one.writer, said)
    os.close(one.writer)
    one.writer = -1
    assert one.member.read_report() is False
    one.end()
    assert one.member.failure.code == 6
