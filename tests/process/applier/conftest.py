"""One lane of the engine, played by hand: the real applier and watcher against the real simulated Collate.

Time is the simulated world's: a wait is over as soon as the world has moved there. A crash abandons the turn at a
chosen await point; what was committed stays, and a fresh applier goes on.
"""

import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.client import open_client
from adapters.collate.operations import Operation, write_key
from consumers.applier.applier import Applier
from consumers.applier.context import ApplierContext
from consumers.applier.settings import ApplierSettings
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.state import AuthorizationState
from consumers.engine import UNCHANGED, Done, PartitionLost, Record, RetryAt
from consumers.watcher.watcher import Watcher
from local.collate import Options, SimulatedCollate, named
from runtime.metrics import create_metrics
from runtime.settings import CollateSettings
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import EventType, ReportedOutcome
from schemas.records import RecordedCommand, read_authorization, read_dead_letter, read_event, write_command
from schemas.topics import catalogue

TOPICS = catalogue("t.")
SOURCE = "/collate-gateway/test"
MOST_TURNS = 400
WRITES = (Operation.CREATE_HANDOFF, Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Fuse:
    """Counts await points; blows at one of them."""

    blows_at: int | None = None
    passed: int = 0

    def point(self):
        if self.passed == self.blows_at:
            self.passed += 1
            raise Crash
        self.passed += 1


class FusedCollate:
    """The client, with two await points per call: before anything leaves, and with the answer in hand."""

    def __init__(self, client, fuse):
        self._client = client
        self._fuse = fuse
        self.calls = []

    def __getattr__(self, name):
        call = getattr(self._client, name)

        async def fused(*args, **kwargs):
            self._fuse.point()
            self.calls.append((name, kwargs.get("key")))
            answer = await call(*args, **kwargs)
            self._fuse.point()
            return answer

        return fused


class Turn:
    def __init__(self, lane, now):
        self.key, self.state, self.timer_at = lane.key, lane.memory, lane.timer_at
        self.now, self.since, self.tries, self.failures = now, lane.since, lane.tries, lane.failures
        self._lane = lane

    async def checkpoint(self, state, outputs=()):
        self._lane.fuse.point()
        self._lane.commit(outputs, state)
        self.state = state
        self._lane.fuse.point()

    async def ensure_owned(self):
        self._lane.fuse.point()
        if self._lane.is_lost:
            raise PartitionLost


@dataclass
class Lane:
    """What Kafka has of one authorization, and the process that works on it."""

    sim: SimulatedCollate
    client: object
    authorization_id: str
    policy: ApplierSettings
    memory: bytes | None = None
    timer_at: float | None = None
    records: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    finished: int = 0
    since: float = 0.0
    tries: int = 0
    failures: int = 0
    fuse: Fuse = field(default_factory=Fuse)
    waits: list = field(default_factory=list)
    casualties: int = 0
    is_lost: bool = False

    def __post_init__(self):
        self.metrics = create_metrics(CollectorRegistry()).commands
        self.restart()

    @property
    def key(self):
        return self.authorization_id.encode()

    def now(self):
        return self.sim.now()

    def restart(self):
        """Begin a fresh process."""
        collate = self.collate = FusedCollate(self.client, self.fuse)
        publication = EventWriter(TOPICS, SOURCE)
        chance = random.Random(7).random
        self.watcher = Watcher(collate, publication, self.metrics, chance)
        self.applier = Applier(
            ApplierContext(collate, publication, self.policy, self.metrics, self.watcher.next_timer, chance)
        )
        self.since, self.tries, self.failures = 0.0, 0, 0

    def commit(self, outputs, memory):
        self.outputs += outputs
        if memory is not UNCHANGED:
            self.memory = memory

    def send(self, data, command_id=None, redrive=0, accepted_at=None, caller="intake"):
        """Append a command; return its id."""
        command_id = command_id or str(uuid.uuid4())
        time = datetime.fromtimestamp(accepted_at or self.now(), UTC)
        accepted = RecordedCommand(command_id, caller, self.authorization_id, time, data, redrive)
        headers, value = write_command(accepted, SOURCE)
        self.append(headers, value)
        return command_id

    def append(self, headers, value):
        self.records.append(Record(0, len(self.records), self.key, value, headers, self.now()))

    async def turn(self):
        """Take one turn on the oldest unfinished record; return what was answered."""
        record = self.records[self.finished]
        now = self.now()
        if not self.since:
            self.since = now
        answer = await self.applier.on_record(Turn(self, now), record)
        if isinstance(answer, RetryAt):
            self.tries += 1
            self.waits.append(answer)
            return answer
        self.fuse.point()
        self.commit(answer.outputs, answer.state)
        self.timer_at = answer.timer_at
        self.casualties += answer.dead_lettered
        self.finished += 1
        self.since, self.tries, self.failures = 0.0, 0, 0
        return answer

    async def drain(self):
        """Work until every record is finished; waits pass at once. A crash begins a fresh process."""
        for _ in range(MOST_TURNS):
            if self.finished == len(self.records):
                return
            try:
                answer = await self.turn()
            except Crash:
                self.restart()
                continue
            if isinstance(answer, RetryAt):
                self.pass_until(answer.at)
        raise AssertionError(f"not finished after {MOST_TURNS} turns; waits {Counter(w.reason for w in self.waits)}")

    def pass_until(self, at):
        self.sim.advance(max(0.0, at - self.now()) + 0.001)

    async def observe(self):
        """Take the alarm that stands; return what was answered."""
        assert self.timer_at is not None
        self.pass_until(self.timer_at)
        answer = await self.watcher.on_timer(Turn(self, self.now()))
        self.timer_at = answer.at if isinstance(answer, RetryAt) else answer.timer_at
        if isinstance(answer, Done):
            self.commit(answer.outputs, answer.state)
        return answer

    async def observe_until(self, event_type, most=200):
        for _ in range(most):
            if found := self.events(event_type):
                return found[-1]
            await self.observe()
        raise AssertionError(f"no {event_type} after {most} observations: {[e.data.TYPE for e in self.events()]}")

    # What is to be seen from outside

    def events(self, *types):
        events = [read_event(o.headers, o.value) for o in self.outputs if o.topic == TOPICS.events.name]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1)), "sequence has a gap"
        assert len({event.id for event in events}) == len(events)
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

    def ended_letters(self):
        """What says that a dead letter waits no more: command, redrive and outcome."""
        ended = [one for one in self._of_dead_letters() if isinstance(one, DeadLetterEnded)]
        return [(one.command_id, one.redrive, one.outcome) for one in ended]

    def _of_dead_letters(self):
        return [read_dead_letter(o.headers, o.value) for o in self.outputs if o.topic == TOPICS.dead_letters.name]

    def record(self):
        """The authorization's latest public record."""
        values = [o for o in self.outputs if o.topic == TOPICS.authorizations.name]
        return read_authorization(values[-1].headers, values[-1].value)[1] if values and values[-1].value else None

    def remembered(self):
        return AuthorizationState.decode(self.memory)

    def effects_of(self, command_id):
        """The effects at Collate that any write of this command had."""
        keys = {write_key(command_id, operation, n) for operation in WRITES for n in range(1, 10)}
        kinds = {"handoff_opened", "handoff_closing"}
        return [e for _, e in self.sim.ledger.effects if e.kind in kinds and e.cause.key in keys]

    def check(self, command_id):
        """The promises that hold whatever happens; return the outcome, or None for a dead letter."""
        effects = self.effects_of(command_id)
        assert len(effects) <= 1, effects
        dead = [letter for letter in self.dead_letters() if letter.command_id == command_id]
        if dead:
            return None
        outcome = self.finished_of(command_id)
        if outcome.effect == "ours":
            assert len(effects) == 1, outcome
        if outcome.outcome in {"rejected", "expired", "already_done"}:
            assert not effects, outcome
        return outcome


@pytest.fixture
async def sim():
    async with SimulatedCollate(Options(seed=7)) as simulated:
        yield simulated


@pytest.fixture
async def connected(sim, tmp_path):
    """A client of the simulated Collate with hasty timeouts and a patient budget."""
    key = tmp_path / "key"
    key.write_text("local-collate-key")
    settings = CollateSettings(
        base_url=sim.url,
        api_key_file=key,
        allow_plain_http=True,
        calls_per_second=1e6,
        concurrency=64,
        breaker_failures=1_000_000,
        read_timeout="0.15s",
        connect_timeout="0.15s",
        write_timeout="0.15s",
        total_timeout="0.3s",
    )
    async with open_client(settings, create_metrics(CollectorRegistry()).collate) as client:
        yield client


@pytest.fixture
def make_lane(sim, connected):
    def make(*profile, authorization_id=None, policy=None, readings=None, **wanted):
        if profile or readings:
            sim.world.profile = named(profile, readings or {})
        authorization_id = authorization_id or sim.create(**wanted)[0]
        return Lane(sim, connected, authorization_id, policy or ApplierSettings(digest_key=b"k" * 32))

    return make


@pytest.fixture
def request_():
    return HandoffRequest


@pytest.fixture
def close():
    def make(handoff_id, outcome="submitted", **more):
        return HandoffClose(handoff_id=handoff_id, result=Completed(reported_outcome=ReportedOutcome(outcome), **more))

    return make


@pytest.fixture
def watch():
    return AuthorizationWatch
