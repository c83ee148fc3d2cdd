"""`gateway check promises`: no false alarm beside a worker at work, and each of eleven planted violations is named."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from cli.check.promise_reader import find_violations
from consumers.engine.core.progress import PROGRESS_KEY, decode, encode
from local.installation import PARTITIONS
from local.judge.whole_topic import read_topic
from runtime.exits import Exit
from runtime.settings import load_cluster_settings
from schemas.cloudevents.sequence import sequence_text
from schemas.commands import AuthorizationWatch, Completed, HandoffClose
from schemas.enums import ReportedOutcome, full_type
from schemas.promises.violations import PromiseRule
from schemas.records import RecordedCommand, write_command
from schemas.times import format_time
from schemas.topics import catalogue, partition_for
from tests.preloaded import run_gateway
from tests.system.loaded import under_load


async def checked(installation, since):
    """Return the exit code and the JSON of the verb."""
    verb = ("check", "promises", "--json", "--since", since)
    done = await asyncio.to_thread(run_gateway, *verb, environ=installation.environ)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@dataclass
class Planter:
    """Writes past the ACLs. Each act takes an authorization of its own."""

    topics: object
    producer: AIOKafkaProducer
    events: dict[str, list]
    records: dict[str, object]
    states: list

    def free(self, kind):
        """Take an authorization that has an event of this kind; return its id and the event."""
        for id_, events in self.events.items():
            found = next(
                (event for event in events if dict(event.headers)["ce_type"] == full_type(kind).encode()), None
            )
            if found is not None and id_ in self.records:
                del self.events[id_]
                return id_, found
        raise AssertionError(f"no authorization is left with {kind}")

    async def write(self, topic, id_, value, headers):
        where = partition_for(id_.encode(), PARTITIONS)
        return await self.producer.send_and_wait(topic, value, key=id_.encode(), headers=headers, partition=where)

    async def event(self, id_, copied, *, sequence=1, record=True, more=(), **changes):
        """Write a copy of an event with the next number, and the record with that number."""
        newest = self.records[id_]
        number = int(dict(newest.headers)["ce_sequence"]) + sequence
        text, now = sequence_text(number).encode(), format_time(datetime.now(UTC)).encode()
        own = {"ce_id": str(uuid4()).encode(), "ce_sequence": text, "ce_time": now}
        headers = dict(copied.headers) | own | {name: value for name, value in changes.items() if name != "data"}
        headers.pop("transaction", None)
        data = json.loads(copied.value) | changes.get("data", {})
        value = json.dumps({name: value for name, value in data.items() if value is not None}).encode()
        await self.write(self.topics.events.name, id_, value, [*headers.items(), *more])
        if record:
            await self.record(id_, number, more)

    async def record(self, id_, number, more=()):
        newest = self.records[id_]
        headers = dict(newest.headers) | {"ce_sequence": sequence_text(number).encode()}
        headers.pop("transaction", None)
        await self.write(self.topics.authorizations.name, id_, newest.value, [*headers.items(), *more])

    def progress(self, id_):
        number = partition_for(id_.encode(), PARTITIONS)
        found = [one for one in self.states if (one.key, one.partition) == (PROGRESS_KEY, number)]
        return decode(found[-1].value)

    # The eleven.

    async def finished_twice(self):
        id_, event = self.free("command.finished")
        await self.event(id_, event)
        return PromiseRule.TWO_ENDS, id_

    async def gap(self):
        id_, event = self.free("authorization.changed")
        await self.event(id_, event, sequence=3)
        return PromiseRule.SEQUENCE, id_

    async def id_twice(self):
        id_, event = self.free("authorization.changed")
        await self.event(id_, event, ce_id=dict(event.headers)["ce_id"])
        return PromiseRule.EVENT_ID, id_

    async def record_behind(self):
        id_, event = self.free("authorization.changed")
        await self.event(id_, event, record=False)
        return PromiseRule.RECORD_BEHIND, id_

    async def record_ahead(self):
        id_, _ = self.free("authorization.changed")
        await self.record(id_, int(dict(self.records[id_].headers)["ce_sequence"]) + 1)
        return PromiseRule.RECORD_AHEAD, id_

    async def reconciled_early(self):
        id_, event = self.free("handoff.reconciled")
        await self.event(id_, event, data={"handoffId": "mhand_never_closed"})
        return PromiseRule.RECONCILED_EARLY, id_

    async def nameless_act(self):
        id_, event = self.free("handoff.access_granted")
        await self.event(id_, event, data={"caller": None})
        return PromiseRule.NAMELESS, id_

    async def closed_twice(self):
        id_, event = self.free("handoff.closed")
        await self.event(id_, event)
        return PromiseRule.CLOSED_TWICE, id_

    async def lost_end(self):
        id_, _ = self.free("authorization.changed")
        lost = await self.command(id_, AuthorizationWatch())
        found = self.progress(id_)
        finished = found.progress._replace(offset=lost.offset + 1, bitmap="")
        value = encode(finished, found.topic, number=found.number, parts=dict(found.parts))
        number = partition_for(id_.encode(), PARTITIONS)
        await self.producer.send_and_wait(self.topics.state.name, value, key=PROGRESS_KEY, partition=number)
        return PromiseRule.LOST_END, id_

    async def clear_text(self):
        id_, _ = self.free("authorization.changed")
        report = Completed(reported_outcome=ReportedOutcome.SUBMITTED, operator_notes="Ms Doe, born 1970")
        await self.command(id_, HandoffClose(handoff_id="mhand_1", result=report))
        return PromiseRule.CLEAR_TEXT, id_

    async def torn(self):
        id_, event = self.free("authorization.changed")
        number = str(self.progress(id_).number + 1).encode()
        await self.event(id_, event, more=[("transaction", number)])
        return PromiseRule.TORN, id_

    async def command(self, id_, data):
        command = RecordedCommand(str(uuid4()), "intake", id_, datetime.now(UTC), data)

        class NoKeys:
            def seal(self, purpose, content):
                return ""

        headers, _ = write_command(command, "/collate-gateway/local", NoKeys())
        return await self.write(self.topics.commands.name, id_, data.to_json(), list(headers))


ELEVEN = ("finished_twice", "gap", "id_twice", "record_behind", "record_ahead", "reconciled_early", "nameless_act",
          "closed_twice", "lost_end", "clear_text", "torn")  # fmt: skip


@pytest.mark.promise
async def test_each_planted_violation_is_named_and_nothing_else(  # noqa: PLR0917 - all it stands on
    run, kafka, prefix, collate, start, eventually
):
    async with under_load(run, kafka, prefix, collate, start, seed=29) as loaded:
        installation, callers = loaded.installation, loaded.callers
        await eventually(lambda: len(callers.ended) > 30)
        middle = datetime.now(UTC)
        for since in ("1h", format_time(middle - timedelta(seconds=2))):
            code, shown = await checked(installation, since)
            assert (code, shown["ok"]) == (Exit.OK, True), shown
        await eventually(lambda: len(callers.ended) > 60)
        await loaded.end()
        await asyncio.to_thread(loaded.worker.stop)

    topics, cluster = catalogue(prefix), load_cluster_settings(installation.environ)
    code, shown = await checked(installation, format_time(middle))
    assert (code, shown["ok"]) == (Exit.OK, True), shown
    events: dict[str, list] = {}
    for record in await read_topic(kafka, topics.events.name, PARTITIONS):
        events.setdefault(record.key.decode(), []).append(record)
    records = {one.key.decode(): one for one in await read_topic(kafka, topics.authorizations.name, PARTITIONS)}
    states = await read_topic(kafka, topics.state.name, PARTITIONS)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        planter = Planter(topics, producer, events, records, states)
        planted = {await getattr(planter, plant)() for plant in ELEVEN}
    # Each stands on an authorization of its own, so one pass shows that each is named by its rule.
    found = await find_violations(cluster, datetime.now(UTC) - timedelta(hours=1), 0.0)
    assert {(one.rule, one.authorization) for findings in found for one in findings.violations} == planted
    code, shown = await checked(installation, "1h")
    assert (code, shown["ok"]) == (Exit.FAILED, False)
    assert sum(row["violations"] for row in shown["promises"]) >= len(ELEVEN)
    assert all(set(one) >= {"authorization", "topic", "offset"} for row in shown["promises"] for one in row["first"])
    installation.change({"GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:9"})
    code, message = await checked(installation, "1h")
    assert (code, "Kafka" in message) == (2, True)
