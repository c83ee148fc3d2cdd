"""The publisher of commands on a network that delays, repeats and loses its requests: real brokers behind proxies."""

import asyncio
from collections import defaultdict

import pytest
from aiokafka.admin import NewTopic

from gateway.ingress.commands.appending import Appended
from gateway.ingress.commands.producers import Producers
from local.judge.whole_topic import read_topic
from local.kafka.admin import admin_of
from local.kafka.frame_rules import FrameAct, FrameRule, FrameRules
from local.kafka.frames import Api
from local.processes.patience import within
from runtime.settings import KafkaSettings
from tests.system.ingress.test_broken_producers import publishing

pytestmark = pytest.mark.three_brokers
COMMANDS = 300
ACTS = (FrameAct.HOLD, FrameAct.DROP_BEFORE, FrameAct.DROP_AFTER, FrameAct.DELAY_ANSWER)


@pytest.fixture
async def topic(proxied, prefix):
    async with admin_of(proxied.bootstrap) as admin:
        await admin.create_topics([NewTopic(f"{prefix}late", 1, 3)])
    return f"{prefix}late"


async def test_a_late_write_may_repeat_a_command_and_never_drops_or_changes_an_accepted_one(
    proxied, topic, eventually, monkeypatch
):
    monkeypatch.setattr("adapters.kafka.clients.REQUEST_SECONDS", 2.0)
    rules = FrameRules([FrameRule(act, 0.1, (0.05, 2.0), {Api.PRODUCE}, "ingress") for act in ACTS], seed=3)
    proxied.proxies.rules = rules
    kafka = KafkaSettings(bootstrap=proxied.bootstrap, client_id="ingress")
    accepted = []
    places = asyncio.Semaphore(2)

    async def send(number):
        """Send a command until it is accepted, as a caller retries under its key."""
        async with places:
            while True:
                answer = await publisher.append(0, b"auth", b"command %d" % number, [("ce_id", b"%d" % number)])
                if isinstance(answer, Appended):
                    accepted.append(number)
                    return
                await asyncio.sleep(0.05)

    async with publishing(Producers(kafka, topic, linger_seconds=0.0), deadline_seconds=1.0) as (publisher, _):
        await eventually(lambda: publisher.is_up, within=60)
        async with within(300):
            await asyncio.gather(*(send(number) for number in range(COMMANDS)))
    proxied.proxies.rules = FrameRules()
    await eventually(lambda: proxied.proxies.held == 0)
    found = defaultdict(set)
    for record in await read_topic(proxied.bootstrap, topic, 1):
        found[int(dict(record.headers)["ce_id"])].add(record.value)
    assert sum(rules.met.values()) >= 20
    assert sorted(accepted) == list(range(COMMANDS))
    assert found == {number: {b"command %d" % number} for number in range(COMMANDS)}
