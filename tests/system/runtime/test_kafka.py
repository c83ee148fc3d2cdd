import asyncio
import signal

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from adapters.kafka.clients import bounded_stop, groupless_consumer, idempotent_producer
from adapters.kafka.cluster import KafkaAway, open_cluster
from adapters.kafka.topic_reader import open_partitions
from adapters.kafka.topics import WantedTopic
from local.processes.patience import within
from runtime.settings import KafkaSettings


async def write_and_read(settings, topic):
    """Write a record and read it, each with a client from the settings."""
    async with open_cluster(settings) as cluster:
        await cluster.create_topic(WantedTopic(topic, 1, 1, {}))
    producer, consumer = (
        idempotent_producer(settings, linger_seconds=0.002),
        groupless_consumer(settings, reset="earliest"),
    )
    try:
        async with within(30):
            await producer.start()
            await producer.send_and_wait(topic, b"value", key=b"key", partition=0)
            await consumer.start()
            consumer.assign([TopicPartition(topic, 0)])
            record = await consumer.getone()
    finally:
        stopped = [await bounded_stop(producer), await bounded_stop(consumer)]
    assert stopped == [True, True]
    return record.key, record.value


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"])
async def test_every_kind_of_listener_works(to_secured, prefix, security):
    assert await write_and_read(to_secured(security), f"{prefix}records") == (b"key", b"value")


async def test_a_reader_fetches_nothing_before_it_is_told_where_to_begin(kafka, prefix):
    settings, topic = KafkaSettings(bootstrap=(kafka,)), f"{prefix}records"
    await write_and_read(settings, topic)
    async with open_partitions(settings, topic, [0]) as reader:
        assert await reader.ends() == {0: 1}
        assert await reader.read() == {}
        reader.seek({0: 0})
        [[record]] = (await reader.read()).values()
    assert record.value == b"value"


async def reason(settings):
    with pytest.raises(KafkaAway) as away:
        async with open_cluster(settings, timeout_seconds=3):
            pass
    return str(away.value)


async def test_each_connection_failure_has_its_own_reason(to_secured, secured, tmp_path):
    server = f"127.0.0.1:{secured.ports['SASL_SSL']}"
    wrong_password = await reason(to_secured("SASL_SSL", password="wrong"))
    assert wrong_password.startswith(server)
    assert "authentication failed" in wrong_password.lower()

    plain_to_tls = await reason(KafkaSettings(bootstrap=(server,)))
    assert "certificate is not trusted" in await reason(to_secured("SASL_SSL", ca_file=None))
    other = {"bootstrap": (f"127.0.0.1:{secured.ports['PLAINTEXT']}",)}
    assert "is GATEWAY_KAFKA__SECURITY right for this port?" in await reason(to_secured("SSL", **other))
    assert await reason(KafkaSettings(bootstrap=("127.0.0.1:1",))) == "127.0.0.1:1: connection refused"
    assert "not known" in await reason(KafkaSettings(bootstrap=("no-such-host.invalid:9092",)))
    assert "is GATEWAY_KAFKA__SECURITY right for this port?" in plain_to_tls


@pytest.fixture
async def frozen(to_secured, secured, prefix):
    """A producer that has written one record, and whose broker is frozen since."""
    topic = f"{prefix}records"
    async with open_cluster(to_secured("PLAINTEXT")) as cluster:
        await cluster.create_topic(WantedTopic(topic, 1, 1, {}))
    before = asyncio.all_tasks()
    producer = idempotent_producer(to_secured("PLAINTEXT"))
    async with within(20):
        await producer.start()
        await producer.send_and_wait(topic, b"before", partition=0)
    secured.kill(0, signal.SIGSTOP)
    try:
        yield producer, topic
        async with within(2):
            await asyncio.gather(*asyncio.all_tasks() - before - {asyncio.current_task()}, return_exceptions=True)
    finally:
        secured.kill(0, signal.SIGCONT)


async def test_a_stuck_producer_stops_in_time_and_fails_its_sends(frozen):
    producer, topic = frozen
    undelivered = await producer.send(topic, b"undeliverable", partition=0)
    async with within(3):
        assert await bounded_stop(producer, seconds=0.5) is False
        with pytest.raises(KafkaTimeoutError, match="may or may not be written"):
            await undelivered


async def test_a_cancelled_stop_is_bounded(frozen):
    producer, topic = frozen
    undelivered = await producer.send(topic, b"undeliverable", partition=0)
    stopping = asyncio.create_task(bounded_stop(producer, seconds=30))
    await asyncio.wait({stopping}, timeout=0.2)
    stopping.cancel()
    async with within(3):
        await asyncio.wait({stopping})
    assert stopping.cancelled()
    assert isinstance(undelivered.exception(), KafkaTimeoutError)


async def test_a_frozen_broker_is_unreachable_within_the_timeout(frozen, to_secured):
    producer, _ = frozen
    async with within(6):
        assert "timed out" in await reason(to_secured("PLAINTEXT"))
    await bounded_stop(producer, seconds=0.5)
