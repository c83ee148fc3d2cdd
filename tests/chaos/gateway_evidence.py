"""Gathers what a run of the gateway left behind: its topics, its logs, and the simulated Collate's ledger and past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.collate.http import wire
from schemas.cloudevents import from_kafka
from schemas.enums import PREFIX
from schemas.records import read_authorization, read_dead_letter
from schemas.topics import catalogue
from tests.chaos.gateway_judge import Asked, Changed, Run, Sent, Told, Truth
from tests.chaos.records import read_topic

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka import ConsumerRecord

    from local.collate.model.effect import Effect
    from local.collate.simulation import Simulation


class Past:
    """Remembers what every version of every authorization showed, and since when."""

    def __init__(self, sim: Simulation) -> None:
        self.shown: dict[tuple[str, int], tuple[float, Truth]] = {}
        self._sim = sim
        record = sim.state.record

        def recording(effect: Effect) -> None:
            record(effect)
            self._note(effect)

        sim.state.record = recording

    def _note(self, effect: Effect) -> None:
        world = self._sim.state
        seen = wire.authorization_json(world.authorizations[effect.authorization_id], world.profile)
        submission = seen["submission"]
        truth = Truth(
            str(seen["status"]),
            seen["outcome"],
            submission["payerReceipt"] is not None,
            submission["decision"] is not None,
        )
        self.shown.setdefault((effect.authorization_id, seen["version"]), (effect.at, truth))


async def gather(
    bootstrap: str, prefix: str, partitions: int, sim: Simulation, shown: dict[tuple[str, int], tuple[float, Truth]]
) -> Run:
    """Read everything that was published and everything that happened."""
    topics = catalogue(prefix)
    sim.now()  # what is due happens
    commands = await read_topic(bootstrap, topics.commands.name, partitions)
    events = await read_topic(bootstrap, topics.events.name, partitions)
    letters = await read_topic(bootstrap, topics.dead_letters.name, partitions)
    records = await read_topic(bootstrap, topics.authorizations.name, partitions)
    return Run(
        asked=[_asked(record) for record in commands],
        told=[_told(record) for record in events],
        changed=[_changed(effect) for _, effect in sim.ledger.effects],
        sent=[
            Sent(call.key, (call.method, call.path, call.digest, call.if_match))
            for call in sim.ledger.calls
            if call.key is not None and not call.path.endswith("/access-grants")
        ],
        letters={letter.command_id: letter.cause for letter in map(_letter, letters) if hasattr(letter, "cause")},
        shown=shown,
        records=dict(map(_record, records)),
    )


def leaks(directory: Path, run: Run, secrets: list[str]) -> list[str]:
    """Return where one of these words stands that must not: in a log, or in an event."""
    found = []
    texts = [(log.name, log.read_text(errors="replace")) for log in directory.glob("*.log")]
    texts.append(("events", "\n".join(json.dumps(dict(told.data)) for told in run.told)))
    for name, text in texts:
        found += [f"{name}: {word[:8]}…" for word in secrets if word in text]
    return found


def kind_of(type_: str) -> str:
    """Return a type without the common prefix and the version."""
    return type_.removeprefix(PREFIX).rpartition(".")[0]


def _asked(record: ConsumerRecord) -> Asked:
    envelope = from_kafka(record.headers, record.value)
    return Asked(envelope.id, envelope.subject or "", kind_of(envelope.type), envelope.type.encode() + record.value)


def _told(record: ConsumerRecord) -> Told:
    envelope = from_kafka(record.headers, record.value)
    return Told(
        envelope.subject or "",
        int(envelope.extensions["sequence"]),
        kind_of(envelope.type),
        envelope.extensions.get("causationid"),
        record.timestamp / 1000,
        json.loads(record.value),
    )


def _letter(record: ConsumerRecord) -> object:
    return read_dead_letter(record.headers, record.value)


def _record(record: ConsumerRecord) -> tuple[str, tuple[int, Truth]]:
    authorization_id, latest = read_authorization(record.headers, record.value)
    truth = Truth(latest.status, latest.outcome, latest.receipt_seen, latest.decision_seen)
    return authorization_id, (latest.version, truth)


def _changed(effect: Effect) -> Changed:
    result = effect.details.get("result")
    return Changed(
        effect.kind.value,
        effect.at,
        effect.handoff_id,
        effect.cause.by,
        effect.cause.key,
        None if result is None else str(result),
    )
