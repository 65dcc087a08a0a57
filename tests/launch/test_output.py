import fcntl
import os
import pty
import selectors
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmi_core.launch.output import LineSplitter, Output, Sink, label


@given(st.lists(st.binary(max_size=40)))
def test_lines_are_the_same_however_the_bytes_arrive(pieces):
    data = b"".join(pieces)
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.close()
    assert b"".join(lines) == data + (b"\n" if data and not data.endswith(b"\n") else b"")
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"d\ne", b"\n\n"])), st.integers(1, 4))
def test_a_line_is_cut_at_the_limit_and_loses_nothing(pieces, limit):
    splitter = LineSplitter(limit)
    lines = []
    for piece in pieces:
        lines += splitter.feed(piece)
        assert splitter.close() == [] or len(piece) < limit + 2  # what is held stays below the limit
    splitter = LineSplitter(limit)
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.close()
    assert b"".join(lines).replace(b"\n", b"") == b"".join(pieces).replace(b"\n", b"")
    assert all(len(line) <= limit + 2 for line in lines)


def test_a_line_below_the_limit_waits_and_one_at_the_limit_does_not():
    splitter = LineSplitter(4)
    assert splitter.feed(b"abc") == []
    assert splitter.feed(b"d") == [b"abcd\n"]
    assert splitter.close() == []


@pytest.mark.parametrize(
    ("rank", "ranks", "text"),
    [(0, 1, b"[0] "), (3, 10, b"[3] "), (3, 11, b"[ 3] "), (10, 11, b"[10] "), (-1, 11, b"[ *] ")],
)
def test_labels_are_aligned(rank, ranks, text):
    assert label(rank, ranks, colour=False) == text


def test_a_coloured_label_ends_its_colour_before_the_line():
    assert label(1, 4, colour=True) == b"\x1b[33m[1]\x1b[0m "


@contextmanager
def pipe():
    ends = list(os.pipe())
    try:
        yield ends
    finally:
        for fd in ends:
            if fd >= 0:
                os.close(fd)


def test_a_sink_keeps_what_a_full_output_does_not_take():
    with pipe() as (reader, writer):
        os.set_blocking(writer, False)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        sink = Sink(writer)
        sink.push(b"x" * 10_000)
        for _ in range(5):
            sink.write_some()
        assert sink.waiting_bytes == 10_000 - 4096
        assert sink.error is None
        os.read(reader, 4096)
        sink.write_some()
        assert sink.waiting_bytes == 10_000 - 2 * 4096


def test_a_sink_that_nobody_reads_keeps_its_error_and_nothing_else():
    with pipe() as ends:
        os.close(ends[0])
        ends[0] = -1
        sink = Sink(ends[1])
        sink.push(b"x")
        sink.write_some()
        assert isinstance(sink.error, BrokenPipeError)
        sink.push(b"more")
        assert sink.waiting_bytes == 0


class Rig:
    """An Output between pipes that the test holds the other ends of."""

    def __init__(self, stack, *, same=False, ranks=2, labels=True, stdout=None):
        self.selector = stack.enter_context(selectors.PollSelector())
        self.out = stack.enter_context(pipe())
        self.err = stack.enter_context(pipe())
        os.set_blocking(self.out[0], False)
        os.set_blocking(self.err[0], False)
        stdout = self.out[1] if stdout is None else stdout
        self.output = Output(
            self.selector, stdout=stdout, stderr=stdout if same else self.err[1], ranks=ranks, labels=labels
        )
        stack.callback(self.output.close)

    def attach(self, rank, name):
        reader, writer = os.pipe()
        self.output.attach(reader, rank, name, {})
        return writer

    def turn(self, times=1):
        for _ in range(times):
            for key, mask in self.selector.select(0):
                key.data(mask)

    def said(self, ends=None):
        data = b""
        try:
            while piece := os.read((ends or self.out)[0], 65536):
                data += piece
        except BlockingIOError:
            pass
        return data


@pytest.fixture
def stack():
    from contextlib import ExitStack

    with ExitStack() as held:
        yield held


def test_only_whole_lines_come_out_and_each_to_its_own_output(stack):
    rig = Rig(stack)
    one, two, error = rig.attach(0, "stdout"), rig.attach(1, "stdout"), rig.attach(1, "stderr")
    os.write(one, b"first ha")
    os.write(two, b"whole\nrest")
    os.write(error, b"\xff\x00junk\n")
    rig.turn(3)
    assert rig.said() == b"[1] whole\n"
    assert rig.said(rig.err) == b"[1] \xff\x00junk\n"
    os.write(one, b"lf\n")
    rig.turn(3)
    assert rig.said() == b"[0] first half\n"
    for fd in (one, two, error):
        os.close(fd)
    rig.turn(3)
    assert rig.said() == b"[1] rest\n"
    assert rig.output.open == 0


def test_without_labels_lines_are_as_they_are(stack):
    rig = Rig(stack, labels=False)
    writer = rig.attach(0, "stdout")
    os.write(writer, b"plain\n")
    rig.turn(2)
    assert rig.said() == b"plain\n"
    os.close(writer)


def test_outputs_that_are_one_file_never_cut_each_others_lines(stack):
    rig = Rig(stack, same=True)
    out, err = rig.attach(0, "stdout"), rig.attach(1, "stderr")
    long = b"x" * 10_000  # more than one write
    for _ in range(5):
        os.write(out, long + b"\n")
        os.write(err, b"short\n")
    os.close(out)
    os.close(err)
    rig.output.finish(lambda: False)
    lines = rig.said().splitlines()
    assert sorted(lines) == [b"[0] " + long] * 5 + [b"[1] short"] * 5


def clog(rig, writer):
    """Write until the launcher takes no more; how much it was."""
    os.set_blocking(writer, False)
    written, stuck = 0, 0
    while stuck < 3:
        try:
            written += os.write(writer, b"y" * 999 + b"\n")
            stuck = 0
        except BlockingIOError:
            stuck += 1
            rig.turn(3)
        assert written < 4 * 2**20
    return written


def test_a_reader_that_takes_nothing_holds_the_ranks_up_and_nothing_is_lost(stack):
    rig = Rig(stack)
    writer = rig.attach(0, "stdout")
    written = clog(rig, writer)
    error = rig.attach(1, "stderr")
    os.write(error, b"the other output goes on\n")
    rig.turn(3)
    assert rig.said(rig.err) == b"[1] the other output goes on\n"
    late = rig.attach(1, "stdout")  # waits too
    os.write(late, b"z\n")
    for fd in (writer, error, late):
        os.close(fd)
    received = b""
    while rig.output.open or any(sink.waiting_bytes for sink in rig.output._streams):
        rig.turn()
        received += rig.said()
    assert received.replace(b"[0] ", b"").count(b"y") == written // 1000 * 999 + written % 1000
    assert b"\n[1] z\n" in received


def test_a_pipe_that_is_held_open_is_cut_behind_what_it_holds(stack):
    rig = Rig(stack)
    held, empty = rig.attach(0, "stdout"), rig.attach(1, "stdout")
    os.write(held, b"before\nand a rest")
    rig.output.cut()
    os.write(held, b"after\n")
    rig.output.finish(lambda: False)
    assert rig.said() == b"[0] before\n[0] and a rest\n"
    os.close(held)
    os.close(empty)


def test_news_of_a_pipe_that_is_not_read_any_more_is_ignored(stack):
    rig = Rig(stack)
    writer = rig.attach(0, "stdout")
    (news,) = [key.data for key in rig.selector.get_map().values()]
    news(selectors.EVENT_READ)  # nothing is there after all
    os.close(writer)
    news(selectors.EVENT_READ)
    assert rig.output.open == 0
    news(selectors.EVENT_READ)  # it came with the news of the end


def test_finishing_gives_up_when_told(stack):
    rig = Rig(stack)
    writer = rig.attach(0, "stdout")
    clog(rig, writer)
    asked = []
    rig.output.cut()
    rig.output.finish(lambda: bool(asked.append(1)) or len(asked) > 2)
    assert len(asked) == 3
    assert rig.output.open == 0
    os.close(writer)


def test_what_the_launcher_says_goes_to_the_standard_error_as_lines(stack):
    rig = Rig(stack)
    rig.output.say("rank 1 failed:\nTraceback \udcff")
    rig.turn(2)
    assert rig.said(rig.err) == b"fmi: rank 1 failed:\nTraceback \\udcff\n"


def test_a_broken_output_is_noticed(stack):
    rig = Rig(stack)
    os.close(rig.out[0])
    rig.out[0] = -1
    writer = rig.attach(0, "stdout")
    os.write(writer, b"nobody reads this\n")
    assert rig.output.error is None
    rig.turn(2)
    assert isinstance(rig.output.error, BrokenPipeError)
    os.close(writer)
    rig.output.finish(lambda: False)


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_only(stack, environ, coloured):
    main, terminal = pty.openpty()
    stack.callback(os.close, main)
    stack.callback(os.close, terminal)
    rig = Rig(stack, same=True, stdout=terminal)
    reader, writer = os.pipe()
    rig.output.attach(reader, 0, "stdout", environ)
    os.write(writer, b"hello\n")
    rig.turn(2)
    assert os.read(main, 100).startswith(b"\x1b[36m[0]\x1b[0m hello") is coloured
    os.close(writer)
