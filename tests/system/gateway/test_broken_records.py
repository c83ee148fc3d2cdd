"""A record that is no command of ours becomes a dead letter with an event; the records after it are handled."""

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from local.event_listener import listening
from local.installation import PARTITIONS
from local.judge.whole_topic import read_topic
from schemas.records import read_dead_letter
from schemas.topics import catalogue, partition_for
from tests.system.gateway.services import Service


async def _append(kafka, topic, authorization, value, headers):
    key = authorization.encode()
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, value, key=key, partition=partition_for(key, PARTITIONS), headers=headers)


async def _dead_letters(kafka, topic):
    return [read_dead_letter(one.headers, one.value) for one in await read_topic(kafka, topic, PARTITIONS)]


@pytest.mark.promise(5)
async def test_a_record_that_is_no_command_is_a_dead_letter_and_the_partition_moves_on(
    installation, start, collate, kafka, prefix
):
    (authorization,) = collate.create()
    topics = catalogue(prefix)
    await _append(kafka, topics.commands.name, authorization, b"\xff not even text", [("ce_type", b"nobody.knows.v1")])
    ingress = await start(installation, "ingress")
    await start(installation, "worker")
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        command = await Service(http, ingress, installation.caller_key).request(authorization)
        told = await listener.wait_for("command.dead_lettered", 10, cause="invalid_record")
        finished = await listener.wait_for("command.finished", 10, commandId=command)
    assert (told.sequence, told.authorization_id) == (1, authorization)
    assert (finished.data["outcome"], finished.sequence > told.sequence) == ("applied", True)
    (letter,) = await _dead_letters(kafka, topics.dead_letters.name)
    assert letter.command_id == told.data["commandId"]
    assert letter.record.bytes() == ((("ce_type", b"nobody.knows.v1"),), b"\xff not even text")
