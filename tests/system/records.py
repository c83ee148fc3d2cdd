"""Everything that stands in the topics of one installation, as bytes, aborted transactions included."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from local.installation import PARTITIONS
from local.processes.patience import Patience
from schemas.topics import catalogue


async def everything_in(bootstrap, prefix):
    """Every record of every topic by the topic's short name, in the order of its partition."""
    return {topic.role: await _records_of(bootstrap, topic.name) for topic in catalogue(prefix)}


async def _records_of(bootstrap, topic):
    partitions = [TopicPartition(topic, one) for one in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        records, patience = [], Patience(30)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            assert not patience.is_over, f"{topic} has no end"
            for taken in (await consumer.getmany(timeout_ms=100)).values():
                records += taken
        return records
    finally:
        await consumer.stop()
