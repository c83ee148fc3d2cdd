"""docs/operations.md, "The topic was created again": every verb names it, and both ways back run each command once."""

import asyncio
import json
from collections import Counter
from contextlib import suppress

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topic_reader import open_partitions
from local.event_listener import listening
from local.kafka.admin import admin_of
from local.processes.patience import within
from runtime.exits import Exit
from runtime.settings import KafkaSettings
from schemas.topics import catalogue
from tests.preloaded import run_gateway
from tests.system.gateway.services import Service, add_callers

OLD, NEW = 2, 6


async def topic_id(kafka, topic):
    async with open_cluster(KafkaSettings(bootstrap=(kafka,))) as cluster:
        return (await cluster.find_topics([topic]))[topic].id


async def delete(kafka, topic):
    async with admin_of(kafka) as admin:
        await admin.delete_topics([topic])


async def commit_late_copy(kafka, group, topic, old_id):
    """Commit a copy of the deleted topic's progress, as a request that arrives after the deletion."""
    late = {TopicPartition(topic, 0): OffsetAndMetadata(1_000, old_id)}
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{group}.late") as producer,
        producer.transaction(),
    ):
        await producer.send_offsets_to_transaction(late, group)
    async with open_cluster(KafkaSettings(bootstrap=(kafka,))) as cluster, within(5):
        while await cluster.committed_offsets(group, topic, 1) != {0: (1_000, old_id)}:  # noqa: ASYNC110 - the broker sends no event
            await asyncio.sleep(0.1)


def applied(installed):
    """A deleted topic is gone a moment after the answer."""
    return run_gateway("topics", "apply", environ=installed.environ).returncode == 0


class CreatedAgain:
    """An installation whose worker is stopped, and whose `commands` then was deleted and created again."""

    def __init__(self, installed, http, listener, kafka, commands):
        self.installed, self.http, self.listener, self.kafka, self.commands = installed, http, listener, kafka, commands
        self.accepted = []

    async def verb(self, *words, expect=Exit.OK):
        done = await asyncio.to_thread(run_gateway, *words, environ=self.installed.environ)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def readiness(self, program):
        try:
            return (await self.http.get(f"{program.admin_url}/readyz")).text
        except httpx.TransportError:
            return ""

    async def prepare(self, collate, start, eventually, key):
        ingress, worker = await start(self.installed, "ingress"), await start(self.installed, "worker")
        portal = Service(self.http, ingress, key)
        authorizations = collate.create(count=OLD)
        self.accepted = [await portal.request(authorization) for authorization in authorizations]
        for command in self.accepted:
            await self.listener.wait_for("command.finished", 20, commandId=command)
        assert await asyncio.to_thread(worker.stop) == 0
        assert json.loads(await self.verb("topics", "plan", "--json")) == {"differences": []}
        self.old_id = await topic_id(self.kafka, self.commands)
        await delete(self.kafka, self.commands)
        await eventually(lambda: asyncio.to_thread(applied, self.installed))
        self.new_id = await topic_id(self.kafka, self.commands)

        async def is_appended():
            """Send the first command again, with its key, until ingress has forgotten it and knows the new topic."""
            with suppress(AssertionError):
                assert await Service(self.http, ingress, key).request(authorizations[0]) == self.accepted[0]
            async with open_partitions(KafkaSettings(bootstrap=(self.kafka,)), self.commands, [0]) as reader:
                return (await reader.ends())[0] > 0

        await eventually(is_appended)
        self.accepted += [await portal.request(authorization) for authorization in collate.create(count=NEW)]

    async def each_command_runs_once(self, worker, eventually):
        for command in self.accepted:
            await self.listener.wait_for("command.finished", 30, commandId=command)
        await eventually(lambda: self.is_ready(worker))
        await self.listener.take(1.0)
        finished = Counter(one.data["commandId"] for one in self.listener.events if one.kind == "command.finished")
        assert finished == dict.fromkeys(self.accepted, 1)
        assert json.loads(await self.verb("topics", "plan", "--json")) == {"differences": []}

    async def is_ready(self, worker):
        return "ready" in await self.readiness(worker)


@pytest.fixture
async def again(install, run, kafka, prefix, *, collate, start, eventually):
    installed = await install(kafka, settings={"GATEWAY_TOPICS__PARTITIONS": "1"})
    key = add_callers(run)["portal"]
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        found = CreatedAgain(installed, http, listener, kafka, catalogue(prefix).commands.name)
        await found.prepare(collate, start, eventually, key)
        yield found


async def test_every_verb_names_it_and_after_a_resume_each_command_runs_once(again, eventually):
    planned = json.loads(await again.verb("topics", "plan", "--json", expect=Exit.CONFIG))["differences"]
    assert [(one["topic"], one["aspect"], one["found"]) for one in planned] == [(again.commands, "id", again.new_id)]
    difference = f"{again.commands}: id is {again.new_id}, must be {again.old_id} as in the progress of partition 0: "
    assert difference in await again.verb("check", "--for", "worker", expect=Exit.CONFIG)
    await again.verb("topics", "apply")
    worker = again.installed.start("worker", "worker-again")
    stopped = f"id {again.old_id}, and the topic has the id {again.new_id} now"
    await eventually(lambda: names(again, worker, stopped))
    await again.listener.take(1.0)
    assert [one.kind for one in again.listener.events].count("command.finished") == OLD
    resume = "worker", "resume", "--why", "the topic was created again", "--admin", worker.admin_url
    assert await again.verb(*resume, "--partition", "0") == "Resumed: partition 0.\n"
    await again.each_command_runs_once(worker, eventually)


async def test_after_a_rebuild_each_command_runs_once_in_spite_of_a_copy_of_the_deleted_topic(again, start, eventually):
    group = again.installed.environ["GATEWAY_WORKER__GROUP"]
    await commit_late_copy(again.kafka, group, again.commands, again.old_id)
    await again.verb("topics", "rebuild-state", "--partition", "0", "--yes")
    worker = await start(again.installed, "worker", "worker-rebuilt")
    await again.each_command_runs_once(worker, eventually)


async def names(again, worker, words):
    return words in await again.readiness(worker)
