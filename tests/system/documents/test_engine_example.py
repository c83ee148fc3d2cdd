"""The engine alone, as docs/examples/engine.py shows it."""

import sys
from collections import defaultdict
from itertools import accumulate
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic

from local.kafka.admin import admin_of

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "engine.py"
PAYMENTS = [(b"account-%d" % (number % 5), number) for number in range(300)]


async def test_the_example_counts_each_payment_once_and_in_order_although_it_is_killed(broker, prefix, run):
    topics = ("payments", "payments-state", "balances", "refused")
    async with admin_of(broker) as admin:
        await admin.create_topics([NewTopic(f"{prefix}{name}", 4, 1) for name in topics])
    command = [sys.executable, EXAMPLE, broker, prefix, "pod-0"]
    async with (
        AIOKafkaProducer(bootstrap_servers=broker) as producer,
        AIOKafkaConsumer(
            f"{prefix}balances",
            f"{prefix}refused",
            bootstrap_servers=broker,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        ) as consumer,
    ):
        first = run.spawn(command, log=run.directory / "first.log")
        balances = defaultdict(list)
        refused = []

        async def read(count):
            while sum(map(len, balances.values())) + len(refused) < count:
                record = await consumer.getone()
                if record.topic.endswith("refused"):
                    refused.append(record.value)
                else:
                    balances[record.key].append(int(record.value))

        for account, cents in PAYMENTS[:150]:
            await producer.send(f"{prefix}payments", b"%d" % cents, key=account)
        await producer.send_and_wait(f"{prefix}payments", b"ten", key=b"account-0")
        await read(20)
        first.kill()
        for account, cents in PAYMENTS[150:]:
            await producer.send(f"{prefix}payments", b"%d" % cents, key=account)
        await producer.flush()
        run.spawn(command, log=run.directory / "second.log")
        await read(len(PAYMENTS) + 1)
    assert refused == [b"ten"]
    assert balances == {
        b"account-%d" % account: list(accumulate(range(account, len(PAYMENTS), 5))) for account in range(5)
    }
