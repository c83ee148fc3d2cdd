"""A clock that moves only when the client waits, and a gateway that answers from a list."""

import httpx
import pytest

from collate_gateway_client import Gateway, RetryPolicy
from collate_gateway_client.synchronous import batches, event_stream, sender

KEY = "cgk_1234_secret"


class FakeTime:
    """Replaces the module `time` of the synchronous client."""

    def __init__(self):
        self.now, self.pauses = 1000.0, []

    def monotonic(self):
        return self.now

    def time(self):
        return 1_700_000_000 + self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    fake = FakeTime()
    for module in (sender, event_stream, batches):
        monkeypatch.setattr(module, "time", fake)
    for module in (sender, event_stream):
        monkeypatch.setattr(module.random, "random", lambda: 0.5)
    return fake


def scripted(*answers, credential=KEY, **options):
    """Return a client whose requests get these answers: responses, exceptions, or functions of the request."""
    left, requests = list(answers), []

    def handle(request):
        requests.append(request)
        answer = left.pop(0)
        answer = answer(request) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.Client(transport=httpx.MockTransport(handle))
    gateway = Gateway("https://gateway.example/", credential, http=http, **options)
    gateway.requests, gateway.left = requests, left
    return gateway


@pytest.fixture
def answering(clock):
    """Return a scripted client with this policy of retries."""

    def answering(*answers, credential=KEY, **policy):
        return scripted(*answers, credential=credential, retries=RetryPolicy(**policy))

    return answering
