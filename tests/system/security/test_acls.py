"""Least privilege on a broker with an authorizer: each process gets enough access, and no more."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from adapters.kafka.acls import AclOperation, ResourceAccess
from adapters.kafka.clients import KafkaFailure, bounded_stop, connection
from adapters.kafka.cluster import open_cluster
from cli.check.kafka import check_kafka
from cli.check.promise_reader import find_violations
from local.processes.patience import within
from runtime.settings import ClusterSettings, TopicSettings
from schemas.topics import catalogue, subscription_topics

WITHIN_SECONDS = 15
PROCESSES = ("ingress", "worker", "projector", "deliverer", "topics")


@pytest.fixture
async def granted(administrator, access_of, prefix):
    """An administrator who has created the topics and granted each process exactly its access."""
    await administrator.create_topics(prefix)
    for process in PROCESSES:
        await administrator.allow(process, *access_of(process))
    return administrator


async def denied(settings, accesses, topics):
    async with open_cluster(settings) as cluster:
        return {
            str(access): missing for access in accesses if (missing := await cluster.missing_operations(access, topics))
        }


@pytest.mark.parametrize("process", PROCESSES)
async def test_exactly_the_revoked_access_is_missing(granted, to_secured, access_of, prefix, process):
    topics = [topic.name for topic in (*catalogue(prefix), *subscription_topics(prefix, "billing"))]
    settings = to_secured("SASL_SSL", user=process)
    assert await denied(settings, access_of(process), topics) == {}
    for access in access_of(process):
        await granted.revoke(process, access)
        assert await denied(settings, access_of(process), topics) == {str(access): access.operations}
        await granted.allow(process, access)
    assert await denied(settings, access_of(process), topics) == {}


async def test_check_names_the_remedy_for_a_missing_permission(granted, to_secured, access_of, prefix):
    await granted.revoke("ingress", access_of("ingress")[0])
    findings = await findings_of(to_secured, prefix, "ingress", user="ingress")
    assert ("topic", "skipped", f"{prefix}commands: permission to describe it is missing") in findings
    # These settings name no group of workers, so its permission is missing too.
    problem, _ = [detail for subject, state, detail in findings if (subject, state) == ("acl", "FAILED")]
    assert problem.startswith(f"topic {prefix}commands: Write, DescribeConfigs missing")
    assert "gateway topics acls" in problem


def settings_of(kafka, prefix, environment="test"):
    topics = TopicSettings(prefix=prefix, partitions=1, replication=1, min_insync=1)
    return ClusterSettings(environment=environment, kafka=kafka, topics=topics)


async def findings_of(to_secured, prefix, process, *, security="SASL_SSL", environment="test", **login):
    settings = settings_of(to_secured(security, **login), prefix, environment)
    return [(one.subject, one.state, one.detail) async for one in check_kafka(settings, process)]


@pytest.mark.parametrize("process", PROCESSES)
async def test_check_reports_each_permission_that_a_process_should_not_have(granted, to_secured, prefix, process):
    findings = await findings_of(to_secured, prefix, process, user=process)
    exceeding = [detail for subject, state, detail in findings if (subject, state) == ("acl", "differs")]
    assert exceeding == [], "exactly its access exceeds nothing"
    forging = ResourceAccess("topic", f"{prefix}state", frozenset({AclOperation.WRITE, AclOperation.DELETE}))
    await granted.allow(process, forging)
    findings = await findings_of(to_secured, prefix, process, user=process)
    (excess,) = [one for one in findings if one[:2] == ("acl", "differs")]
    operations = "Delete" if process == "worker" else "Write, Delete"
    assert excess[2].startswith(f"topic {prefix}state: {operations} allowed, but {process} needs no such permission")
    await granted.revoke(process, forging)


async def test_check_reports_a_super_user_and_a_connection_without_encryption(granted, to_secured, prefix):
    findings = await findings_of(to_secured, prefix, "ingress", security="PLAINTEXT")
    (warning,) = [detail for subject, state, detail in findings if (subject, state) == ("kafka", "differs")]
    assert warning.startswith("PLAINTEXT outside environment `local`")
    excess = [detail for subject, _, detail in findings if subject == "acl"]
    assert excess[0].startswith("cluster kafka-cluster: Create, Alter, ClusterAction, AlterConfigs allowed")
    assert len(excess) == 6
    local = await findings_of(to_secured, prefix, "ingress", security="PLAINTEXT", environment="local")
    assert not [one for one in local if one[:2] == ("kafka", "differs") or one[0] == "acl"]


async def test_the_permission_to_create_is_checked_without_topics(administrator, to_secured, access_of, prefix):
    settings, topics = to_secured("SASL_SSL", user="topics"), [f"{prefix}commands"]
    (access,) = access_of("topics")
    async with open_cluster(settings) as cluster:
        assert "CREATE" in {operation.name for operation in await cluster.missing_operations(access, topics)}
        await administrator.allow("topics", access)
        assert await cluster.missing_operations(access, topics) == frozenset()
        assert await cluster.find_topics(topics) == {}


async def write(settings, topic, **options):
    producer = AIOKafkaProducer(**connection(settings), **options)
    try:
        async with within(WITHIN_SECONDS):
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
async def test_no_user_writes_topics_of_another_process(granted, to_secured, prefix, user, role):
    with pytest.raises(TopicAuthorizationFailedError):
        await write(to_secured("SASL_SSL", user=user), getattr(catalogue(prefix), role).name)


@pytest.mark.parametrize(("user", "role"), [("ingress", "state"), ("topics", "commands"), ("stranger", "events")])
async def test_no_user_reads_topics_without_access(granted, to_secured, prefix, user, role):
    # Checks the permission instead of reading: a denied aiokafka consumer retries without a limit instead of failing.
    reading = ResourceAccess("topic", getattr(catalogue(prefix), role).name, frozenset({AclOperation.READ}))
    assert await denied(to_secured("SASL_SSL", user=user), [reading], []) == {str(reading): reading.operations}


async def test_the_ingress_can_t_act_as_a_worker(granted, to_secured, prefix):
    settings, topics = to_secured("SASL_SSL", user="ingress"), catalogue(prefix)
    with pytest.raises(TransactionalIdAuthorizationFailed):
        await write(settings, topics.commands.name, transactional_id=f"{prefix}worker-{topics.commands.name}-0")
    with pytest.raises(GroupAuthorizationFailedError):
        await join(settings, topics.events.name, f"{prefix}worker")


async def join(settings, topic, group):
    consumer = AIOKafkaConsumer(topic, **connection(settings), group_id=group)
    try:
        async with within(WITHIN_SECONDS):
            await consumer.start()
            await consumer.getone()
    finally:
        await bounded_stop(consumer)


async def test_the_check_of_the_promises_needs_to_read_the_five_topics(administrator, to_secured, access_of, prefix):
    await administrator.create_topics(prefix)
    settings = settings_of(to_secured("SASL_SSL", user="promises"), prefix)
    since = datetime.now(UTC) - timedelta(hours=1)
    await administrator.allow("promises", *access_of("promises"))
    (found,) = await find_violations(settings, since)
    assert not found.violations
    await administrator.revoke("promises", access_of("promises")[0])
    with pytest.raises(KafkaFailure):
        await find_violations(settings, since)
