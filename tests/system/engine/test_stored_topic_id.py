"""The id of a topic, compared with the file in which the broker stores it."""

import re

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from local.kafka.admin import admin_of
from tests.chaos.laboratory import until
from tests.system.engine.test_topic_ids import id_of


async def test_the_id_is_the_one_that_the_broker_stores_with_the_log(kafka1, prefix):
    topic = f"{prefix}commands"
    async with admin_of(kafka1.bootstrap) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    async with AIOKafkaProducer(bootstrap_servers=kafka1.bootstrap) as producer:
        await producer.send_and_wait(topic, b"", partition=0)
    (node,) = kafka1._nodes
    file = node.data / f"{topic}-0" / "partition.metadata"
    await until(file.exists, within=60)
    stored = file.read_text()
    assert re.search(r"^topic_id: (\S+)$", stored, re.MULTILINE)[1] == await id_of(kafka1.bootstrap, topic)
