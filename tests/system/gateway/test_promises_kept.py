"""`gateway check promises` has no false alarm beside redrives, `rebuild-state`, compaction and retention."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from adapters.kafka.clients import KafkaFailure
from cli.check.promise_reader import find_violations
from local.kafka.admin import admin_of
from local.processes.patience import within
from runtime.settings import load_cluster_settings
from schemas.topics import catalogue
from tests.preloaded import run_gateway
from tests.shared_broker import own_broker
from tests.system.loaded import under_load

# Kafka's own are five minutes and 30 s.
QUICK = {"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500"}
COMPACTED = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01"}
# Longer than any command waits here: retention must not take what has not been handled.
KEPT_SECONDS = 15
SHORT = {"segment.ms": "500", "retention.ms": str(1_000 * KEPT_SECONDS)}


class Passes:
    """One pass after another. A violation counts after 5 s here: no leader is cut off."""

    def __init__(self, installation):
        self.settings = load_cluster_settings(installation.environ)
        self.violations, self.not_examined, self.examined = [], Counter(), Counter()

    async def go_on(self):
        for seconds in cycle((3_600, 10)):
            await self.over(seconds)

    async def over(self, seconds):
        """Look until a pass succeeds: while a topic is deleted it cannot look."""
        found = None
        async with within(120):
            while found is None:
                try:
                    found = await find_violations(self.settings, datetime.now(UTC) - timedelta(seconds=seconds), 5.0)
                except KafkaFailure:
                    await asyncio.sleep(0.5)
        for findings in found:
            self.violations += findings.violations
            self.not_examined += findings.not_examined
            self.examined += findings.examined


@pytest.fixture(scope="module")
def quick_kafka():
    with own_broker(**QUICK) as cluster:
        yield cluster.bootstrap


async def test_redrives_rebuilt_states_compaction_and_retention_are_no_violations(  # noqa: PLR0917 - all it stands on
    quick_kafka, run, prefix, collate, start, eventually
):
    kafka, topics = quick_kafka, catalogue(prefix)
    async with under_load(run, kafka, prefix, collate, start, seed=31) as loaded:
        installation, callers, listener = loaded.installation, loaded.callers, loaded.listener
        environ = installation.caller_environ(loaded.ingress, loaded.key) | {"COLLATE_GATEWAY_OPERATOR": "op-7"}

        async def verb(*words):
            """Run a verb until it succeeds: the dead letters change while they are decided."""
            await eventually(lambda: asyncio.to_thread(succeeds, environ, *words), within=60)

        def redriven():
            return [one for one in listener.events if one.kind == "command.finished" and "redrive" in one.data]

        passes = Passes(installation)
        looking = asyncio.create_task(passes.go_on())
        async with admin_of(kafka) as admin:
            for topic in (topics.authorizations, topics.state):
                await configure(admin, topic, COMPACTED)

            # Dead letters, redriven while Collate still refuses some of them.
            refusing = {"method": "POST", "path": "/manual-handoffs$", "when": "before", "status": 400}
            first = collate.fault("answer", code="bad_request", count=12, **refusing)
            await eventually(lambda: first.struck == 12)
            second = collate.fault("answer", code="bad_request", count=6, **refusing)
            decide = ("--all", "--yes", "--reason", "checked_by_hand", "--rate", "50")
            await verb("dead-letters", "redrive", *decide)
            await eventually(lambda: second.struck == 6)
            await verb("dead-letters", "discard", *decide)
            await passes.over(3_600)
            await eventually(redriven)

            # `state` is lost and made again; the worker continues from it.
            loaded.worker.process.kill()
            await asyncio.to_thread(loaded.worker.process.wait)
            installation.change({"GATEWAY_WORKER__GROUP": f"{prefix}another-worker"})
            environ["GATEWAY_WORKER__GROUP"] = f"{prefix}another-worker"
            await admin.delete_topics([topics.state.name])
            await verb("topics", "apply")  # a deleted topic is gone a moment after the answer
            await verb("topics", "rebuild-state", "--yes")
            await passes.over(3_600)
            await start(installation, "worker", "worker-two")
            ended = len(callers.ended)
            await eventually(lambda: len(callers.ended) > ended + 20, within=60)

            for topic in (topics.commands, topics.events, topics.dead_letters):
                await configure(admin, topic, SHORT)
            deleted = "partitions of {} that begin later: retention has deleted the rest"
            for topic in ("commands", "events"):
                await eventually(lambda topic=topic: passes.not_examined[deleted.format(topic)], within=120)
            await passes.over(3_600)
        assert not looking.done()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert passes.violations == []
    assert passes.not_examined["partitions whose transactions have no number"]
    assert min(passes.examined[promise] for promise in ("3", "4", "5", "7", "9")) > 100
    assert callers.unexpected == []


async def configure(admin, topic, properties):
    """Change properties of a topic; the request replaces all of them."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**topic.config, **properties})
    (answer,) = await admin.alter_configs([resource])
    assert not any(code for code, *_ in answer.resources), answer


def succeeds(environ, *words):
    done = run_gateway(*words, environ=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return True
