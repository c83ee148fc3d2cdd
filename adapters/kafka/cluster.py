"""Requests to the cluster about topics and permissions, and the changes of `gateway topics apply`.

Errors distinguish an unreachable Kafka (KafkaAway) from a Kafka that rejects our credentials (KafkaDenied).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar, Self

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    for_code,
)

from adapters.kafka.acls import AclOperation, ResourceAccess
from adapters.kafka.aiokafka_internals import knows_brokers, send_to_any_broker
from adapters.kafka.clients import KafkaFailure, connection, timeouts
from adapters.kafka.permission_probe import allowed_operations, missing_operations
from adapters.kafka.topic_metadata import TopicMetadataRequest, as_text
from adapters.kafka.topics import FoundTopic, WantedTopic
from runtime.settings import KafkaSettings

_SET_ON_TOPIC = 1  # DescribeConfigs: source of an entry that was set on the topic itself
_BROKER_SESSION = "broker.session.timeout.ms"
_UNKNOWN_TOPIC = 3
_TOPIC_AUTHORIZATION_FAILED = 29
_TOPIC_EXISTS = 36
_RETRY_SECONDS = 0.1
# A rejected token looks like a response without brokers: aiokafka does not read the error.
_NO_BROKERS = (
    "the response names no broker; is GATEWAY_KAFKA__SECURITY right for this port?",
    "the bearer token was rejected; see GATEWAY_KAFKA__TOKEN_FILE or __OAUTH_URL",
)


class KafkaAway(Exception):
    """Kafka is unreachable; the message names the servers and the reason."""


class KafkaDenied(KafkaAway):
    """Kafka rejects our credentials; the message names the servers and the reason."""


class TopicRequestRejected(Exception):
    """Kafka rejected a request about a topic."""


class KafkaCluster:
    """Requests to the cluster about topics and permissions."""

    def __init__(self, admin: AIOKafkaAdminClient, timeout_seconds: float) -> None:
        self._admin = admin
        self._timeout = timeout_seconds

    async def find_topics(self, names: Iterable[str]) -> dict[str, FoundTopic]:
        """Return the topics that exist."""
        async with asyncio.timeout(self._timeout):
            response = await send_to_any_broker(self._admin, TopicMetadataRequest(list(names)))
        found = {}
        for code, name, topic_id, _, partitions, *_ in response.topics:
            if not code:
                config, own = await self._config(name)
                replication = min((len(replicas) for *_, replicas, _, _, _ in partitions), default=0)
                found[name] = FoundTopic(len(partitions), replication, config, own, as_text(topic_id))
        return found

    async def create_topic(self, wanted: WantedTopic) -> None:
        """Create a topic; an existing topic stays unchanged."""
        new = NewTopic(wanted.name, wanted.partitions, wanted.replication, topic_configs=dict(wanted.config))
        async with asyncio.timeout(self._timeout):
            response = await self._admin.create_topics([new])
        for _, code, message in response.topic_errors:
            if code not in (0, _TOPIC_EXISTS):
                raise TopicRequestRejected(f"topic {wanted.name} was not created: {message or for_code(code).__name__}")

    async def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        """Set these keys of a topic's configuration and keep its other keys."""
        # The request replaces all keys that are set on the topic, so it must contain the present ones.
        before, own = await self._config(name)
        kept = {key: value for key, value in (before or {}).items() if key in own}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, {**kept, **config})
        async with asyncio.timeout(self._timeout):
            responses = await self._admin.alter_configs([resource])
        for code, message, *_ in (entry for response in responses for entry in response.resources):
            if code:
                raise TopicRequestRejected(f"topic {name} was not altered: {message or for_code(code).__name__}")

    async def members_of(self, group: str) -> int:
        """Return the number of a consumer group's members; a killed member counts until its session ends."""
        async with asyncio.timeout(self._timeout):
            responses = await self._admin.describe_consumer_groups([group])
        return sum(len(described[5]) for response in responses for described in response.groups)

    async def topics_of(self, group: str) -> frozenset[str]:
        """Return the topics that the members of a consumer group subscribe to; during a rebalance maybe not all.

        Empty too if we may not see the group, or if the cluster has had no group yet.
        """
        try:
            async with asyncio.timeout(self._timeout):
                responses = await self._admin.describe_consumer_groups([group])
        except (GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError):
            return frozenset()
        members = [member for response in responses for described in response.groups for member in described[5]]
        # The subscription is the fourth field; it is empty while the member joins.
        subscriptions = [ConsumerProtocolMemberMetadata.decode(member[3]) for member in members if member[3]]
        return frozenset(topic for subscription in subscriptions for topic in subscription.subscription)

    async def committed_offsets(self, group: str, topic: str, partitions: int) -> dict[int, tuple[int, str]]:
        """Return a group's committed offset and its metadata by partition; without those that have none."""
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        async with asyncio.timeout(self._timeout):
            found = await self._admin.list_consumer_group_offsets(group, partitions=wanted)
        return {one.partition: (int(at.offset), at.metadata) for one, at in found.items() if at.offset >= 0}

    async def broker_session_seconds(self) -> float | None:
        """Return the longest `broker.session.timeout.ms` of the brokers; None if we may not read it.

        0 for a single broker, after which no other takes over.
        """
        async with asyncio.timeout(self._timeout):
            brokers = [broker["node_id"] for broker in (await self._admin.describe_cluster())["brokers"]]
            if len(brokers) == 1:
                return 0.0
            wanted = [ConfigResource(ConfigResourceType.BROKER, node, {_BROKER_SESSION: None}) for node in brokers]
            responses = await self._admin.describe_configs(wanted)
        entries = [entry for response in responses for resource in response.resources for entry in resource[4]]
        return max((int(value) / 1_000 for name, value, *_ in entries if name == _BROKER_SESSION), default=None)

    async def missing_operations(self, access: ResourceAccess, topics: Iterable[str]) -> frozenset[AclOperation]:
        """Return the operations of an access that the broker denies; `topics` are the topics of a prefix."""
        async with asyncio.timeout(self._timeout):
            return await missing_operations(self._admin, access, topics)

    async def allowed_operations(self, access: ResourceAccess) -> frozenset[AclOperation]:
        """Return the operations of an access that the broker allows."""
        async with asyncio.timeout(self._timeout):
            return await allowed_operations(self._admin, access)

    async def _config(self, name: str) -> tuple[dict[str, str] | None, frozenset[str]]:
        until = time.monotonic() + self._timeout
        while True:
            async with asyncio.timeout(self._timeout):
                responses = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            code, message, _, _, entries = responses[0].resources[0]
            # The brokers learn of a new topic one after another.
            if code != _UNKNOWN_TOPIC or time.monotonic() > until:
                break
            await asyncio.sleep(_RETRY_SECONDS)
        if code == _TOPIC_AUTHORIZATION_FAILED:
            return None, frozenset()
        if code:
            raise TopicRequestRejected(f"topic {name} could not be read: {message or for_code(code).__name__}")
        own = frozenset(entry[0] for entry in entries if entry[3] == _SET_ON_TOPIC)
        return {entry[0]: entry[1] for entry in entries}, own


async def count_members(kafka: KafkaSettings, group: str, timeout_seconds: float) -> int | None:
    """Return the number of a consumer group's members; None if Kafka does not say it in time, or not to us."""
    try:
        async with open_cluster(kafka, timeout_seconds) as cluster:
            return await cluster.members_of(group)
    except KafkaAway:
        return None


@asynccontextmanager
async def open_cluster(kafka: KafkaSettings, timeout_seconds: float = 10.0) -> AsyncIterator[KafkaCluster]:
    """Connect to the cluster. Raises KafkaAway or KafkaDenied, also for errors inside the block."""
    servers = ",".join(kafka.bootstrap)
    with _ErrorCollector() as errors:
        try:
            admin = AIOKafkaAdminClient(**connection(kafka), **timeouts())
        except OSError as error:
            raise KafkaAway(f"{servers}: {_message(error)}") from error
        try:
            async with asyncio.timeout(timeout_seconds):
                await admin.start()
            if not knows_brokers(admin):
                raise KafkaDenied(f"{servers}: {_NO_BROKERS[kafka.mechanism == 'OAUTHBEARER']}")
            yield KafkaCluster(admin, timeout_seconds)
        except KafkaFailure as error:
            kind = KafkaDenied if errors.denied else KafkaAway
            raise kind(f"{servers}: {errors.message or _message(error)}") from error
        finally:
            closing = asyncio.create_task(admin.close())
            await asyncio.wait({closing}, timeout=2.0)


class _ErrorCollector(logging.Handler):
    """Collects the reason of a failed connection from aiokafka's log: aiokafka raises no error that contains it.

    Below WARNING it reads only TLS errors: other records contain sent data, including secrets. Connections may overlap
    and end in any order; the last collector that ends restores the log.
    """

    _log: ClassVar = logging.getLogger("aiokafka")
    _connection_log: ClassVar = logging.getLogger("aiokafka.conn")
    _open: ClassVar[set["_ErrorCollector"]] = set()
    _before: ClassVar[tuple[bool, int]]

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.message = ""
        self.denied = False

    def __enter__(self) -> Self:
        if not self._open:
            _ErrorCollector._before = self._log.propagate, self._connection_log.level
            self._log.propagate = False
            self._connection_log.setLevel(logging.DEBUG)
        self._open.add(self)
        self._log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._open.remove(self)
        if not self._open:
            self._log.propagate, level = self._before
            self._connection_log.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.args[-1] if isinstance(record.args, tuple) and record.args else None
        if record.levelno < logging.WARNING and not isinstance(error, ssl.SSLError):
            return
        denied = isinstance(error, BaseException) and _is_denial(error)
        # Errors after a denial are only its consequences.
        if denied or not self.denied:
            self.message = _message(error) if isinstance(error, BaseException) else record.getMessage()
        self.denied = self.denied or denied


def _is_denial(error: BaseException) -> bool:
    """Return whether the broker rejected our credentials."""
    if isinstance(error, ssl.SSLError):
        alert = error.reason or ""
        return "ALERT" in alert and any(word in alert for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED"))
    return isinstance(error, (SaslAuthenticationFailed, UnsupportedSaslMechanismError))


def _message(error: BaseException) -> str:
    """Describe a connection failure for an operator, with the settings to check."""
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "timed out"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); see GATEWAY_KAFKA__CA_FILE"
        case ssl.SSLError() if _is_denial(error):
            return f"our certificate was rejected ({error.reason}); see GATEWAY_KAFKA__CERTIFICATE_FILE and __KEY_FILE"
        case ssl.SSLError():
            return f"TLS failed ({error.reason}); is GATEWAY_KAFKA__SECURITY right for this port?"
        case ConnectionResetError() | KafkaConnectionError():
            return "the connection was closed; is GATEWAY_KAFKA__SECURITY right for this port?"
        case SaslAuthenticationFailed():
            return "authentication failed; see GATEWAY_KAFKA__USERNAME, __PASSWORD_FILE and __MECHANISM"
        case UnsupportedSaslMechanismError():
            return "the broker does not support this mechanism; see GATEWAY_KAFKA__MECHANISM"
        case OSError() if error.strerror:
            return error.strerror[0].lower() + error.strerror[1:]
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
