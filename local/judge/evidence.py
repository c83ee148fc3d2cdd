"""The evidence of a run: its topics, its logs, and the ledger and past states of the simulated Collate."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Final

from aiokafka import ConsumerRecord

from local.collate.ledger import Call
from local.collate.model.effect import Effect
from local.collate.simulation import Simulation
from local.collate.web import wire
from local.judge.recorded import CollateEffect, CollateRequest, Evidence, Truth
from local.judge.whole_topic import read_topic
from schemas.dead_letter import DeadLetter
from schemas.promises.seen import SeenCommand, SeenEvent, logged_command, logged_event
from schemas.records import UnreadableRecord, read_authorization, read_command, read_dead_letter
from schemas.sealing import Keys
from schemas.topics import catalogue

# The characters that all links and all ids begin with: one pass over a log for each start, not one for each secret.
_START: Final = 4
# The collections of the authorizations and of their handoffs, in a path.
_READ: Final = {"prior-authorizations", "manual-handoffs"}


def after_each_effect(sim: Simulation, note: Callable[[Effect], None]) -> None:
    """Call `note` after each effect at the simulated Collate."""
    record = sim.state.record

    def recording(effect: Effect) -> None:
        record(effect)
        note(effect)

    sim.state.record = recording


class PastStates:
    """Records the state of each version of each authorization, and since when it was shown."""

    def __init__(self, sim: Simulation) -> None:
        self.shown: dict[tuple[str, int], tuple[float, Truth]] = {}
        self._sim = sim
        after_each_effect(sim, self._note)

    def _note(self, effect: Effect) -> None:
        state = self._sim.state
        seen = wire.authorization_json(state.authorizations[effect.authorization_id], state.profile)
        submission = seen["submission"]
        truth = Truth(
            str(seen["status"]),
            seen["outcome"],
            submission["payerReceipt"] is not None,
            submission["decision"] is not None,
        )
        self.shown.setdefault((effect.authorization_id, seen["version"]), (effect.at, truth))


async def gather(
    bootstrap: str,
    prefix: str,
    partitions: int,
    sim: Simulation,
    shown: dict[tuple[str, int], tuple[float, Truth]],
    *,
    keys: Keys,
    since: int = 0,
) -> Evidence:
    """Read all topics since a timestamp in ms, and the ledger. `keys` are those of the PHI in commands."""
    topics = catalogue(prefix)
    sim.now()  # runs due transitions
    commands = await read_topic(bootstrap, topics.commands.name, partitions, since=since)
    events = await read_topic(bootstrap, topics.events.name, partitions, since=since)
    dead_letters = await read_topic(bootstrap, topics.dead_letters.name, partitions, since=since)
    records = await read_topic(bootstrap, topics.authorizations.name, partitions, since=since)
    # Copies: Collate goes through further states while the evidence is checked.
    effects, calls, past = list(sim.ledger.effects), list(sim.ledger.calls), dict(shown)

    def evidence() -> Evidence:
        return Evidence(
            commands=[_command(record, keys) for record in commands],
            events=[_event(record) for record in events],
            effects=[_effect(effect) for _, effect in effects],
            requests=[
                CollateRequest(call.key, (call.method, call.path, call.digest, call.if_match))
                for call in calls
                if call.key is not None and not call.path.endswith("/access-grants")
            ],
            dead_letters=dict(filter(None, map(_dead_letter, dead_letters))),
            shown=past,
            reads=_reads(calls),
            records=dict(map(_record, records)),
        )

    return await asyncio.to_thread(evidence)  # the simulated Collate in this process answers meanwhile


def _reads(calls: Iterable[Call]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        *_, collection, id_ = call.path.split("/")
        if call.method == "GET" and call.status == HTTPStatus.OK and collection in _READ:
            found[id_].append(call.at)
    return found


def find_leaks(logs: Path | None, run: Evidence, secrets: list[str]) -> list[str]:
    """Return the logs in this directory, and the events, that contain one of these secrets."""
    found = []
    texts = [(log.name, log.read_text(errors="replace")) for log in logs.glob("*.log")] if logs else []
    texts.append(("events", "\n".join(json.dumps(dict(event.data)) for event in run.events)))
    for start, alike in groupby(sorted(secrets), key=lambda word: word[:_START]):
        words = set(alike)
        lengths = {len(word) for word in words}
        for name, text in texts:
            places = [match.start() for match in re.finditer(re.escape(start), text)]
            leaked = words & {text[place : place + length] for place in places for length in lengths}
            found += [f"{name}: {word[:8]}…" for word in sorted(leaked)]
    return found


def _command(record: ConsumerRecord, keys: Keys) -> SeenCommand:
    read = read_command(record.headers, record.value, keys)
    # Each record of one command with PHI has another value.
    body = record.value if isinstance(read, UnreadableRecord) else read.data.identity()
    return replace(logged_command(record, record.partition), body=body)


def _event(record: ConsumerRecord) -> SeenEvent:
    event = logged_event(record)
    if event is None or isinstance(event, str):
        raise TypeError(f"a record of `events` is no event: {record.partition} {record.offset}")
    return event


def _dead_letter(record: ConsumerRecord) -> tuple[str, str] | None:
    """Return the command and its cause; None for a record that ends a dead letter."""
    read = read_dead_letter(record.headers, record.value)
    return (str(read.command_id), read.cause) if isinstance(read, DeadLetter) else None


def _record(record: ConsumerRecord) -> tuple[str, tuple[int, Truth]]:
    read = read_authorization(record.headers, record.value)
    if isinstance(read, UnreadableRecord):
        raise TypeError(f"a record of `authorizations` is unreadable: {read}")
    authorization_id, latest = read
    truth = Truth(latest.status, latest.outcome, latest.receipt_seen, latest.decision_seen)
    return authorization_id, (latest.version, truth)


def _effect(effect: Effect) -> CollateEffect:
    result = effect.details.get("result")
    return CollateEffect(
        effect.kind.value,
        effect.at,
        effect.handoff_id,
        effect.cause.by,
        effect.cause.key,
        None if result is None else str(result),
        effect.authorization_id,
        effect.version,
    )
