"""Checks of a run of the gateway: its commands and events, compared with the effects at Collate.

Pure. What the topics alone show is checked by the rules of the product (`schemas.promises`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from local.judge.effects import effects_of
from local.judge.recorded import CollateEffect, Evidence, Truth
from schemas.identity import request_id
from schemas.promises.partition import SeenPartition
from schemas.promises.seen import SeenEvent

# The timestamps of records are in milliseconds.
CLOCK_SECONDS: Final = 0.002
# A replica of the simulated Collate is at most this late.
_REPLICA_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """A broken promise: its rule, and the place."""

    rule: str
    where: str


def find_broken_promises(run: Evidence) -> list[BrokenPromise]:
    """Return all broken promises. The list is empty if the run kept its promises."""
    return [
        *_topics(run),
        *_causes(run),
        *_promises(run),
        *_effects(run),
        *_requests(run),
        *_reports(run),
        *_payer_truth(run),
        *_last_records(run),
        *leaked_secrets(run),
    ]


def leaked_secrets(run: Evidence) -> list[BrokenPromise]:
    """Return a broken promise for each place where a secret was found."""
    return [BrokenPromise("a secret was published or logged", leak) for leak in run.leaks]


def _topics(run: Evidence) -> Iterator[BrokenPromise]:
    """What the topics alone show: the rules of `gateway check promises`."""
    seen = SeenPartition(is_whole=True)
    for event in run.events:
        seen.see_event(event)
    for command in run.commands:
        seen.see_command(command)
    seen.lost_ends()
    for found in seen.findings.violations:
        where = f"{found.authorization}: {found.topic} {found.offset}, {found.detail}"
        yield BrokenPromise(found.rule.value, where)


def _causes(run: Evidence) -> Iterator[BrokenPromise]:
    """Every cause is a command, and a discard ends only the number that its record names."""
    recorded = {command.id for command in run.commands}
    for event in run.events:
        if event.cause is not None and event.cause not in recorded:
            where = f"{event.authorization_id} {event.sequence}"
            yield BrokenPromise("an event names a command that does not exist", where)
        command, is_discard = event.data.get("commandId", ""), event.data.get("outcome") == "discarded"
        is_decided = is_discard and event.data.get("decision")
        if is_decided and request_id("discard", command, event.data.get("redrive", 0)) not in recorded:
            yield BrokenPromise("a discard ended a number that its operator did not see", command)


def _promises(run: Evidence) -> Iterator[BrokenPromise]:
    in_the_topic = {command.id for command in run.commands}
    for lost in sorted(run.accepted - in_the_topic):
        yield BrokenPromise("an accepted command is not in the topic", lost)
    recorded = {event.data["operator"] for event in run.events if event.kind == "handoff.access_granted"}
    for operator in sorted(run.granted - recorded):
        yield BrokenPromise("an access grant has no event", operator)
    dead = {
        event.data["commandId"]: event.data["cause"] for event in run.events if event.kind == "command.dead_lettered"
    }
    for command in sorted(dead.keys() | run.dead_letters.keys()):
        if not dead.get(command) or dead.get(command) != run.dead_letters.get(command):
            where = f"{command}: event {dead.get(command)}, record {run.dead_letters.get(command)}"
            yield BrokenPromise("a dead letter lacks its event, its cause or its record", where)
    first: dict[str, bytes] = {}
    others: Counter[str] = Counter()
    for command in run.commands:
        others[command.id] += command.body != first.setdefault(command.id, command.body)
    published_conflicts = Counter(event.cause for event in run.events if event.kind == "command.key_conflict")
    for command in sorted(first):
        if others[command] != published_conflicts[command]:
            where = f"{command}: {others[command]} other bodies, {published_conflicts[command]} events"
            yield BrokenPromise("another body under a known id has not exactly one key_conflict", where)


def _effects(run: Evidence) -> Iterator[BrokenPromise]:
    ours, unknown = effects_of(run)
    for effect in unknown:
        yield BrokenPromise("an effect belongs to no command", f"{effect.kind} of {effect.handoff_id}")
    for command, effects in ours.items():
        if len(effects) > 1:
            yield BrokenPromise(
                "a command has more than one effect", f"{command}: {[one.handoff_id for one in effects]}"
            )
    for event in run.events:
        if event.kind != "command.finished":
            continue
        command, claimed = event.data["commandId"], event.data["effect"]
        effects, named = ours.get(command, []), event.data.get("handoffId")
        where = f"{command}: {event.data['outcome']}, {claimed}, {[one.handoff_id for one in effects]}"
        if claimed == "ours" and not effects:
            yield BrokenPromise("the outcome is `ours` without an effect of ours", where)
        elif claimed == "none" and effects:
            yield BrokenPromise("the outcome is `none` with an effect of ours", where)
        elif effects and named not in {one.handoff_id for one in effects} and not _names_no_effect(event.data):
            yield BrokenPromise("the outcome names another handoff than the effect", where)
        if any(one.at > event.at + CLOCK_SECONDS for one in effects):
            yield BrokenPromise("an effect happened after the end of its command", where)


def _names_no_effect(finished: Mapping[str, object]) -> bool:
    """Whether the gateway says that it does not know the effect, or the handoff that it opened."""
    if finished["effect"] == "unknown":
        return True
    is_inferred = (finished["effect"], finished.get("reason")) == ("inferred", "opening_not_identified")
    return is_inferred and finished.get("handoffId") is None


def _requests(run: Evidence) -> Iterator[BrokenPromise]:
    first: dict[str, tuple[str | None, ...]] = {}
    for sent in run.requests:
        if first.setdefault(sent.key, sent.request) != sent.request:
            yield BrokenPromise("two different requests have one key", f"{sent.key}: {first[sent.key]}, {sent.request}")


def _reports(run: Evidence) -> Iterator[BrokenPromise]:
    closed = {one.handoff_id: one for one in run.effects if one.kind == "handoff_closed"}
    for event in run.events:
        if event.kind != "handoff.closed":
            continue
        real, where = closed.get(event.data["handoffId"]), f"{event.authorization_id} {event.sequence}"
        if real is None or event.at < real.at - CLOCK_SECONDS:
            yield BrokenPromise("a close was published before it happened", where)
        elif event.data["result"] != real.result and not (
            event.data["result"] == "unrecognised" and _was_unread(run, real, event.at)
        ):
            yield BrokenPromise(
                "a close was published with another result", f"{where}: {event.data['result']}, {real.result}"
            )


def _was_unread(run: Evidence, closed: CollateEffect, before: float) -> bool:
    """Whether no read can have shown the handoff's end: another handoff in its place proves the end, not the result."""
    reads = run.reads.get(closed.handoff_id or "", ())
    return not any(closed.at + _REPLICA_SECONDS < at < before for at in reads)


def _payer_truth(run: Evidence) -> Iterator[BrokenPromise]:
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
            yield BrokenPromise("payer truth was published that Collate did not show", where)


def _truth_in(event: SeenEvent) -> Truth | None:
    data = event.data
    match event.kind:
        case "authorization.changed":
            return Truth(data["to"], data.get("outcome"), data["receiptSeen"], data["decisionSeen"])
        case "authorization.settled" | "handoff.reconciled":
            payer = data["payer"]
            return Truth(payer["status"], payer.get("outcome"), payer["receiptSeen"], payer["decisionSeen"])
    return None


def _last_records(run: Evidence) -> Iterator[BrokenPromise]:
    """The last record is Collate's state. A version that shows nothing new may be missing in it (decision 0003).

    So may a version that the gateway never read, as when Collate denied access meanwhile, if the newest shows the same.
    """
    shown: dict[str, dict[int, tuple[float, Truth]]] = defaultdict(dict)
    for (authorization_id, version), then in run.shown.items():
        shown[authorization_id][version] = then
    for authorization_id, (version, truth) in run.records.items():
        versions, reads = shown[authorization_id], run.reads.get(authorization_id, ())
        later = [versions[number] for number in sorted(versions) if number >= version]
        read = [one for one, after in pairwise(later) if any(one[0] <= at < after[0] for at in reads)]
        if version not in versions or any(was != truth for _, was in (later[0], later[-1], *read)):
            where = f"{authorization_id}: {version}, {truth}, Collate {max(versions.items(), default=None)}"
            yield BrokenPromise("the last record differs from Collate's state", where)
