"""A deliverer that is killed, and receivers that fail: nothing is lost, and nothing is out of order."""

import asyncio
import itertools
import random

import pytest

from local.installation import PARTITIONS, Installation
from local.webhook_receiver import Receiver, Reply, always
from tests.chaos.webhooks import EventLog, Webhooks

KEYS = 24
GARBAGE = b"HTTP/1.1 banana\r\n\r\n"


def troubled(seed):
    """A receiver that fails one request in three, in every way."""
    chance = random.Random(seed)
    ways = [
        Reply(500),
        Reply(503, {"retry-after": "0"}),
        Reply(429, {"retry-after": "0"}),
        Reply(302, {"location": "http://127.0.0.1:1/elsewhere"}),
        Reply(404, body=b"x" * 1000),
        Reply(raw=GARBAGE),
        Reply(raw=b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12"),
        Reply(seconds=0.05),
        Reply(200, body=b"y" * 100_000),
    ]
    return lambda received: chance.choice(ways) if chance.random() < 0.33 else Reply()


async def test_kills_lose_and_reorder_nothing(webhooks, events, receiver, eventually):
    receiver.behave = troubled(7)
    webhooks.subscribe("billing", receiver.url)
    program = await webhooks.start()
    keys = itertools.cycle([f"auth_{number}" for number in range(KEYS)])
    for _ in range(3):
        for _ in range(60):
            await events.write(next(keys))
        await asyncio.sleep(0.5)
        program.process.kill()
        program.process.wait()
        for _ in range(20):
            await events.write(next(keys))
        program = await webhooks.start()
    receiver.behave = always(Reply())
    await eventually(lambda: not receiver.verdict(events.sent).lost, within=120)
    verdict = receiver.verdict(events.sent)
    print(verdict)
    assert verdict.is_good, verdict
    assert not receiver.bad


async def test_two_deliverers_share_the_partitions_and_a_kill_moves_them(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    first = await webhooks.start("one")
    second = await webhooks.start("two")
    await events.write("auth_0")
    for number in range(200):
        await events.write(f"auth_{number % KEYS}")
        if number == 100:
            second.process.kill()
    await eventually(lambda: not receiver.verdict(events.sent).lost, within=90)
    assert receiver.verdict(events.sent).is_good
    first.require_running()


async def test_a_receiver_that_was_down_gets_everything_in_order(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url, timeout="2s", connect_timeout="1s")
    await webhooks.start()
    await receiver.stop()
    for number in range(60):
        await events.write(f"auth_{number % 12}")
    await asyncio.sleep(3)
    await receiver.start()
    await eventually(lambda: not receiver.verdict(events.sent).lost, within=90)
    assert receiver.verdict(events.sent).is_good


async def test_a_dead_receiver_delays_no_other(webhooks, events, receiver, eventually):
    """One receiver hangs, one refuses connections, one is slow to resolve: the fourth gets its events meanwhile."""
    async with Receiver(webhooks.secret("dead"), always(Reply(hangs=True))) as dead:
        webhooks.subscribe("dead", dead.url, timeout="5s")
        webhooks.subscribe("refused", "http://127.0.0.1:1999/")
        webhooks.subscribe("nameless", "http://does-not-exist.invalid:8000/")
        webhooks.subscribe("billing", receiver.url)
        await webhooks.start()
        for number in range(100):
            await events.write(f"auth_{number % KEYS}")
        await eventually(lambda: len(dead.requests) > 10)
        before = len(receiver.accepted)
        for number in range(100):
            await events.write(f"auth_{number % KEYS}")
        await eventually(lambda: not receiver.verdict(events.sent).lost, within=30)
        assert before <= len(receiver.accepted)
        assert receiver.verdict(events.sent).is_good
        assert not dead.accepted


@pytest.mark.three_brokers
async def test_a_killed_broker_loses_and_reorders_nothing(kafka3, run, prefix, *, collate, start, eventually):
    installation = Installation(run, bootstrap=kafka3.bootstrap, collate_url=collate.url, prefix=prefix, replication=3)
    webhooks = Webhooks(installation, start)
    async with Receiver(webhooks.secret("billing")) as receiver:
        webhooks.subscribe("billing", receiver.url)
        await webhooks.start()
        async with EventLog(kafka3.bootstrap, prefix, PARTITIONS) as events:
            for number in range(150):
                await events.write(f"auth_{number % KEYS}")
                if number == 50:
                    kafka3.kill(0)
            await eventually(lambda: not receiver.verdict(events.sent).lost, within=120)
            assert receiver.verdict(events.sent).is_good
