"""Least privilege on a broker with an authorizer: what each process gets is enough, and every bit of it is needed."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from adapters.kafka.acls import AclOperation, ResourceAccess
from adapters.kafka.clients import bounded_stop, connection
from adapters.kafka.cluster import open_cluster
from gateway.cli.check.kafka import check_kafka
from runtime.settings import ClusterSettings, TopicSettings
from schemas.topics import catalogue

WITHIN_SECONDS = 15
PROCESSES = ("ingress", "worker", "projector", "topics")


@pytest.fixture
async def rights(administrator, needed, prefix):
    """Topics, and for every process exactly what it needs."""
    await administrator.create_topics(prefix)
    for process in PROCESSES:
        await administrator.allow(process, *needed(process))
    return administrator


async def lacking(settings, needed, topics):
    async with open_cluster(settings) as cluster:
        return {str(need): missing for need in needed if (missing := await cluster.missing_operations(need, topics))}


@pytest.mark.parametrize("process", PROCESSES)
async def test_check_names_each_permission_that_is_missing_and_no_other(rights, to_secured, needed, prefix, process):
    topics = [topic.name for topic in catalogue(prefix)]
    settings = to_secured("SASL_SSL", user=process)
    assert await lacking(settings, needed(process), topics) == {}
    for need in needed(process):
        await rights.forbid(process, need)
        assert await lacking(settings, needed(process), topics) == {str(need): need.operations}
        await rights.allow(process, need)
    assert await lacking(settings, needed(process), topics) == {}


async def test_check_says_what_to_do_about_a_missing_permission(rights, to_secured, needed, prefix):
    settings = ClusterSettings(
        environment="test",
        kafka=to_secured("SASL_SSL", user="ingress"),
        topics=TopicSettings(prefix=prefix, partitions=1, replication=1, min_insync=1),
    )
    await rights.forbid("ingress", needed("ingress")[0])
    findings = [(one.subject, one.state, one.detail) async for one in check_kafka(settings, "ingress")]
    assert ("topic", "skipped", f"{prefix}commands: permission to describe it is missing") in findings
    (told,) = [detail for what, state, detail in findings if (what, state) == ("acl", "FAILED")]
    assert told.startswith(f"topic {prefix}commands: Write, DescribeConfigs missing")
    assert "gateway topics acls" in told


async def test_creating_topics_may_be_checked_before_there_are_any(administrator, to_secured, needed, prefix):
    settings, topics = to_secured("SASL_SSL", user="topics"), [f"{prefix}commands"]
    (need,) = needed("topics")
    async with open_cluster(settings) as cluster:
        assert "CREATE" in {operation.name for operation in await cluster.missing_operations(need, topics)}
        await administrator.allow("topics", need)
        assert await cluster.missing_operations(need, topics) == frozenset()
        assert await cluster.find_topics(topics) == {}


async def write(settings, topic, **options):
    producer = AIOKafkaProducer(**connection(settings), **options)
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            await producer.start()
            await producer.send_and_wait(topic, b"forged", key=b"k", partition=0)
    finally:
        await bounded_stop(producer)


@pytest.mark.parametrize(
    ("user", "role"),
    [
        ("ingress", "events"),
        ("ingress", "authorizations"),
        ("ingress", "state"),
        ("ingress", "dead_letters"),
        ("projector", "events"),
        ("worker", "commands"),
        ("topics", "commands"),
        ("stranger", "commands"),
        ("stranger", "events"),
    ],
)
async def test_nobody_writes_what_is_another_s(rights, to_secured, prefix, user, role):
    with pytest.raises(TopicAuthorizationFailedError):
        await write(to_secured("SASL_SSL", user=user), getattr(catalogue(prefix), role).name)


@pytest.mark.parametrize(("user", "role"), [("ingress", "state"), ("topics", "commands"), ("stranger", "events")])
async def test_nobody_reads_what_is_not_for_him(rights, to_secured, prefix, user, role):
    # Asked, not tried: a reader that may not read asks for the leaders again and again instead of failing.
    reading = ResourceAccess("topic", getattr(catalogue(prefix), role).name, frozenset({AclOperation.READ}))
    assert await lacking(to_secured("SASL_SSL", user=user), [reading], []) == {str(reading): reading.operations}


async def test_ingress_can_t_stand_in_for_a_worker(rights, to_secured, prefix):
    settings, topics = to_secured("SASL_SSL", user="ingress"), catalogue(prefix)
    with pytest.raises(TransactionalIdAuthorizationFailed):
        await write(settings, topics.commands.name, transactional_id=f"{prefix}worker-{topics.commands.name}-0")
    with pytest.raises(GroupAuthorizationFailedError):
        await join(settings, topics.events.name, f"{prefix}worker")


async def join(settings, topic, group):
    consumer = AIOKafkaConsumer(topic, **connection(settings), group_id=group)
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            await consumer.start()
            await consumer.getone()
    finally:
        await bounded_stop(consumer)
