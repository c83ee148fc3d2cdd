"""`gateway topics rebuild-state` over real Kafka: what a frozen worker and a crash between two writes can change."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from adapters.kafka.clients import bounded_stop
from cli.rebuild import rebuild as steps
from cli.rebuild.checked_rebuild import rebuild
from consumers.engine.core.progress import PROGRESS_KEY
from runtime.settings import load_access_settings
from schemas.topics import catalogue

# Longer than a rebuild waits for open transactions: it ends them itself.
LONG_MS = 600_000


def report(text):
    pass


@pytest.fixture
async def frozen_worker(installation, kafka, prefix):
    """Return the producer of a partition, as the worker that owned it still has it."""
    made, group = [], load_access_settings(installation.environ).worker.group

    async def make(number):
        own = f"{group}-{catalogue(prefix).commands.name}-{number}"
        made.append(AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=own, transaction_timeout_ms=LONG_MS))
        await made[-1].start()
        return made[-1]

    yield make
    for producer in made:
        await bounded_stop(producer)


async def write(frozen, topics, number):
    await frozen.begin_transaction()
    await frozen.send_and_wait(topics.events.name, b"{}", key=b"auth_1", partition=number)
    await frozen.send_and_wait(topics.state.name, b"{}", key=b"auth_1", partition=number)


async def transact(frozen, topics, number):
    await write(frozen, topics, number)
    await frozen.commit_transaction()


async def test_a_worker_that_thaws_after_a_rebuild_commits_nothing(installation, kafka, prefix, frozen_worker):
    settings, topics = load_access_settings(installation.environ), catalogue(prefix)
    idle, writing = await frozen_worker(0), await frozen_worker(1)
    await write(writing, topics, 1)
    rebuilt = await rebuild(settings, None, (), report)
    assert {0, 1} <= set(rebuilt.partitions)
    with pytest.raises((KafkaError, IllegalOperation)):
        await writing.commit_transaction()
    with pytest.raises((KafkaError, IllegalOperation)):
        await transact(idle, topics, 0)
    assert await records(kafka, topics.events.name, 0) == await records(kafka, topics.events.name, 1) == []


async def test_a_crash_leaves_a_partition_that_is_rebuilt_again_without_progress(
    installation, kafka, prefix, monkeypatch
):
    settings, state = load_access_settings(installation.environ), catalogue(prefix).state.name
    await rebuild(settings, None, (), report)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "encode", crash)
        with pytest.raises(ConnectionError):
            await rebuild(settings, None, {2}, report)
    progress = [value for key, value in await records(kafka, state, 2) if key == PROGRESS_KEY]
    assert progress[-1] is None, "a worker would start with the old progress"
    again = await rebuild(settings, None, (), report)
    assert again.partitions == (2,)


def crash(*_):
    raise ConnectionError("the process ends here")


async def records(kafka, topic, number):
    """Return the committed records of a partition."""
    partition, found = TopicPartition(topic, number), []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, auto_offset_reset="earliest", isolation_level="read_committed", group_id=None
    )
    await consumer.start()
    consumer.assign([partition])
    end = (await consumer.end_offsets([partition]))[partition]
    while await consumer.position(partition) < end:
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            found += [(record.key, record.value) for record in batch]
    await consumer.stop()
    return found
