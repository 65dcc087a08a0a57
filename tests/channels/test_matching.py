"""MPI's matching rules, by cases and against a model that is too simple to be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
