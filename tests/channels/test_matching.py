"""MPI's matching rules, by cases and against a model that is too simple to be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG, Matcher, Receive
from fmi_core.errors import TruncationError
from fmi_core.payload import scatter


def post(matcher, source, tag, views=None, context=0):
    receive = Receive(context, source, tag, views)
    matcher.post(receive)
    return receive


def arrive(matcher, source, tag, payload=b"", context=0, complete=True):
    arrival = matcher.arrive(source, context, tag, len(payload), b"d")
    scatter(memoryview(payload), arrival.views)
    if complete:
        arrival.finish()
    return arrival


def test_a_posted_receive_gets_the_payload_in_its_own_memory():
    matcher, memory = Matcher(), bytearray(5)
    receive = post(matcher, 1, 2, [memoryview(memory)[:2], memoryview(memory)[2:]])
    arrival = arrive(matcher, 1, 2, b"abcde", complete=False)
    assert arrival.views is receive.views
    assert not receive.done
    arrival.finish()
    assert receive.done
    assert memory == b"abcde"
    assert receive.arrival.descriptor == b"d"


def test_an_unexpected_message_is_taken_even_before_it_is_complete():
    matcher, memory = Matcher(), bytearray(3)
    arrival = arrive(matcher, 1, 2, b"abc", complete=False)
    assert matcher.early_bytes == 3
    receive = post(matcher, 1, 2, [memoryview(memory)])
    assert matcher.early_bytes == 0
    assert not receive.done
    arrival.finish()
    assert (receive.done, bytes(memory)) == (True, b"abc")


def test_a_receive_without_memory_gets_what_fits():
    matcher = Matcher()
    receive = post(matcher, 0, 0)
    arrive(matcher, 0, 0, b"xyz")
    assert bytes(receive.data) == b"xyz"


def test_a_larger_buffer_is_filled_at_its_beginning():
    matcher, memory = Matcher(), bytearray(b"......")
    post(matcher, 0, 0, [memoryview(memory)])
    arrive(matcher, 0, 0, b"abc")
    assert memory == b"abc..."
    arrive(matcher, 0, 1, b"xy")
    post(matcher, 0, 1, [memoryview(memory)])
    assert memory == b"xyc..."


@pytest.mark.parametrize("posted_first", [True, False])
def test_a_message_that_does_not_fit_is_an_error_of_its_receive_only(posted_first):
    matcher, memory = Matcher(), bytearray(b"..")
    if posted_first:
        receive = post(matcher, 4, 7, [memoryview(memory)])
        arrive(matcher, 4, 7, b"abc")
    else:
        arrive(matcher, 4, 7, b"abc")
        receive = post(matcher, 4, 7, [memoryview(memory)])
    assert receive.done
    assert isinstance(receive.error, TruncationError)
    assert (receive.error.source, receive.error.tag) == (4, 7)
    assert (receive.error.message_bytes, receive.error.buffer_bytes) == (3, 2)
    assert memory == b".."


def test_contexts_never_meet():
    matcher = Matcher()
    receive = post(matcher, ANY_SOURCE, ANY_TAG, context=2)
    arrive(matcher, 0, 0, b"other", context=4)
    assert not receive.done
    assert matcher.probe(2, ANY_SOURCE, ANY_TAG) is None


def test_a_probe_leaves_the_message_and_sees_the_first_that_matches():
    matcher = Matcher()
    arrive(matcher, 1, 5, b"one")
    arrive(matcher, 2, 5, b"two")
    assert matcher.probe(0, ANY_SOURCE, 5).source == 1
    assert matcher.probe(0, 2, ANY_TAG).source == 2
    assert matcher.probe(0, 2, 6) is None
    assert [arrival.source for arrival in matcher.unexpected()] == [1, 2]


def test_cancel_withdraws_what_is_not_matched():
    matcher = Matcher()
    exact, wild = post(matcher, 1, 1), post(matcher, ANY_SOURCE, 1)
    assert matcher.cancel(exact)
    assert matcher.cancel(wild)
    arrive(matcher, 1, 1, b"x")
    assert not exact.done
    assert not wild.done
    taken = post(matcher, 1, 1)
    assert not matcher.cancel(taken)


def test_who_is_waited_for():
    matcher = Matcher()
    assert not matcher.posted_from(3)
    post(matcher, 3, 0)
    assert matcher.posted_from(3)
    assert not matcher.posted_from(2)
    post(matcher, ANY_SOURCE, 0)
    assert matcher.posted_from(2)


class Model:
    """Two lists, searched from the front."""

    def __init__(self):
        self.posted = []
        self.waiting = []
        self.pairs = []

    @staticmethod
    def fits(receive, message):
        return receive[1] in (ANY_SOURCE, message[1]) and receive[2] in (ANY_TAG, message[2])

    def post(self, receive):
        for message in self.waiting:
            if self.fits(receive, message):
                self.waiting.remove(message)
                self.pairs.append((receive[0], message[0]))
                return
        self.posted.append(receive)

    def arrive(self, message):
        for receive in self.posted:
            if self.fits(receive, message):
                self.posted.remove(receive)
                self.pairs.append((receive[0], message[0]))
                return
        self.waiting.append(message)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("post"), st.sampled_from([ANY_SOURCE, 0, 1]), st.sampled_from([ANY_TAG, 0, 1])),
            st.tuples(st.just("arrive"), st.sampled_from([0, 1]), st.sampled_from([0, 1])),
        ),
        max_size=40,
    )
)
def test_any_order_of_posts_and_arrivals_is_matched_as_the_model_does(actions):
    matcher, model, receives = Matcher(), Model(), {}
    for number, (what, source, tag) in enumerate(actions):
        if what == "post":
            receives[number] = post(matcher, source, tag)
            model.post((number, source, tag))
        else:
            arrive(matcher, source, tag, number.to_bytes(2, "little"))
            model.arrive((number, source, tag))
    got = {(n, int.from_bytes(r.data, "little")) for n, r in receives.items() if r.done}
    assert got == set(model.pairs)
    left = [int.from_bytes(arrival.data, "little") for arrival in matcher.unexpected()]
    assert left == [message[0] for message in model.waiting]
    assert matcher.early_bytes == 2 * len(left)


# --- the order of wildcards and exact receives, case by case --------------------------------------


@pytest.mark.parametrize(
    "first", [(1, 5), (ANY_SOURCE, 5), (1, ANY_TAG), (ANY_SOURCE, ANY_TAG)], ids=["exact", "source", "tag", "both"]
)
@pytest.mark.parametrize(
    "second", [(1, 5), (ANY_SOURCE, 5), (1, ANY_TAG), (ANY_SOURCE, ANY_TAG)], ids=["exact", "source", "tag", "both"]
)
def test_of_two_receives_that_match_the_one_posted_first_is_served_first(first, second):
    matcher = Matcher()
    receives = [post(matcher, *first), post(matcher, *second)]
    arrive(matcher, 1, 5, b"one")
    assert [receive.done for receive in receives] == [True, False]
    arrive(matcher, 1, 5, b"two")
    assert [bytes(receive.data) for receive in receives] == [b"one", b"two"]


def test_a_wildcard_posted_first_that_does_not_match_is_passed_over():
    matcher = Matcher()
    others = [post(matcher, 2, ANY_TAG), post(matcher, ANY_SOURCE, 6)]
    exact = post(matcher, 1, 5)
    later = post(matcher, ANY_SOURCE, ANY_TAG)
    arrive(matcher, 1, 5)
    assert exact.done
    arrive(matcher, 1, 5)
    assert later.done
    assert not any(receive.done for receive in others)


@pytest.mark.parametrize(
    ("source", "tag", "expected"),
    [(ANY_SOURCE, ANY_TAG, b"a"), (ANY_SOURCE, 5, b"b"), (1, ANY_TAG, b"b"), (1, 5, b"b"), (2, ANY_TAG, b"a")],
)
def test_of_the_messages_that_match_the_one_that_came_first_is_taken(source, tag, expected):
    matcher = Matcher()
    for sender, with_tag, payload in ((2, 6, b"a"), (1, 5, b"b"), (2, 5, b"c"), (1, 6, b"d"), (1, 5, b"e")):
        arrive(matcher, sender, with_tag, payload)
    assert bytes(matcher.probe(0, source, tag).data) == expected
    assert bytes(post(matcher, source, tag).data) == expected


def test_messages_do_not_overtake_even_if_the_second_is_complete_first():
    matcher = Matcher()
    first = arrive(matcher, 1, 5, b"one", complete=False)
    arrive(matcher, 1, 5, b"two")
    one, two = post(matcher, ANY_SOURCE, 5), post(matcher, 1, ANY_TAG)
    assert (one.done, two.done) == (False, True)
    first.finish()
    assert [bytes(receive.data) for receive in (one, two)] == [b"one", b"two"]


def test_a_message_found_by_a_probe_can_be_taken_out_of_turn():
    matcher = Matcher()
    for payload in (b"one", b"two", b"three"):
        arrive(matcher, 1, 5, payload)
    second = matcher.unexpected()[1]
    receive = Receive(0, ANY_SOURCE, ANY_TAG, None)
    matcher.take(second, receive)
    assert bytes(receive.data) == b"two"
    assert matcher.early_bytes == 8
    assert [bytes(post(matcher, 1, 5).data) for _ in range(2)] == [b"one", b"three"]
    assert matcher.early_bytes == 0


def test_an_incomplete_message_can_be_taken_and_too_large_ones_fail_when_complete():
    matcher = Matcher()
    arrival = arrive(matcher, 1, 5, b"abc", complete=False)
    receive = Receive(0, 1, 5, [memoryview(bytearray(2))])
    matcher.take(matcher.probe(0, 1, 5), receive)
    assert (receive.done, receive.error) == (False, None)
    arrival.finish()
    assert isinstance(receive.error, TruncationError)
    assert "give a buffer of at least the message's size" in str(receive.error)


@pytest.mark.parametrize("sizes", [None, (), (0,), (0, 3)])
@pytest.mark.parametrize("posted_first", [True, False])
def test_messages_without_bytes(sizes, posted_first):
    matcher = Matcher()
    views = None if sizes is None else [memoryview(bytearray(size)) for size in sizes]
    if posted_first:
        receive = post(matcher, 1, 5, views)
        arrive(matcher, 1, 5)
    else:
        arrive(matcher, 1, 5)
        assert matcher.early_bytes == 0
        receive = post(matcher, 1, 5, views)
    assert receive.done
    assert receive.error is None
    assert receive.data.nbytes == 0


def test_a_buffer_without_bytes_takes_no_others():
    matcher = Matcher()
    receive = post(matcher, 1, 5, [])
    arrive(matcher, 1, 5, b"x")
    assert (receive.error.message_bytes, receive.error.buffer_bytes) == (1, 0)


def test_a_withdrawn_receive_leaves_those_beside_it():
    matcher = Matcher()
    exact = [post(matcher, 1, 5) for _ in range(3)]
    wild = [post(matcher, ANY_SOURCE, 5) for _ in range(3)]
    assert matcher.cancel(exact[1])
    assert matcher.cancel(wild[0])
    for _ in range(4):
        arrive(matcher, 1, 5)
    assert [receive.done for receive in (*exact, *wild)] == [True, False, True, False, True, True]
    assert matcher.unexpected() == []
    assert not matcher.posted_from(1)


# --- all of it together, against a model ----------------------------------------------------------

CONTEXTS = st.sampled_from((0, 2))
SOURCES = st.sampled_from((0, 1, 2))
TAGS = st.sampled_from((0, 7))
ANY_OF_SOURCES = st.sampled_from((ANY_SOURCE, 0, 1, 2))
ANY_OF_TAGS = st.sampled_from((ANY_TAG, 0, 7))


class Sent:
    def __init__(self, arrival, payload):
        self.arrival, self.payload, self.complete = arrival, payload, False


class Wanted:
    """A receive as the model sees it."""

    def __init__(self, receive, memory):
        self.receive, self.memory, self.sent = receive, memory, None

    def fits(self, sent):
        mine, its = self.receive, sent.arrival
        return (
            mine.context == its.context
            and mine.source in (ANY_SOURCE, its.source)
            and mine.tag in (ANY_TAG, its.tag)
        )  # fmt: skip

    def check(self):
        receive = self.receive
        assert receive.arrival is (self.sent.arrival if self.sent else None)
        assert receive.done == bool(self.sent and self.sent.complete)
        if not receive.done:
            assert receive.error is None
        elif self.memory is None:
            assert bytes(receive.data) == self.sent.payload
        elif len(self.sent.payload) > len(self.memory):
            assert isinstance(receive.error, TruncationError)
            assert self.memory == b"." * len(self.memory)
        else:
            assert receive.error is None
            assert self.memory == self.sent.payload.ljust(len(self.memory), b".")


class Matching(RuleBasedStateMachine):
    """Posts, arrivals in two halves, probes and withdrawals; the model is two lists, searched from the front."""

    def __init__(self):
        super().__init__()
        self.matcher = Matcher()
        self.posted, self.waiting, self.under_way, self.matched = [], [], [], []
        self.count = 0

    def pair(self, wanted, sent):
        wanted.sent = sent
        self.matched.append(wanted)

    def wanted(self, context, source, tag, capacity):
        memory = None if capacity is None else bytearray(b"." * capacity)
        half = None if memory is None else capacity // 2
        views = None if memory is None else [memoryview(memory)[:half], memoryview(memory)[half:]]
        return Wanted(Receive(context, source, tag, views), memory)

    @rule(context=CONTEXTS, source=ANY_OF_SOURCES, tag=ANY_OF_TAGS, capacity=st.none() | st.integers(0, 5))
    def post(self, context, source, tag, capacity):
        wanted = self.wanted(context, source, tag, capacity)
        self.matcher.post(wanted.receive)
        sent = next(filter(wanted.fits, self.waiting), None)
        if sent is None:
            self.posted.append(wanted)
        else:
            self.waiting.remove(sent)
            self.pair(wanted, sent)

    @rule(context=CONTEXTS, source=SOURCES, tag=TAGS, size=st.integers(0, 5), complete=st.booleans())
    def arrive(self, context, source, tag, size, complete):
        self.count += 1
        payload = bytes([self.count % 256]) * size
        sent = Sent(self.matcher.arrive(source, context, tag, size, b""), payload)
        scatter(memoryview(payload), sent.arrival.views)
        wanted = next((wanted for wanted in self.posted if wanted.fits(sent)), None)
        if wanted is None:
            self.waiting.append(sent)
        else:
            self.posted.remove(wanted)
            self.pair(wanted, sent)
        self.under_way.append(sent)
        if complete:
            self.finish(len(self.under_way) - 1)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 50))
    def finish(self, which):
        sent = self.under_way.pop(which % len(self.under_way))
        sent.complete = True
        sent.arrival.finish()

    @rule(context=CONTEXTS, source=ANY_OF_SOURCES, tag=ANY_OF_TAGS, take=st.booleans())
    def probe(self, context, source, tag, take):
        wanted = self.wanted(context, source, tag, None)
        sent = next(filter(wanted.fits, self.waiting), None)
        found = self.matcher.probe(context, source, tag)
        assert found is (sent.arrival if sent else None)
        if take and found is not None:
            self.matcher.take(found, wanted.receive)
            self.waiting.remove(sent)
            self.pair(wanted, sent)

    @precondition(lambda self: self.posted)
    @rule(which=st.integers(0, 50))
    def cancel(self, which):
        wanted = self.posted.pop(which % len(self.posted))
        assert self.matcher.cancel(wanted.receive)

    @precondition(lambda self: self.matched)
    @rule(which=st.integers(0, 50))
    def cancel_too_late(self, which):
        assert not self.matcher.cancel(self.matched[which % len(self.matched)].receive)

    @invariant()
    def agrees(self):
        assert self.matcher.unexpected() == [sent.arrival for sent in self.waiting]
        assert self.matcher.early_bytes == sum(len(sent.payload) for sent in self.waiting)
        for source in (0, 1, 2):
            expected = any(wanted.receive.source in (ANY_SOURCE, source) for wanted in self.posted)
            assert self.matcher.posted_from(source) == expected
        for wanted in (*self.posted, *self.matched):
            wanted.check()


TestMatching = Matching.TestCase
TestMatching.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
