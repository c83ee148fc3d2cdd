"""Judges a gateway's run: what it was asked and what it told, against what really happened at Collate.

Pure, and on top of `history.check`: whoever ran a gateway turns its topics, the answers that its callers got, and the
ledger of the simulated Collate into these values. All times are Unix seconds of one clock.
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
# Records are stamped in whole milliseconds.
CLOCK_SECONDS: Final = 0.002
_OPERATIONS: Final = {
    "handoff.request": (Operation.CREATE_HANDOFF,),
    "handoff.close": (Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One record on `commands`; those of an authorization are given in the order of the log."""

    id: str
    authorization_id: str
    type: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Told:
    """One event, in the order of its topic; `at` is when it was written."""

    authorization_id: str
    sequence: int
    kind: str
    cause: str | None = None
    at: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """One effect at Collate, whoever brought it about, under the idempotency key of its call."""

    kind: str
    at: float
    handoff_id: str | None
    by: str
    key: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One write as it arrived at Collate: its key, and everything else that tells it from other requests."""

    key: str
    request: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What Collate shows of an authorization, payer truth included."""

    status: str
    outcome: str | None
    receipt: bool
    decision: bool


@dataclass(frozen=True, slots=True)
class Run:
    """All of a run, after everything has come to rest."""

    asked: Sequence[Asked]
    told: Sequence[Told]
    changed: Sequence[Changed]
    sent: Sequence[Sent] = ()
    promised: frozenset[str] = frozenset()  # ids of the commands that a caller was answered 202 or 200 for
    granted: frozenset[str] = frozenset()  # the operators that were given a link, each one's name used once
    letters: Mapping[str, str] = field(default_factory=dict)  # cause of each dead letter, by command id
    shown: Mapping[tuple[str, int], tuple[float, Truth]] = field(default_factory=dict)  # by version: since when, what
    records: Mapping[str, tuple[int, Truth]] = field(default_factory=dict)  # the last on `authorizations`
    leaks: Sequence[str] = ()  # where something secret was found


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise, and where."""

    rule: str
    where: str


def judge(run: Run) -> list[Violation]:
    """Return every violation; none means that the run kept its promises."""
    return [
        *_as_history(run),
        *_promises(run),
        *_effects(run),
        *_requests(run),
        *_reports(run),
        *_payer_truth(run),
        *_last_records(run),
        *(Violation("something secret got out", leak) for leak in run.leaks),
    ]


def effects_of(run: Run) -> tuple[dict[str, list[Changed]], list[Changed]]:
    """Return our effects by command id, and those under a key of no command."""
    owner = {
        write_key(asked.id, operation, n): asked.id
        for asked in {asked.id: asked for asked in run.asked}.values()
        for operation in _OPERATIONS.get(asked.type, ())
        for n in range(MOST_WRITES + 1)
    }
    ours: dict[str, list[Changed]] = defaultdict(list)
    strange = []
    for changed in run.changed:
        if changed.by == "client" and changed.kind in {"handoff_opened", "handoff_closing"}:
            if changed.key in owner:
                ours[owner[changed.key]].append(changed)
            else:
                strange.append(changed)
    return ours, strange


def _as_history(run: Run) -> Iterator[Violation]:
    """Every command one end, in the order of the log; every authorization's events numbered without gaps."""
    first = {asked.id: asked for asked in reversed(run.asked)}
    commands = {id_: asked for id_, asked in first.items() if asked.type != "handoff.record_access"}
    inputs = [
        history.Input(asked.id, asked.authorization_id)
        for asked in dict.fromkeys(first[asked.id] for asked in run.asked)
        if asked.id in commands
    ]
    outputs = [
        history.Output(
            told.authorization_id,
            told.sequence,
            None if told.cause in first and told.cause not in commands else told.cause,
            is_outcome=told.kind in ENDS,
            at=told.at,
        )
        for told in run.told
    ]
    for found in history.check(history.History(inputs, outputs, {}), lambda *_: None):
        yield Violation(found.rule.value, f"{found.key}: {found.detail}")


def _promises(run: Run) -> Iterator[Violation]:
    in_the_log = {asked.id for asked in run.asked}
    for lost in sorted(run.promised - in_the_log):
        yield Violation("a command was accepted and is not in the log", lost)
    told = {event.data["operator"] for event in run.told if event.kind == "handoff.access_granted"}
    for operator in sorted(run.granted - told):
        yield Violation("a link was given out and is not on record", operator)
    dead = {event.data["commandId"]: event.data["cause"] for event in run.told if event.kind == "command.dead_lettered"}
    for command in sorted(dead.keys() | run.letters.keys()):
        if not dead.get(command) or dead.get(command) != run.letters.get(command):
            where = f"{command}: told {dead.get(command)}, kept {run.letters.get(command)}"
            yield Violation("a dead letter without its event, its cause or its record", where)
    first: dict[str, bytes] = {}
    others: Counter[str] = Counter()
    for asked in run.asked:
        others[asked.id] += asked.body != first.setdefault(asked.id, asked.body)
    told_conflicts = Counter(event.cause for event in run.told if event.kind == "command.key_conflict")
    for command in sorted(first):
        if others[command] != told_conflicts[command]:
            where = f"{command}: {others[command]} other bodies, {told_conflicts[command]} told"
            yield Violation("another body under a known id, and not one key_conflict for it", where)


def _effects(run: Run) -> Iterator[Violation]:
    ours, strange = effects_of(run)
    for changed in strange:
        yield Violation("an effect under a key of no command", f"{changed.kind} of {changed.handoff_id}")
    for command, effects in ours.items():
        if len(effects) > 1:
            yield Violation("a command has more than one effect", f"{command}: {[one.handoff_id for one in effects]}")
    for event in run.told:
        if event.kind != "command.finished":
            continue
        command, said = event.data["commandId"], event.data["effect"]
        effects, named = ours.get(command, []), event.data.get("handoffId")
        where = f"{command}: {event.data['outcome']}, {said}, {[one.handoff_id for one in effects]}"
        if said == "ours" and not effects:
            yield Violation("`ours` was said and the effect isn't ours", where)
        elif said == "none" and effects:
            yield Violation("an effect was denied", where)
        elif effects and named not in {one.handoff_id for one in effects} and not _is_unidentified(event.data):
            yield Violation("another handoff was named than the one that we changed", where)
        if any(one.at > event.at + CLOCK_SECONDS for one in effects):
            yield Violation("an effect came after its command had ended", where)


def _is_unidentified(finished: Mapping[str, object]) -> bool:
    is_said = (finished["effect"], finished.get("reason")) == ("inferred", "opening_not_identified")
    return is_said and finished.get("handoffId") is None


def _requests(run: Run) -> Iterator[Violation]:
    first: dict[str, tuple[str | None, ...]] = {}
    for sent in run.sent:
        if first.setdefault(sent.key, sent.request) != sent.request:
            yield Violation("two different requests under one key", f"{sent.key}: {first[sent.key]}, {sent.request}")


def _reports(run: Run) -> Iterator[Violation]:
    closed = {one.handoff_id: one for one in run.changed if one.kind == "handoff_closed"}
    for event in run.told:
        if event.kind != "handoff.closed":
            continue
        real, where = closed.get(event.data["handoffId"]), f"{event.authorization_id} {event.sequence}"
        if real is None or event.at < real.at - CLOCK_SECONDS:
            yield Violation("a close was told before it was so", where)
        elif event.data["result"] != real.result:
            yield Violation("a close was told with another result", f"{where}: {event.data['result']}, {real.result}")


def _payer_truth(run: Run) -> Iterator[Violation]:
    versions: dict[str, list[tuple[float, Truth]]] = defaultdict(list)
    for (authorization_id, _), then in run.shown.items():
        versions[authorization_id].append(then)
    for event in run.told:
        truth = _truth_in(event)
        if truth is None:
            continue
        version = event.data.get("version")
        shown: Iterable[tuple[float, Truth]] = versions[event.authorization_id]
        if version is not None:
            shown = filter(None, [run.shown.get((event.authorization_id, version))])
        if not any(was == truth and since <= event.at + CLOCK_SECONDS for since, was in shown):
            where = f"{event.authorization_id} {event.sequence}, {event.kind}, version {version}: {truth}"
            yield Violation("told as payer truth what Collate did not show", where)


def _truth_in(event: Told) -> Truth | None:
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
            yield Violation("the last record isn't what Collate shows", where)
