"""A key queue in world time, without sockets: its client reaches the simulated Collate through memory.

Nothing here waits for real time, so a property test plays hours of an authorization in milliseconds.
"""

import heapq
import itertools

import httpx

from adapters.collate.call_policy.budget import Bounds, Budget
from adapters.collate.call_queue import CallQueue
from adapters.collate.client import CollateClient
from adapters.collate.credentials import ApiKey
from adapters.collate.transport import CollateTransport
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import Limits, NoResponse
from adapters.http_connection.http_response import KEPT_HEADERS
from consumers.engine import PartitionLost
from local.collate import DEFAULT_KEY, Options
from local.collate.simulation import Simulation
from local.collate.web.message import Request
from tests.process.key_queue import Crash, KeyQueue

# No call waits for real time: a coroutine of a step never waits.
PLENTY = Bounds(1e9, 64, live_share=0.0, failures=5, open_seconds=5.0, ramp_seconds=0.001, most_waiting=0)


def run_now(coroutine):
    """Return the value of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits")


class Exchange:
    """The end of a request at the simulated Collate. The client receives only complete responses."""

    def __init__(self, wire):
        self.result, self.on_end, self._wire, self._left = None, None, wire, False

    def later(self, seconds, then):
        """Time out on the client; the request arrives later."""
        self._wire.late(seconds, then)
        self.result, self._left = NoResponse(Cause.READ_TIMEOUT, sent=True), True

    def reply(self, reply):
        kept = [(name.lower(), value) for name, value in reply.headers if name.lower().encode() in KEPT_HEADERS]
        self._end(httpx.Response(reply.status, headers=kept, content=reply.body), "answered")

    def cut(self, *_):
        self._end(NoResponse(Cause.RESET, sent=True), "reset")

    def _end(self, result, how):
        if not self._left:
            self.result = result
        self.on_end(how)


class Wire(CollateTransport):
    """A transport that gives each request to the simulated Collate immediately."""

    def __init__(self, sim):
        super().__init__("http://collate.test", Limits(1, 1, 1, 1, 1))
        self._sim, self._late, self._order = sim, [], itertools.count()

    async def call(self, method, path, headers=(), content=None):
        exchange = Exchange(self)
        sent = {name.lower(): value for name, value in headers}
        if content:
            sent["content-type"] = "application/json"
        self._sim.handle(Request(method, path, sent, content or b""), exchange)
        if isinstance(exchange.result, Exception):
            raise exchange.result
        return exchange.result

    def late(self, seconds, then):
        heapq.heappush(self._late, (self._sim.clock.now() + seconds, next(self._order), then))

    def advance(self, seconds):
        """Let world time pass, and let delayed requests arrive."""
        until = self._sim.clock.now() + seconds
        while self._late and self._late[0][0] <= until:
            at, _, then = heapq.heappop(self._late)
            self._sim.advance(max(0.0, at - self._sim.clock.now()))
            then()
        self._sim.advance(max(0.0, until - self._sim.clock.now()))


class InMemoryKeyQueue(KeyQueue):
    """A key queue without sockets: its steps are plain calls."""

    def __init__(self, sim, key_file, authorization_id, **more):
        wire = Wire(sim)

        def connect(queue):
            clock, metrics = sim.clock.now, queue.metrics.collate
            calls = CallQueue(Budget(PLENTY, queue.now(), queue.chance), metrics, monotonic=clock)
            return CollateClient(wire, ApiKey(key_file), calls, metrics, unix=clock)

        super().__init__(sim, connect, authorization_id, advance=wire.advance, **more)

    def next_due(self):
        """Return when this queue has something to do; None for never."""
        return self.retry_at if not self.is_idle else self.timer_at

    def act(self):
        """Do the next step: the oldest record, else the timer that is due."""
        try:
            run_now(self.fire_timer() if self.is_idle else self.invoke())
            self.fuse.point()
        except (Crash, PartitionLost):
            self.restart()

    def run_for(self, seconds, step=None):
        """Let time pass and do what is due on the way, a millisecond apart at least."""
        until = self.now() + seconds
        while (due := self.next_due()) is not None and due <= until:
            self.advance(max(0.001, due - self.now()))
            (step or self.act)()
        self.advance(max(0.0, until - self.now()))


def key_file(directory):
    """Write the key of the simulated Collate to a file; return the file."""
    file = directory / "key"
    file.write_text(DEFAULT_KEY)
    return file


def simulated(directory, *state, readings=None, **wanted):
    """Return the key queue of a new authorization of a simulated Collate in a state."""
    sim = Simulation(Options(seed=1))
    sim.clock.freeze()
    sim.change(**readings or {})
    (authorization,) = sim.create(*state, **wanted)
    return InMemoryKeyQueue(sim, key_file(directory), authorization)
