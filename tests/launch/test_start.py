import os
import selectors
from pathlib import Path

import pytest

from fmi_core.launch.command import Program
from fmi_core.launch.failures import Ending
from fmi_core.launch.members import Member
from fmi_core.launch.output import Output
from fmi_core.launch.processes import Process
from fmi_core.launch.start import _listen, start_processes, start_threads


@pytest.fixture
def selector():
    with selectors.PollSelector() as made:
        yield made


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("start", [start_processes, start_threads])
@pytest.mark.parametrize("kind", ["script", "executable"])
def test_what_cannot_be_started_leaves_nothing_open(selector, tmp_path, monkeypatch, start, kind):
    nothing = str(tmp_path / "nothing")
    monkeypatch.setattr("sys.executable", nothing)
    before = descriptors()
    output = Output(selector, stdout=1, stderr=2, ranks=2, labels=True)
    with pytest.raises(FileNotFoundError):
        list(start(Program(kind, nothing), 2, {}, output, selector))
    output.close()
    assert descriptors() == before


def test_last_words_that_come_in_pieces_are_waited_for(selector):
    process = Process(["sleep", "60"], dict(os.environ), stdin=None, stdout=1, stderr=2)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    member = Member(0, process, reader, alone=False)
    _listen(selector, member)
    line = Ending(None).encode()
    for piece, registered in ((line[:5], 1), (line[5:], 0)):
        os.write(writer, piece)
        for key, mask in selector.select(0):
            key.data(mask)
        assert len(selector.get_map()) == registered
    assert member.over
    process.reap()
    member.close()
    os.close(writer)


def test_a_rank_without_last_words_is_not_listened_to(selector):
    process = Process(["true"], dict(os.environ), stdin=None, stdout=1, stderr=2)
    _listen(selector, Member(0, process, -1, alone=True))
    assert not selector.get_map()
    process.reap()
