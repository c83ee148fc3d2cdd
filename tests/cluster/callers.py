"""Callers that record every response that a well-installed gateway would not give."""

import itertools
import time
from collections import Counter
from dataclasses import dataclass

import httpx

from local.scene.callers import Callers

# 422: the load sends some keys with another body. 404 and 409: it asks for links to handoffs that are closed.
OF_THE_LOAD = frozenset({200, 201, 202, 404, 409, 422})
RETRIED = 503


@dataclass(frozen=True)
class Disturbance:
    """A response that is neither the load's own doing nor 503, or a connection that broke."""

    at: float
    what: str


class CountingCallers(Callers):
    """Count responses; keep the disturbances, and the requests that got no other response than 503 for a minute."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.responses = Counter()
        self.disturbances = []
        self.given_up = []
        self.longest_wait = 0.0  # from the first try of a request to its response
        self.events = []
        self._numbers = itertools.count()

    def on_event(self, event):
        self.events.append(event)
        super().on_event(event)

    async def _case(self, number):
        # Each case of the run starts to count again, but no name may be used twice.
        await super()._case(next(self._numbers))

    async def _send(self, caller, path, body, headers):
        try:
            response = await super()._send(caller, path, body, headers)
        except httpx.TransportError as error:
            self._note(type(error).__name__, f"{type(error).__name__} {path}: {error}")
            raise
        self._note(response.status_code, f"{response.status_code} {path}: {response.text[:200]}")
        return response

    async def _until_response(self, caller, path, body, headers):
        began = time.monotonic()
        response = await super()._until_response(caller, path, body, headers)
        self.longest_wait = max(self.longest_wait, time.monotonic() - began)
        if response is None:
            self.given_up.append(path)
        return response

    def _note(self, outcome, what):
        self.responses[outcome] += 1
        if outcome not in OF_THE_LOAD and outcome != RETRIED:
            self.disturbances.append(Disturbance(time.monotonic(), what))
