"""The engine's key queue of one authorization: the real applier and watcher on a simulated Collate, one step at a time.

The only harness for a key queue. Time is the simulated world's. Committed state survives a restart; a timer that the
engine keeps only in memory does not. A crash abandons the invocation at a chosen await point.
"""

import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from adapters.collate.operations import Operation, write_key
from consumers.applier.applier import Applier
from consumers.applier.context import ApplierContext
from consumers.applier.turns import passing_of, turn_of
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.numbers.handoff_numbers import HandoffNumbers
from consumers.authorization.state import AuthorizationState, unknown_caller_of
from consumers.engine import UNCHANGED, PartitionLost, PartitionView, Passing, Record, RetryAt
from consumers.watcher.cadence import Cadence
from consumers.watcher.watcher import Watcher
from gateway.ingress.dead_letters.actions import redrive_of
from local.phi_keys import new_keys
from runtime.metrics import Metrics, PayerLabels
from runtime.settings import CollateSettings, WorkerSettings
from schemas.api.dead_letters import DeadLetterDecision
from schemas.commands import HandoffRequest
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import DecisionReason, EventType
from schemas.identity import request_id
from schemas.promises.partition import SeenPartition
from schemas.promises.seen import logged_command, logged_event
from schemas.records import RecordedCommand, read_authorization, read_dead_letter, read_event, write_command
from schemas.topics import catalogue

TOPICS = catalogue("t.")
SOURCE = "/collate-gateway/test"
MOST_INVOCATIONS = 400
PROFILES = [
    "v2",
    "v3",
    "stores_errors",
    "forgets_keys",
    "fingerprints_if_match",
    "ignores_preconditions",
    "stale_replicas",
]
WRITES = (Operation.CREATE_HANDOFF, Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Fuse:
    """Counts await points, and crashes at one of them."""

    blows_at: int | None = None
    passed: int = 0

    def arm(self, points):
        """Crash at the point after that many; None for never."""
        self.passed, self.blows_at = 0, points

    def point(self):
        self.passed += 1
        if self.passed - 1 == self.blows_at:
            self.blows_at = None
            raise Crash


class QueueInvocation:
    """The engine's `Invocation`."""

    def __init__(self, queue, turn=None):
        self.key, self.state, self.timer_at = queue.key, queue.state, queue.timer_at
        self.since, self.tries, self.failures = queue.since, queue.tries, queue.failures
        self.turn = turn
        self._queue = queue

    @property
    def now(self):
        return self._queue.now()

    @property
    def steady(self):
        return self._queue.now()

    @property
    def partition(self):
        own, until = unknown_caller_of(self.state or b""), self._queue.read_until
        groups = Counter(self._queue.groups) + Counter([own] if own else [])
        return PartitionView(groups, lambda: self._queue.now() if until is None else until)

    async def checkpoint(self, state, outputs=(), on_commit=()):
        self._queue.fuse.point()
        self._queue.commit(outputs, state, self.timer_at, on_commit)
        self.state = state
        self._queue.fuse.point()

    async def ensure_owned(self):
        self._queue.fuse.point()
        if self._queue.is_lost:
            raise PartitionLost


def require_valid(output):
    """Events and public records are built without validation: require the bytes of their validated models."""
    if output.topic == TOPICS.events.name:
        assert read_event(output.headers, output.value).data.to_json() == output.value
    elif output.topic == TOPICS.authorizations.name and output.value is not None:
        assert read_authorization(output.headers, output.value)[1].to_json() == output.value


def contract(**readings):
    """Return the settings for what Collate's documentation leaves open."""
    return CollateSettings(base_url="https://collate.example", api_key_file="/unread", **readings)


@dataclass
class KeyQueue:
    """What Kafka holds of one authorization, and the process that works on it.

    `connect` returns the process's client for Collate; it is called at each restart. `ahead` is its clock's error.
    """

    sim: object
    connect: object
    authorization_id: str
    limits: object = field(default_factory=WorkerSettings)
    contract: object = field(default_factory=contract)
    digest_key: bytes = b"k" * 32
    keys: object = field(default_factory=new_keys)
    cadence: Cadence = field(default_factory=Cadence)
    metrics: object = field(default_factory=lambda: Metrics(CollectorRegistry()))
    has_writes: bool = True
    on_outputs: object = lambda outputs: None
    advance: object = None
    state: bytes | None = None
    timer_at: float | None = None
    stored_timer_at: float | None = None
    records: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    finished: int = 0
    since: float = 0.0
    tries: int = 0
    failures: int = 0
    retry_at: float = 0.0
    kept_wait: tuple | None = None
    waits: list = field(default_factory=list)
    dead_lettered: int = 0
    is_lost: bool = False
    ahead: float = 0.0
    read_until: float | None = None
    groups: dict = field(default_factory=dict)
    is_state_forged: bool = False
    event_ids: set = field(default_factory=set)
    fuse: Fuse = field(default_factory=Fuse)
    _sequence: int = 0
    _sent: int = 0

    def __post_init__(self):
        self.chance = random.Random(7).random
        self.advance = self.advance or self.sim.advance
        self.restart()

    @property
    def key(self):
        return self.authorization_id.encode()

    def now(self):
        return self.sim.now() + self.ahead

    def restart(self):
        """Start a new process with what Kafka holds; an overdue timer is spread over one step."""
        self.fuse.blows_at = None
        self.collate = self.connect(self)
        numbers = HandoffNumbers(self.metrics.people, PayerLabels(()))
        writer, metrics = EventWriter(TOPICS, SOURCE, numbers), self.metrics.commands
        self.watcher = Watcher(self.collate, writer, metrics, self.chance, self.cadence)
        self.applier = Applier(
            ApplierContext(
                self.collate,
                self.collate if self.has_writes else None,
                writer,
                self.limits,
                self.contract,
                self.digest_key,
                self.keys,
                metrics,
                self.watcher.next_timer,
                self.chance,
            )
        )
        self.kept_wait = None
        self._start_record()
        self.timer_at = self.stored_timer_at
        if self.timer_at is not None and self.timer_at <= self.now():
            self.timer_at = self.now() + self.chance() * self.watcher.spread_seconds(self.state, self.now())

    def commit(self, outputs, state, timer_at, on_commit=()):
        """Commit as the engine does: state and timer are written if the state changed, or the timer became earlier."""
        after = self.state if state is UNCHANGED else state
        timer_at = None if after is None else timer_at
        stored = self.stored_timer_at
        is_earlier = timer_at is not stored if None in (timer_at, stored) else timer_at < stored
        for output in outputs:
            if output.topic == TOPICS.events.name:
                self._sequence += 1
                event = read_event(output.headers, output.value)
                assert event.sequence == self._sequence, "sequence has a gap"
                assert event.id not in self.event_ids, "an event's id was used again"
                self.event_ids.add(event.id)
                if event.data.TYPE in {EventType.COMMAND_FINISHED, EventType.COMMAND_DEAD_LETTERED}:
                    assert event.causation_id == event.data.command_id, "a waiting request finds its outcome by this id"
        if after != self.state or is_earlier:
            self.state, self.stored_timer_at = after, timer_at
        if after is None:
            self._sequence = 0
        for output in outputs:
            require_valid(output)
        self.outputs += outputs
        self.on_outputs(outputs)
        for say in on_commit:
            say()

    def _start_record(self):
        self.since, self.tries, self.failures, self.retry_at = 0.0, 0, 0, 0.0

    def _next_record(self):
        self._start_record()
        if self.kept_wait is not None and not self.is_idle and passing_of(self.records[self.finished]) is Passing.NO:
            self.since, self.tries, self.failures, self.retry_at = self.kept_wait
            self.kept_wait = None

    # One step

    def send(self, data, command_id=None, redrive=0, accepted_at=None, caller="intake", *, own_handoffs=False):
        """Append a command; return its id."""
        self._sent += 1
        command_id = command_id or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.authorization_id} {self._sent}"))
        time = datetime.fromtimestamp(accepted_at or self.now(), UTC)
        command = RecordedCommand(
            command_id, caller, self.authorization_id, time, data, redrive, own_handoffs=own_handoffs
        )
        self.append(*write_command(command, SOURCE, self.keys))
        return command_id

    async def apply(self, *arguments, **options):
        """Append a command and invoke until every record is finished; return the command's id."""
        command_id = self.send(*arguments, **options)
        await self.drain()
        return command_id

    def append(self, headers, value):
        record = Record(0, len(self.records), self.key, value, headers, self.now())
        if (passing := passing_of(record)) is not Passing.NO and not self.is_idle:
            if passing is Passing.ENDS_WAIT:
                self.kept_wait = None
            elif passing_of(self.records[self.finished]) is Passing.NO:
                self.kept_wait = (self.since, self.tries, self.failures, self.retry_at)
            self.records.insert(self.finished, record)
            self._start_record()
        else:
            self.records.append(record)

    async def invoke(self):
        """Invoke the applier on the oldest unfinished record; return its result."""
        self.since = self.since or self.now()
        record = self.records[self.finished]
        result = await self.applier.on_record(QueueInvocation(self, turn_of(record)), record)
        if isinstance(result, RetryAt):
            self.tries += 1
            self.retry_at = result.at
            self.waits.append(result)
            return result
        self.fuse.point()
        self.finished += 1
        self.dead_lettered += result.dead_lettered is not None
        self._next_record()
        self._finish(result)
        return result

    async def fire_timer(self):
        """Invoke the watcher; return its result."""
        result = await self.watcher.on_timer(QueueInvocation(self))
        self.fuse.point()
        if isinstance(result, RetryAt):
            self.timer_at = result.at
        else:
            self._finish(result)
        return result

    def _finish(self, result):
        self.timer_at = result.timer_at
        self.commit(result.outputs, result.state, result.timer_at, result.on_commit)

    # Many steps

    @property
    def is_idle(self):
        return self.finished == len(self.records)

    def pass_until(self, at):
        self.advance(max(0.0, at - self.now()) + 0.001)

    async def drain(self, on_crash=None):
        """Invoke until every record is finished; waits pass immediately. A crash starts a new process."""
        for _ in range(MOST_INVOCATIONS):
            if self.is_idle:
                return
            try:
                result = await self.invoke()
            except Crash:
                (on_crash or self.restart)()
                continue
            if isinstance(result, RetryAt):
                self.pass_until(result.at)
        reasons = Counter(wait.reason for wait in self.waits)
        raise AssertionError(f"not finished after {MOST_INVOCATIONS} invocations; waits: {reasons}")

    async def drain_all(self):
        """Invoke until every record is finished, however many there are."""
        while not self.is_idle:
            if isinstance(result := await self.invoke(), RetryAt):
                self.pass_until(result.at)

    async def observe(self):
        """Let time pass until the timer, and fire it; return the result."""
        assert self.timer_at is not None
        self.pass_until(self.timer_at)
        return await self.fire_timer()

    async def observe_until(self, event_type, most=200):
        for _ in range(most):
            if found := self.events(event_type):
                return found[-1]
            await self.observe()
        raise AssertionError(f"no {event_type} after {most} observations: {[e.data.TYPE for e in self.events()]}")

    # What is visible from outside

    def violations(self):
        """What `gateway check promises` would find in these records."""
        seen = SeenPartition(is_whole=True)
        written = [
            SimpleNamespace(**one._asdict(), offset=place, timestamp=0) for place, one in enumerate(self.outputs)
        ]
        for one in written:
            if one.topic == TOPICS.authorizations.name:
                number = None if one.value is None else int(dict(one.headers)["ce_sequence"])
                seen.see_record(self.authorization_id, number, one.offset)
        seen.records_read()
        for one in written:
            seen.see_value(one.topic, self.authorization_id, one.offset, one.value)
            if one.topic == TOPICS.events.name:
                seen.see_event(logged_event(one))
        seen.compare_records()
        for record in self.records[: self.finished]:
            seen.see_command(logged_command(record, record.partition))
        seen.lost_ends()
        return seen.findings.violations

    def events(self, *types):
        events = [read_event(o.headers, o.value) for o in self.outputs if o.topic == TOPICS.events.name]
        return [event for event in events if not types or event.data.TYPE in types]

    def finished_of(self, command_id, redrive=None):
        """The one command.finished of a command."""
        found = [
            event.data
            for event in self.events(EventType.COMMAND_FINISHED)
            if event.data.command_id == command_id and event.data.redrive == redrive
        ]
        assert len(found) == 1, found
        return found[0]

    def dead_letters(self):
        return [one for one in self._of_dead_letters() if isinstance(one, DeadLetter)]

    def ended_dead_letters(self):
        """Command, redrive and outcome of each dead letter that ended."""
        ended = [one for one in self._of_dead_letters() if isinstance(one, DeadLetterEnded)]
        return [(one.command_id, one.redrive, one.outcome) for one in ended]

    def _of_dead_letters(self):
        return [read_dead_letter(o.headers, o.value) for o in self.outputs if o.topic == TOPICS.dead_letters.name]

    def public_record(self):
        """The latest public record; None after its deletion."""
        records = [o for o in self.outputs if o.topic == TOPICS.authorizations.name]
        return read_authorization(records[-1].headers, records[-1].value)[1] if records and records[-1].value else None

    def state_ids(self):
        """Return the ids of the records on `authorizations`."""
        mine = (output for output in self.outputs if output.topic == TOPICS.authorizations.name)
        return [dict(output.headers)["ce_id"] for output in mine if output.value is not None]

    def decoded_state(self):
        return AuthorizationState.decode(self.state)

    def effects_of(self, command_id):
        """The effects at Collate of all writes of this command."""
        keys = {write_key(command_id, operation, n) for operation in WRITES for n in range(1, 10)}
        kinds = {"handoff_opened", "handoff_closing"}
        return [e for _, e in self.sim.ledger.effects if e.kind in kinds and e.cause.key in keys]

    def check(self, command_id):
        """Check the promises that always hold; return the outcome, or None for a dead letter."""
        effects = self.effects_of(command_id)
        assert len(effects) <= 1, effects
        if any(dead_letter.command_id == command_id for dead_letter in self.dead_letters()):
            return None
        outcome = self.finished_of(command_id)
        if outcome.effect == "ours":
            assert len(effects) == 1, outcome
        if outcome.outcome in {"rejected", "expired", "already_done"}:
            assert not effects, outcome
        return outcome


async def opened(queue):
    """Open a handoff, and return its id."""
    command = queue.send(HandoffRequest())
    await queue.drain()
    return queue.check(command).handoff_id


def redrive(queue, dead_letter, number=None, keys=None):
    """Append the redrive that the ingress makes of a dead letter, under another number if one is given."""
    keys = keys or queue.keys
    decision = DeadLetterDecision(reason=DecisionReason.CHECKED_BY_HAND, ticket="OPS-1", redrive=dead_letter.redrive)
    data = redrive_of(dead_letter.command_id, dead_letter, decision, "op", keys)
    data = data.model_copy(update={"redrive": number or data.redrive})
    record_id = request_id("redrive", dead_letter.command_id, data.redrive)
    current, queue.keys = queue.keys, keys
    queue.send(data, record_id, data.redrive, caller="on-call")
    queue.keys = current
