"""docs/operations.md, "The state topic was lost" and "A state record cannot be read", proved by the judge."""

import asyncio
import json
import re

import httpx
from aiokafka import AIOKafkaProducer

from local.installation import PARTITIONS, http_here
from local.judge.evidence import PastStates
from local.judge.verdict import Judge
from local.kafka.admin import admin_of
from runtime.exits import Exit
from schemas.topics import catalogue, partition_for
from tests.preloaded import run_gateway
from tests.system.loaded import under_load


async def verb(installation, *words):
    return await asyncio.to_thread(run_gateway, *words, environ=installation.environ)


async def delete(kafka, topic):
    async with admin_of(kafka) as admin:
        await admin.delete_topics([topic])


async def damage(kafka, topic, authorization_id):
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        key = authorization_id.encode()
        await producer.send_and_wait(topic, b"{", key=key, partition=partition_for(key, PARTITIONS))


def readiness(program):
    with http_here() as http:
        return http.get(f"{program.admin_url}/readyz").text


async def test_lost_states_are_rebuilt_and_nothing_is_lost_or_done_twice(  # noqa: PLR0917 - all it stands on
    run, kafka, prefix, collate, start, eventually
):
    past, state = PastStates(collate), catalogue(prefix).state.name
    async with under_load(run, kafka, prefix, collate, start, seed=17) as loaded:
        installation, worker, callers = loaded.installation, loaded.worker, loaded.callers
        await eventually(lambda: len(callers.ended) > 25)
        collate.fault("delay", method="POST", seconds=1.0)  # writes are in flight when the worker dies
        await eventually(lambda: len(callers.accepted.keys() - callers.ended.keys()) > 5)
        worker.process.kill()
        await asyncio.to_thread(worker.process.wait)

        # The topic is gone, and with another group its copy of the progress too.
        installation.change({"GATEWAY_WORKER__GROUP": f"{prefix}another-worker"})
        await delete(kafka, state)
        await eventually(lambda: asyncio.to_thread(apply_topics, installation))
        stopped = installation.start("worker", "worker-too-early")
        await eventually(lambda: asyncio.to_thread(says, stopped, "the state topic and the group's offsets were lost"))
        assert await asyncio.to_thread(stopped.stop) == 0
        collate.faults.clear()

        # The way back. One state record is damaged afterwards, and rebuilt alone.
        done = await verb(installation, "topics", "rebuild-state", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        rebuilt = json.loads(done.stdout)
        assert (rebuilt["partitions"], rebuilt["skipped"]) == (list(range(PARTITIONS)), 0)
        assert rebuilt["states"] >= 25
        assert rebuilt["unfinished"] >= 5
        again = json.loads((await verb(installation, "topics", "rebuild-state", "--yes", "--json")).stdout)
        assert (again["partitions"], again["kept"]) == ([], list(range(PARTITIONS)))
        one = callers.authorizations[0]
        await damage(kafka, state, one)
        alone = await verb(installation, "topics", "rebuild-state", "--authorization", one, "--yes")
        assert (alone.returncode, alone.stdout.split(". ")[0]) == (0, f"Rebuilt the state of {one}")
        unknown = await verb(installation, "topics", "rebuild-state", "--authorization", "auth_unknown", "--yes")
        assert unknown.returncode == Exit.FAILED

        started = await start(installation, "worker", "worker-two")
        await eventually(lambda: len(callers.ended) > 60)
        await loaded.end()
        _, broken = await Judge(kafka, prefix, PARTITIONS, collate, past, callers, installation.phi_keys).judge(90)
    assert broken == [], started.log.read_text()[-2000:]
    assert not re.search("state_unreadable", started.log.read_text())


def apply_topics(installation):
    """A deleted topic is gone a moment after the answer."""
    return run_gateway("topics", "apply", environ=installation.environ).returncode == 0


def says(program, words):
    try:
        return words in readiness(program)
    except httpx.TransportError:
        return False
