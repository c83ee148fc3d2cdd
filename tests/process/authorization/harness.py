"""One lane of the engine in world time, without sockets: applier, watcher and the real client on a simulated Collate.

Nothing here waits for real time, so a property test can play hours of an authorization in milliseconds. What is
committed survives a restart; what the engine only has in memory (an alarm that was not written) doesn't.
"""

import heapq
import itertools
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from adapters.collate.answers import Cause
from adapters.collate.budget import Bounds, Budget
from adapters.collate.call_queue import CallQueue
from adapters.collate.client import CollateClient
from adapters.collate.connection import NoReply
from adapters.collate.credentials import ApiKey
from adapters.collate.http_response import KEPT_HEADERS, HttpResponse
from consumers.applier.applier import Applier
from consumers.applier.context import ApplierContext
from consumers.applier.settings import ApplierSettings
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.state import AuthorizationState
from consumers.engine import UNCHANGED, PartitionLost, Record, RetryAt
from consumers.watcher.cadence import Cadence
from consumers.watcher.watcher import Watcher
from local.collate import DEFAULT_KEY
from local.collate.http.message import Request
from runtime.metrics import create_metrics
from schemas.records import RecordedCommand, read_event, write_command
from schemas.topics import catalogue

TOPICS = catalogue("t.")
SOURCE = "/collate-gateway/test"
PLENTY = Bounds(1e9, 64, live_share=0.0, failures=5, open_seconds=5.0, ramp_seconds=0.001)


def finished(coroutine):
    """Return the value of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


class Exchange:
    """How a request ends at the simulated Collate; everything but a whole answer is lost on the client."""

    def __init__(self, wire):
        self.result, self.on_end, self._wire, self._left = None, None, wire, False

    def later(self, seconds, then):
        """The client has given up by then; the request goes on."""
        self._wire.late(seconds, then)
        self.result, self._left = NoReply(Cause.READ_TIMEOUT, sent=True), True

    def reply(self, reply):
        headers = {name.lower().encode(): value.encode() for name, value in reply.headers}
        kept = {name: value for name, value in headers.items() if name in KEPT_HEADERS}
        self._end(HttpResponse(reply.status, kept, reply.body), "answered")

    def lose(self, *_):
        self._end(NoReply(Cause.RESET, sent=True), "reset")

    reset = truncate = trickle = drop = garbage = endless = hang = lose

    def _end(self, result, how):
        if not self._left:
            self.result = result
        self.on_end(how)


class Wire:
    """Stands for the transport: hands each request to the simulated Collate at once."""

    own_delay_seconds = 0.0

    def __init__(self, sim):
        self._sim, self._late, self._order = sim, [], itertools.count()

    async def send(self, request):
        exchange = Exchange(self)
        headers = {name.lower(): value for name, value in request.headers}
        self._sim.handle(Request(request.method, request.path, "", headers, request.body or b""), exchange)
        return exchange.result

    def late(self, seconds, then):
        heapq.heappush(self._late, (self._sim.clock.now() + seconds, next(self._order), then))

    def advance(self, seconds):
        """Let world time pass, and let requests arrive that were on their way."""
        until = self._sim.clock.now() + seconds
        while self._late and self._late[0][0] <= until:
            at, _, then = heapq.heappop(self._late)
            self._sim.advance(max(0.0, at - self._sim.clock.now()))
            then()
        self._sim.advance(max(0.0, until - self._sim.clock.now()))


class Crash(BaseException):
    """The process dies here."""


class Turn:
    def __init__(self, lane, now):
        self.key, self.state, self.timer_at = lane.key, lane.memory, lane.timer_at
        self.now, self.since, self.tries, self.failures = now, lane.since, lane.tries, 0
        self._lane = lane

    async def checkpoint(self, state, outputs=()):
        self._lane.point()
        self._lane.commit(outputs, state, self.timer_at)
        self.state = state
        self._lane.point()

    async def ensure_owned(self):
        self._lane.point()


@dataclass
class Lane:
    """What Kafka has of one authorization, and the process that works on it."""

    sim: object
    key_file: object
    authorization_id: str
    policy: ApplierSettings = field(default_factory=lambda: ApplierSettings(digest_key=b"k" * 32))
    cadence: Cadence = field(default_factory=Cadence)
    metrics: object = field(default_factory=lambda: create_metrics(CollectorRegistry()))
    bounds: Bounds = PLENTY
    on_outputs: object = lambda outputs: None
    memory: bytes | None = None
    timer_at: float | None = None
    written_alarm_at: float | None = None
    records: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    finished: int = 0
    since: float = 0.0
    tries: int = 0
    again_at: float = 0.0
    blows_in: int | None = None

    def __post_init__(self):
        self.wire = Wire(self.sim)
        self.chance = random.Random(7).random
        self.restart()

    @property
    def key(self):
        return self.authorization_id.encode()

    def now(self):
        return self.sim.now()

    def point(self):
        """Here a process may die."""
        if self.blows_in is not None:
            self.blows_in -= 1
            if self.blows_in < 0:
                self.blows_in = None
                raise Crash

    def restart(self):
        """Begin a fresh process with what Kafka holds; an overdue alarm is spread over one step."""
        now, clock, metrics = self.now(), self.sim.clock.now, self.metrics
        turns = CallQueue(
            Budget(self.bounds, now, self.chance),
            live_patience_seconds=1.0,
            most_waiting=0,
            metrics=metrics.collate,
            monotonic=clock,
            unix=clock,
        )
        client = CollateClient(self.wire, ApiKey(self.key_file), turns, metrics.collate, unix=clock)
        publication = EventWriter(TOPICS, SOURCE)
        self.watcher = Watcher(client, publication, metrics.commands, self.chance, self.cadence)
        desk = ApplierContext(client, publication, self.policy, metrics.commands, self.watcher.next_timer, self.chance)
        self.applier = Applier(desk)
        self.since, self.tries, self.again_at, self.blows_in = 0.0, 0, 0.0, None
        self.timer_at = self.written_alarm_at
        if self.timer_at is not None and self.timer_at <= now:
            self.timer_at = now + self.chance() * self.watcher.spread_seconds(self.memory, now)

    def commit(self, outputs, memory, timer_at):
        """Do as the engine does: memory and alarm are written if the memory changed or the alarm would be missed."""
        after = self.memory if memory is UNCHANGED else memory
        timer_at = None if after is None else timer_at
        written = self.written_alarm_at
        missed = timer_at is not written if None in (timer_at, written) else timer_at < written
        if after != self.memory or missed:
            self.memory, self.written_alarm_at = after, timer_at
        self.outputs += outputs
        self.on_outputs(outputs)

    # What the engine does

    def send(self, data, command_id=None, redrive=0):
        """Append a command; return its id."""
        command_id = command_id or str(uuid.UUID(int=len(self.records) + 1))
        time = datetime.fromtimestamp(self.now(), UTC)
        accepted = RecordedCommand(command_id, "intake", self.authorization_id, time, data, redrive)
        self.append(*write_command(accepted, SOURCE))
        return command_id

    def append(self, headers, value):
        self.records.append(Record(0, len(self.records), self.key, value, headers, self.now()))

    @property
    def is_idle(self):
        return self.finished == len(self.records)

    def next_due(self):
        """Return when this lane has something to do; None for never."""
        return self.again_at if not self.is_idle else self.timer_at

    def act(self):
        """Do the next thing: a turn on the oldest record, else the alarm that is due."""
        try:
            if self.is_idle:
                self._observe()
            else:
                self._turn()
            self.point()
        except (Crash, PartitionLost):
            self.restart()

    def _turn(self):
        now = self.now()
        self.since = self.since or now
        answer = finished(self.applier.on_record(Turn(self, now), self.records[self.finished]))
        if isinstance(answer, RetryAt):
            self.tries += 1
            self.again_at = answer.at
            return
        self.point()
        self.timer_at = answer.timer_at
        self.finished += 1
        self.since, self.tries, self.again_at = 0.0, 0, 0.0
        self.commit(answer.outputs, answer.state, answer.timer_at)

    def _observe(self):
        answer = finished(self.watcher.on_timer(Turn(self, self.now())))
        self.point()
        if isinstance(answer, RetryAt):
            self.timer_at = answer.at
            return
        self.timer_at = answer.timer_at
        self.commit(answer.outputs, answer.state, answer.timer_at)

    def run_for(self, seconds, step=None):
        """Let time pass; whatever is due on the way is done, a millisecond apart at least."""
        until = self.now() + seconds
        while (due := self.next_due()) is not None and due <= until:
            self.wire.advance(max(0.001, due - self.now()))
            (step or self.act)()
        self.wire.advance(max(0.0, until - self.now()))

    # What is to be seen from outside

    def events(self, *types):
        events = [read_event(o.headers, o.value) for o in self.outputs if o.topic == TOPICS.events.name]
        return [event for event in events if not types or event.data.TYPE in types]

    def remembered(self):
        return AuthorizationState.decode(self.memory)


def key_file(directory):
    """Put the simulated Collate's key where the client finds it."""
    file = directory / "key"
    file.write_text(DEFAULT_KEY)
    return file
