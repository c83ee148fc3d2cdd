"""docs/upgrade.md, "Partitions were added": the way back, with interruptions, proved by the judge of the chaos run."""

import asyncio
import json
from collections import Counter

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topic_copy import RecordWriter
from local.chaos.callers import Callers, write_callers
from local.chaos.settings import READINGS, SETTINGS
from local.event_listener import listening
from local.installation import PARTITIONS, Installation
from local.judge.evidence import PastStates
from local.judge.verdict import Judge
from local.judge.whole_topic import read_topic
from offline.migration.migrate import Migration
from runtime.exits import Exit
from runtime.settings import load_access_settings
from schemas.topics import catalogue
from tests.preloaded import run_gateway

MORE = PARTITIONS + 2


class Interrupted(Exception):
    """The process ends here."""


async def add_partitions(kafka, *names):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_partitions({name: NewPartitions(MORE) for name in names})
    await admin.close()


def interrupted_after(monkeypatch, writes):
    left = iter(range(writes))
    write = RecordWriter.write

    async def limited(self, *args, **options):
        if next(left, None) is None:
            await self.flush()
            raise Interrupted
        await write(self, *args, **options)

    monkeypatch.setattr(RecordWriter, "write", limited)


async def interrupt(*_):
    raise Interrupted


async def interrupt_at_every_step(monkeypatch, migration, total):
    """Interrupt before the plan, within the topics, before the proof, and between the progress of two partitions."""
    runs = ((0, True), (1, True), (total // 8, True), (total // 8, True), (10 * total, False), (2, True))
    for writes, is_proved in runs:
        with monkeypatch.context() as patched:
            interrupted_after(patched, writes)
            if not is_proved:
                patched.setattr(Migration, "_prove", interrupt)
            with pytest.raises(Interrupted):
                await migration().run(lambda _: None)


async def last(listening_to):
    while True:
        await listening_to.take(0.5)


async def test_after_added_partitions_all_records_move_in_order_and_nothing_is_lost(  # noqa: PLR0917 - all it stands on
    run, kafka, prefix, collate, start, eventually, monkeypatch
):
    collate.use("v2", **READINGS)
    keys = write_callers(run.directory / "services.toml")
    settings = SETTINGS | {"GATEWAY_INGRESS__CALLERS_FILE": str(run.directory / "services.toml")}
    old = Installation(run, bootstrap=kafka, collate_url=collate.url, prefix=prefix, settings=settings)
    await asyncio.to_thread(old.apply_topics)
    worker, ingress = await start(old, "worker"), await start(old, "ingress")
    past, callers = PastStates(collate), Callers(collate, [ingress.url], keys, seed=11)
    async with listening(kafka, prefix, callers.on_event) as listener:
        reading = asyncio.create_task(last(listener))
        load = asyncio.create_task(callers.run_until(float("inf"), 5.0))
        await eventually(lambda: len(callers.ended) > 25)
        collate.begin_outage()
        # An earlier command may have ended before the outage without the listener having read it.
        earlier = set(callers.accepted)
        await eventually(lambda: len(callers.accepted.keys() - earlier - callers.ended.keys()) > 5)
        for task in (load, reading):
            task.cancel()
        await asyncio.gather(load, reading, return_exceptions=True)
    for program in (ingress, worker):
        assert await asyncio.to_thread(program.stop) == 0

    # What happened by mistake, and what everybody sees then.
    topics = catalogue(prefix)
    await add_partitions(kafka, topics.commands.name, topics.events.name, topics.state.name)
    refused = old.start("worker", "worker-refused")
    assert await asyncio.to_thread(refused.process.wait, 60) == Exit.CONFIG

    # The way back, interrupted again and again.
    to = f"{prefix}two."
    kept = {name: (run.directory / name).read_text() for name in ("digest-key", "phi-keys")}
    new = Installation(
        run,
        bootstrap=kafka,
        collate_url=collate.url,
        prefix=to,
        settings=settings | {"GATEWAY_TOPICS__PARTITIONS": str(MORE)},
    )
    for name, content in kept.items():  # an installation makes its own
        new.write_secret(name, content)
    await asyncio.to_thread(new.apply_topics)
    loaded = load_access_settings(old.environ)
    counts = dict.fromkeys(("authorizations", "dead_letters"), PARTITIONS) | dict.fromkeys(
        ("commands", "events", "state"), MORE
    )
    records = {topic.role: await read_topic(kafka, topic.name, counts[topic.role]) for topic in topics}
    names = {"source_id": topics.commands.name, "target_id": catalogue(to).commands.name}
    async with open_cluster(loaded.kafka) as cluster:
        found = await cluster.find_topics(names.values())
    ids = {id_: found[name].id for id_, name in names.items()}
    await interrupt_at_every_step(
        monkeypatch,
        lambda: Migration(loaded.kafka, topics, catalogue(to), counts, MORE, **ids),
        sum(map(len, records.values())),
    )
    done = await asyncio.to_thread(
        run_gateway,
        *("topics", "migrate", "--to", to, "--partitions", str(MORE), "--yes", "--json"),
        environ=old.environ,
    )
    assert done.returncode == 0, done.stderr
    moved = json.loads(done.stdout)
    assert moved["records"]["commands"] == len(records["commands"])
    assert moved["records"]["events"] == len(records["events"])
    assert moved["unfinished"] >= 5
    assert Counter(sequence_of(one) for one in await read_topic(kafka, catalogue(to).events.name, MORE)) == Counter(
        sequence_of(one) for one in records["events"]
    )

    # The processes on the new topics: every command ends once, and subscribers begin as late joiners.
    collate.end_outage()
    started = [await start(new, verb, f"{verb}-two") for verb in ("worker", "ingress")]
    async with listening(kafka, to, callers.on_event) as listener:
        reading = asyncio.create_task(last(listener))
        _, broken = await Judge(kafka, to, MORE, collate, past, callers, new.phi_keys).judge(90)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await callers.close()
    assert broken == [], [program.log.read_text()[-2000:] for program in started]


def sequence_of(record):
    return record.key, dict(record.headers)["ce_sequence"]
