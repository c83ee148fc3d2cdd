"""Clients of Kafka, made from settings: the only file of the gateway that imports aiokafka (the engine is the other).

aiokafka retries for ever and can hang when it stops: whoever awaits one of these clients puts a time-out around it and
stops it with `bounded_stop`. Some of its fatal states are AssertionErrors, so never run with `python -O`.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailed,
    for_code,
)

from gateway.runtime.settings import KafkaSettings, read_secret
from gateway.runtime.topics import Found, Wanted

# What a call on a client may raise; asyncio's own TimeoutError is an OSError.
KafkaFailure = (KafkaError, AssertionError, OSError)

_SET_ON_TOPIC = 1  # DescribeConfigs: source of an entry that was set on the topic itself
_TOPIC_AUTHORIZATION_FAILED = 29
_TOPIC_EXISTS = 36


class KafkaAway(Exception):
    """Kafka can't be used right now; the message says where and why."""


class ClusterRefused(Exception):
    """Kafka answered, and said no to what was asked about a topic."""


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the arguments that every aiokafka client takes: where, who, how secured. Reads the password's file."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap),
        "client_id": kafka.client_id,
        "security_protocol": kafka.security,
    }
    if kafka.security.endswith("SSL"):
        context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
        if kafka.certificate_file is not None:
            context.load_cert_chain(kafka.certificate_file, kafka.key_file)
        options["ssl_context"] = context
    if kafka.security.startswith("SASL") and kafka.password_file is not None:
        options["sasl_mechanism"] = kafka.mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = read_secret(kafka.password_file).get_secret_value()
    return options


def idempotent_producer(
    kafka: KafkaSettings, *, linger_seconds: float = 0.0, max_batch_bytes: int = 256 << 10
) -> AIOKafkaProducer:
    """Make a producer whose retries are written once (acks=all). A failed send breaks it: build a new one."""
    return AIOKafkaProducer(
        **connection(kafka),
        **_patience(kafka),
        enable_idempotence=True,
        acks="all",
        linger_ms=_milliseconds(linger_seconds),
        max_batch_size=max_batch_bytes,
    )


def tail_consumer(kafka: KafkaSettings, *, reset: Literal["earliest", "latest", "none"] = "latest") -> AIOKafkaConsumer:
    """Make a reader of committed records without a group; the caller assigns partitions and seeks."""
    return AIOKafkaConsumer(
        **connection(kafka),
        **_patience(kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        isolation_level="read_committed",
    )


def _patience(kafka: KafkaSettings) -> dict[str, int]:
    return {
        "request_timeout_ms": _milliseconds(kafka.request_timeout.total_seconds()),
        "metadata_max_age_ms": _milliseconds(kafka.metadata_max_age.total_seconds()),
    }


def topic_partitions(topic: str, count: int) -> tuple[TopicPartition, ...]:
    """Name the partitions of a topic as aiokafka's clients want them."""
    return tuple(TopicPartition(topic, partition) for partition in range(count))


async def bounded_stop(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float = 2.0) -> bool:
    """Stop a client; after `seconds` tear it down instead (it can wait for ever on what can't be delivered).

    Return whether it stopped in an orderly way. Never raises but for the cancellation of the caller, which waits for
    the tearing down as well.
    """
    stopping = asyncio.create_task(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=seconds)
    finally:
        orderly = stopping.done() and not stopping.cancelled() and stopping.exception() is None
        if not orderly:
            await _tear_down(client, stopping)
    return orderly


async def _tear_down(client: AIOKafkaProducer | AIOKafkaConsumer, stopping: asyncio.Task[None]) -> None:
    tasks: list[asyncio.Task[Any]] = [stopping]
    if isinstance(client, AIOKafkaProducer):
        inner = client.client
        _fail_undelivered(client._message_accumulator)  # noqa: SLF001 - nothing public ends it
        if client._sender.sender_task is not None:  # noqa: SLF001 - nothing public ends it
            tasks.append(client._sender.sender_task)  # noqa: SLF001 - nothing public ends it
    else:
        inner = client._client  # noqa: SLF001 - nothing public ends it
    # The sender's first cancellation ends its routine, the second what that then waits for.
    for _ in range(2):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.5)
    closing = asyncio.create_task(inner.close())
    await asyncio.wait({closing}, timeout=1.0)
    closing.cancel()
    for task in (*tasks, closing):
        if task.done() and not task.cancelled():
            # Looked at, so that asyncio doesn't report it: the client is thrown away because it failed.
            task.exception()


def _fail_undelivered(accumulator: Any) -> None:
    """Answer everybody who waits for a record of this producer; else its `stop()` would wait with them for ever."""
    batches = [batch for queued in accumulator._batches.values() for batch in queued]  # noqa: SLF001 - nothing public ends it
    batches += accumulator._pending_batches  # noqa: SLF001 - nothing public ends it
    accumulator.fail_all(KafkaTimeoutError("the producer was torn down: the record may or may not be written"))
    for batch in batches:
        if batch._drain_waiter.done():  # noqa: SLF001 - nothing public ends it
            # Looked at, as above.
            batch._drain_waiter.exception()  # noqa: SLF001 - nothing public ends it


class KafkaCluster:
    """Questions to the cluster about topics, and the few changes that `gateway topics apply` makes."""

    def __init__(self, admin: AIOKafkaAdminClient, timeout_seconds: float) -> None:
        self._admin = admin
        self._timeout = timeout_seconds

    async def find_topics(self, names: Iterable[str]) -> dict[str, Found]:
        """Return those of the topics that exist."""
        # Asking for topics by name would create the missing ones on brokers that auto-create.
        async with asyncio.timeout(self._timeout):
            all_topics = await self._admin.describe_topics()
        present = {topic["topic"]: topic["partitions"] for topic in all_topics}
        found = {}
        for name in (name for name in names if name in present):
            config, own = await self._config(name)
            replication = min((len(partition["replicas"]) for partition in present[name]), default=0)
            found[name] = Found(len(present[name]), replication, config, own)
        return found

    async def create_topic(self, wanted: Wanted) -> None:
        """Create a topic; one that somebody else created meanwhile is left alone."""
        new = NewTopic(wanted.name, wanted.partitions, wanted.replication, topic_configs=dict(wanted.config))
        async with asyncio.timeout(self._timeout):
            answer = await self._admin.create_topics([new])
        for _, code, message in answer.topic_errors:
            if code not in (0, _TOPIC_EXISTS):
                raise ClusterRefused(f"topic {wanted.name} was not created: {message or for_code(code).__name__}")

    async def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        """Set these keys of a topic's configuration and leave its others."""
        # The request replaces everything that was set on the topic, so what is there goes with it.
        before, own = await self._config(name)
        kept = {key: value for key, value in (before or {}).items() if key in own}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, {**kept, **config})
        async with asyncio.timeout(self._timeout):
            answers = await self._admin.alter_configs([resource])
        for code, message, *_ in (entry for answer in answers for entry in answer.resources):
            if code:
                raise ClusterRefused(f"topic {name} was not altered: {message or for_code(code).__name__}")

    async def _config(self, name: str) -> tuple[dict[str, str] | None, frozenset[str]]:
        async with asyncio.timeout(self._timeout):
            answers = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        code, message, _, _, entries = answers[0].resources[0]
        if code == _TOPIC_AUTHORIZATION_FAILED:
            return None, frozenset()
        if code:
            raise ClusterRefused(f"topic {name} could not be read: {message or for_code(code).__name__}")
        own = frozenset(entry[0] for entry in entries if entry[3] == _SET_ON_TOPIC)
        return {entry[0]: entry[1] for entry in entries}, own


@asynccontextmanager
async def open_cluster(kafka: KafkaSettings, timeout_seconds: float = 10.0) -> AsyncIterator[KafkaCluster]:
    """Connect for questions about topics. Raises KafkaAway, with the reason, when that or what is done inside fails."""
    where = ",".join(kafka.bootstrap)
    with _Reasons() as reasons:
        try:
            admin = AIOKafkaAdminClient(**connection(kafka), **_patience(kafka))
        except OSError as error:
            raise KafkaAway(f"{where}: {error}") from error
        try:
            async with asyncio.timeout(timeout_seconds):
                await admin.start()
            yield KafkaCluster(admin, timeout_seconds)
        except KafkaFailure as error:
            raise KafkaAway(f"{where}: {reasons.last() or _say(error)}") from error
        finally:
            closing = asyncio.create_task(admin.close())
            await asyncio.wait({closing}, timeout=2.0)


class _Reasons(logging.Handler):
    """Collects what aiokafka logs instead of raising: why a connection failed stands nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: list[str] = []
        self._logger = logging.getLogger("aiokafka")

    def __enter__(self) -> Self:
        self._propagated = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated

    def emit(self, record: logging.LogRecord) -> None:
        error = record.args[-1] if isinstance(record.args, tuple) and record.args else None
        self._said.append(_say(error) if isinstance(error, BaseException) else record.getMessage())

    def last(self) -> str:
        return self._said[-1] if self._said else ""


def _say(error: BaseException) -> str:
    """Put a connection's failure into the words that an operator looks for."""
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); see GATEWAY_KAFKA__CA_FILE"
        case ssl.SSLError():
            return f"TLS failed ({error.reason}); is GATEWAY_KAFKA__SECURITY right for this port?"
        case ConnectionResetError() | KafkaConnectionError():
            return "the connection was closed; is GATEWAY_KAFKA__SECURITY right for this port?"
        case SaslAuthenticationFailed():
            return "authentication failed; see GATEWAY_KAFKA__USERNAME, __PASSWORD_FILE and __MECHANISM"
        case OSError() if error.strerror:
            return error.strerror[0].lower() + error.strerror[1:]
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)
