import os
import select
import signal
import threading

from fmi_core.errors import UnsupportedError
from fmi_core.launch.signals import Signals


def readable(signals):
    return bool(select.select([signals], [], [], 0)[0])


def test_signals_are_kept_in_order_and_wake_a_selector():
    with Signals() as signals:
        assert not readable(signals)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.stops == [signal.SIGTERM, signal.SIGINT]
        assert readable(signals)
        signals.drain()
        assert not readable(signals)


def test_a_childs_end_wakes_but_does_not_stop():
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGCHLD)
        assert readable(signals)
        assert signals.stops == []


def test_everything_is_as_it_was_afterwards():
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in handled]
    with Signals():
        assert [signal.getsignal(number) for number in handled] != before
    assert [signal.getsignal(number) for number in handled] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_hangup_that_is_ignored_stays_ignored():
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.stops == []
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_a_thread_is_told_that_it_cannot():
    raised = []

    def enter():
        try:
            with Signals():
                pass
        except UnsupportedError as error:
            raised.append(str(error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "main thread" in raised[0]
