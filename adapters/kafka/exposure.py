"""Warnings about a Kafka that protects less than the promises assume: no encryption, or more permissions than needed.

Environment `local` gets none: its Kafka has neither encryption nor an authorizer. A process refuses a deadline of its
transactions before which Kafka has no other coordinator: it could tear them (docs/decisions/0027-torn-transactions.md).
"""

from dataclasses import replace
from typing import Final

from adapters.kafka.acls import Process, ResourceAccess, possible_access, required_access, without
from adapters.kafka.cluster import KafkaAway, KafkaCluster, open_cluster
from runtime.exits import StartupError
from runtime.logs import Log
from runtime.settings import ClusterSettings, KafkaSettings, Settings
from schemas.topics import catalogue

LOCAL: Final = "local"
_ELECTION_SECONDS: Final = 5.0


def unencrypted(settings: ClusterSettings) -> str | None:
    """Return what is wrong with an unencrypted connection to Kafka; None if nothing is."""
    if settings.environment == LOCAL or not settings.kafka.security.endswith("PLAINTEXT"):
        return None
    return (
        f"{settings.kafka.security} outside environment `{LOCAL}`: the network can read PHI and forge commands; "
        "set GATEWAY_KAFKA__SECURITY to SASL_SSL or SSL"
    )


async def excess_access(cluster: KafkaCluster, settings: ClusterSettings, process: Process) -> list[ResourceAccess]:
    """Return the access that the broker allows beyond the needs of the process."""
    if settings.environment == LOCAL:
        return []
    topics, prefix = catalogue(settings.topics.prefix), settings.topics.prefix
    group = settings.worker.group if isinstance(settings, Settings) else None
    own_group = settings.deliverer.group if process == "deliverer" else group or ""
    needed = required_access(process, topics, prefix, own_group)
    excess = []
    for possible in possible_access(topics, group):
        unneeded = without(possible, needed)
        if unneeded.operations and (allowed := await cluster.allowed_operations(unneeded)):
            excess.append(replace(unneeded, operations=allowed))
    return excess


def names_of(access: ResourceAccess) -> str:
    """Name the operations of an access as kafka-acls.sh does."""
    return ", ".join(operation.tool_name for operation in sorted(access.operations))


async def log_exposure(settings: ClusterSettings, process: Process, log: Log) -> None:
    """Log the warnings at the start of a process. If Kafka does not respond, the other parts of the process say so."""
    if (problem := unencrypted(settings)) is not None:
        log.warning("kafka.connection_unencrypted", problem=problem)
    if settings.environment == LOCAL:
        return
    try:
        async with open_cluster(settings.kafka) as cluster:
            excess = await excess_access(cluster, settings, process)
    except KafkaAway as away:
        log.warning("kafka.permissions_unchecked", reason=str(away))
        return
    if excess:
        log.warning(
            "kafka.permissions_exceeded",
            excess={str(access): names_of(access) for access in excess},
            remedy="remove these ACLs; see `gateway topics acls`",
        )


class DeadlineRefused(StartupError):
    """The process would give up its transactions too early."""

    title = "transaction timeout"


async def problem_of_deadline(cluster: KafkaCluster, kafka: KafkaSettings) -> str | None:
    """Return that the brokers' session cannot be read, None if the deadline is long enough. Raises DeadlineRefused."""
    session = await cluster.broker_session_seconds()
    if session is None:
        return "broker.session.timeout.ms: DescribeConfigs on the cluster is missing; see `gateway topics acls`"
    deadline, least = kafka.transaction_deadline.total_seconds(), session + _ELECTION_SECONDS
    if deadline < least:
        problem = (
            f"GATEWAY_KAFKA__TRANSACTION_TIMEOUT gives a transaction {deadline:g} s; expected {least:g} s, "
            f"{_ELECTION_SECONDS:g} s more than the brokers' broker.session.timeout.ms: raise the first to "
            f"{least / kafka.TRANSACTION_SHARE:g} s, or lower the second"
        )
        raise DeadlineRefused([problem])
    return None


async def require_deadline(kafka: KafkaSettings, log: Log) -> None:
    """Warn if the brokers' session cannot be read. Raises DeadlineRefused."""
    try:
        async with open_cluster(kafka) as cluster:
            problem = await problem_of_deadline(cluster, kafka)
    except KafkaAway as away:
        problem = str(away)
    if problem is not None:
        log.warning("kafka.deadline_unchecked", reason=problem)
