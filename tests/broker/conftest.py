"""A broker that serves, clients that are closed in the end, and ranks that act at the same time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from fmi_core.broker import connection
from fmi_core.broker.client import BrokerClient
from fmi_core.broker.curve import protect_client
from fmi_core.broker.server import Broker
from fmi_core.secret import Secret

JOIN_S = 20


class Site:
    """A broker and whoever talks to it."""

    def __init__(self, secret):
        self.secret = secret
        self.opened = []
        self.broker = self.serve()

    def serve(self, **options):
        broker = Broker(options.pop("secret", self.secret), **options)
        self.opened.append(broker.stop)
        broker.start()
        return broker

    def client(self, rank=0, size=1, *, job="job", attempt=0, address=None, secret=None, **options):
        client = BrokerClient(
            address or self.broker.address,
            secret or self.secret,
            job=job,
            rank=rank,
            size=size,
            attempt=attempt,
            **options,
        )
        self.opened.append(client.close)
        return client

    def joined(self, *arguments, **options):
        client = self.client(*arguments, **options)
        client.join(JOIN_S)
        return client

    def all_joined(self, size, **options):
        return [self.joined(rank, size, **options) for rank in range(size)]

    def raw(self, secret=None):
        """A socket with the right keys that can send anything."""
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.linger = 0
        protect_client(socket, secret or self.secret)
        socket.connect(self.broker.address)
        self.opened += [context.term, socket.close]
        return socket

    def close(self):
        for close in reversed(self.opened):
            close()


@pytest.fixture
def secret():
    return Secret("a secret of more than sixteen characters")


@pytest.fixture
def site(secret):
    found = Site(secret)
    yield found
    found.close()


@pytest.fixture
def quick(monkeypatch):
    """The probe of a broker that does not answer does not take long."""
    monkeypatch.setattr(connection, "_PROBE_S", 0.05)


@pytest.fixture
def together():
    """Calls functions at the same time, each in a thread; their results, or the first error."""

    def run(*functions):
        with ThreadPoolExecutor(len(functions)) as pool:
            return [future.result(60) for future in [pool.submit(function) for function in functions]]

    return run


@pytest.fixture
def until():
    """Waits until a condition holds, and returns what it gave."""

    def wait(condition, timeout_s=20):
        deadline_s = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, "it never came about"
            threading.Event().wait(0.005)
        return found

    return wait
