"""Checks of a gateway's run: its commands and events, compared with the effects at Collate.

The checks are pure and use `history.check`. `gateway_evidence` turns the topics, the callers' responses and the ledger
of the simulated Collate into these values. All times are Unix seconds of one clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adapters.collate.operations import Operation, write_key
from tests.chaos import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ENDS: Final = ("command.finished", "command.dead_lettered")
MOST_WRITES: Final = 8
# The timestamps of records are in milliseconds.
CLOCK_SECONDS: Final = 0.002
_OPERATIONS: Final = {
    "handoff.request": (Operation.CREATE_HANDOFF,),
    "handoff.close": (Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE),
}


@dataclass(frozen=True, slots=True)
class LoggedCommand:
    """A record on `commands`. The records of an authorization are in the order of the topic."""

    id: str
    authorization_id: str
    type: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A record on `events`, in the order of the topic. `at` is its timestamp."""

    authorization_id: str
    sequence: int
    kind: str
    cause: str | None = None
    at: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollateEffect:
    """An effect at Collate with its cause. `key` is the idempotency key of its call."""

    kind: str
    at: float
    handoff_id: str | None
    by: str
    key: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class CollateRequest:
    """A write that Collate received: its key, and the parts that identify the request."""

    key: str
    request: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """The state of an authorization that Collate shows, with payer truth."""

    status: str
    outcome: str | None
    receipt: bool
    decision: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The evidence of a run, after all commands have ended."""

    commands: Sequence[LoggedCommand]
    events: Sequence[LoggedEvent]
    effects: Sequence[CollateEffect]
    requests: Sequence[CollateRequest] = ()
    accepted: frozenset[str] = frozenset()  # ids of the commands with a 202 or 200 response
    granted: frozenset[str] = frozenset()  # the operators that received a link; each name is used once
    dead_letters: Mapping[str, str] = field(default_factory=dict)  # the cause of each dead letter, by command id
    shown: Mapping[tuple[str, int], tuple[float, Truth]] = field(
        default_factory=dict
    )  # by authorization and version: since when, and the state
    records: Mapping[str, tuple[int, Truth]] = field(
        default_factory=dict
    )  # the last record on `authorizations`, by authorization
    leaks: Sequence[str] = ()  # places where a secret was found


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: its rule, and the place."""

    rule: str
    where: str


def find_violations(run: Run) -> list[Violation]:
    """Return all violations. The list is empty if the run kept its promises."""
    return [
        *_history(run),
        *_promises(run),
        *_effects(run),
        *_requests(run),
        *_reports(run),
        *_payer_truth(run),
        *_last_records(run),
        *(Violation("a secret was published or logged", leak) for leak in run.leaks),
    ]


def effects_of(run: Run) -> tuple[dict[str, list[CollateEffect]], list[CollateEffect]]:
    """Return the gateway's effects by command id, and the effects with an unknown key."""
    owner = {
        write_key(command.id, operation, n): command.id
        for command in {command.id: command for command in run.commands}.values()
        for operation in _OPERATIONS.get(command.type, ())
        for n in range(MOST_WRITES + 1)
    }
    ours: dict[str, list[CollateEffect]] = defaultdict(list)
    unknown = []
    for effect in run.effects:
        if effect.by == "client" and effect.kind in {"handoff_opened", "handoff_closing"}:
            if effect.key in owner:
                ours[owner[effect.key]].append(effect)
            else:
                unknown.append(effect)
    return ours, unknown


def _history(run: Run) -> Iterator[Violation]:
    """Each command has one end, in the order of the topic. Events have sequence numbers without gaps."""
    first = {command.id: command for command in reversed(run.commands)}
    commands = {id_: command for id_, command in first.items() if command.type != "handoff.record_access"}
    inputs = [
        history.Input(command.id, command.authorization_id)
        for command in dict.fromkeys(first[command.id] for command in run.commands)
        if command.id in commands
    ]
    outputs = [
        history.Output(
            event.authorization_id,
            event.sequence,
            None if event.cause in first and event.cause not in commands else event.cause,
            is_outcome=event.kind in ENDS,
            at=event.at,
        )
        for event in run.events
    ]
    for found in history.check(history.History(inputs, outputs, {}), lambda *_: None):
        yield Violation(found.rule.value, f"{found.key}: {found.detail}")


def _promises(run: Run) -> Iterator[Violation]:
    in_the_topic = {command.id for command in run.commands}
    for lost in sorted(run.accepted - in_the_topic):
        yield Violation("an accepted command is not in the topic", lost)
    recorded = {event.data["operator"] for event in run.events if event.kind == "handoff.access_granted"}
    for operator in sorted(run.granted - recorded):
        yield Violation("an access grant has no event", operator)
    dead = {
        event.data["commandId"]: event.data["cause"] for event in run.events if event.kind == "command.dead_lettered"
    }
    for command in sorted(dead.keys() | run.dead_letters.keys()):
        if not dead.get(command) or dead.get(command) != run.dead_letters.get(command):
            where = f"{command}: event {dead.get(command)}, record {run.dead_letters.get(command)}"
            yield Violation("a dead letter lacks its event, its cause or its record", where)
    first: dict[str, bytes] = {}
    others: Counter[str] = Counter()
    for command in run.commands:
        others[command.id] += command.body != first.setdefault(command.id, command.body)
    published_conflicts = Counter(event.cause for event in run.events if event.kind == "command.key_conflict")
    for command in sorted(first):
        if others[command] != published_conflicts[command]:
            where = f"{command}: {others[command]} other bodies, {published_conflicts[command]} events"
            yield Violation("another body under a known id has not exactly one key_conflict", where)


def _effects(run: Run) -> Iterator[Violation]:
    ours, unknown = effects_of(run)
    for effect in unknown:
        yield Violation("an effect has a key of no command", f"{effect.kind} of {effect.handoff_id}")
    for command, effects in ours.items():
        if len(effects) > 1:
            yield Violation("a command has more than one effect", f"{command}: {[one.handoff_id for one in effects]}")
    for event in run.events:
        if event.kind != "command.finished":
            continue
        command, claimed = event.data["commandId"], event.data["effect"]
        effects, named = ours.get(command, []), event.data.get("handoffId")
        where = f"{command}: {event.data['outcome']}, {claimed}, {[one.handoff_id for one in effects]}"
        if claimed == "ours" and not effects:
            yield Violation("the outcome is `ours` without an effect of ours", where)
        elif claimed == "none" and effects:
            yield Violation("the outcome is `none` with an effect of ours", where)
        elif effects and named not in {one.handoff_id for one in effects} and not _is_unidentified(event.data):
            yield Violation("the outcome names another handoff than the effect", where)
        if any(one.at > event.at + CLOCK_SECONDS for one in effects):
            yield Violation("an effect happened after the end of its command", where)


def _is_unidentified(finished: Mapping[str, object]) -> bool:
    is_inferred = (finished["effect"], finished.get("reason")) == ("inferred", "opening_not_identified")
    return is_inferred and finished.get("handoffId") is None


def _requests(run: Run) -> Iterator[Violation]:
    first: dict[str, tuple[str | None, ...]] = {}
    for sent in run.requests:
        if first.setdefault(sent.key, sent.request) != sent.request:
            yield Violation("two different requests have one key", f"{sent.key}: {first[sent.key]}, {sent.request}")


def _reports(run: Run) -> Iterator[Violation]:
    closed = {one.handoff_id: one for one in run.effects if one.kind == "handoff_closed"}
    for event in run.events:
        if event.kind != "handoff.closed":
            continue
        real, where = closed.get(event.data["handoffId"]), f"{event.authorization_id} {event.sequence}"
        if real is None or event.at < real.at - CLOCK_SECONDS:
            yield Violation("a close was published before it happened", where)
        elif event.data["result"] != real.result:
            yield Violation(
                "a close was published with another result", f"{where}: {event.data['result']}, {real.result}"
            )


def _payer_truth(run: Run) -> Iterator[Violation]:
    versions: dict[str, list[tuple[float, Truth]]] = defaultdict(list)
    for (authorization_id, _), then in run.shown.items():
        versions[authorization_id].append(then)
    for event in run.events:
        truth = _truth_in(event)
        if truth is None:
            continue
        version = event.data.get("version")
        shown: Iterable[tuple[float, Truth]] = versions[event.authorization_id]
        if version is not None:
            shown = filter(None, [run.shown.get((event.authorization_id, version))])
        if not any(was == truth and since <= event.at + CLOCK_SECONDS for since, was in shown):
            where = f"{event.authorization_id} {event.sequence}, {event.kind}, version {version}: {truth}"
            yield Violation("payer truth was published that Collate did not show", where)


def _truth_in(event: LoggedEvent) -> Truth | None:
    data = event.data
    match event.kind:
        case "authorization.changed":
            return Truth(data["to"], data.get("outcome"), data["receiptSeen"], data["decisionSeen"])
        case "authorization.settled" | "handoff.reconciled":
            payer = data["payer"]
            return Truth(payer["status"], payer.get("outcome"), payer["receiptSeen"], payer["decisionSeen"])
    return None


def _last_records(run: Run) -> Iterator[Violation]:
    newest: dict[str, tuple[int, Truth]] = {}
    for (authorization_id, version), (_, truth) in run.shown.items():
        if authorization_id not in newest or version > newest[authorization_id][0]:
            newest[authorization_id] = version, truth
    for authorization_id, record in run.records.items():
        if record != newest.get(authorization_id):
            where = f"{authorization_id}: {record}, Collate {newest.get(authorization_id)}"
            yield Violation("the last record differs from Collate's state", where)
