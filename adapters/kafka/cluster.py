"""Questions to the cluster about topics and rights, and the few changes that `gateway topics apply` makes.

Tells apart what keeps us out: Kafka that is away, and Kafka that refuses who we are.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    for_code,
)

from adapters.kafka.acls import Need, Operation
from adapters.kafka.aiokafka_internals import knows_brokers
from adapters.kafka.clients import KafkaFailure, connection, patience
from adapters.kafka.permission_probe import missing_rights
from adapters.kafka.topics import Found, Wanted
from runtime.settings import KafkaSettings

_SET_ON_TOPIC = 1  # DescribeConfigs: source of an entry that was set on the topic itself
_UNKNOWN_TOPIC = 3
_TOPIC_AUTHORIZATION_FAILED = 29
_TOPIC_EXISTS = 36
_ASK_AGAIN_SECONDS = 0.1
# A refused token looks like an answer that names no broker: aiokafka does not read what comes back for it.
_NO_BROKERS = (
    "it answered without naming a broker; is GATEWAY_KAFKA__SECURITY right for this port?",
    "the bearer token was refused; see GATEWAY_KAFKA__TOKEN_FILE or __OAUTH_URL",
)


class KafkaAway(Exception):
    """Kafka can't be used right now; the message says where and why."""


class KafkaDenied(KafkaAway):
    """Kafka is there and does not let us in; the message says where and why."""


class ClusterRefused(Exception):
    """Kafka answered, and said no to what was asked about a topic."""


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

    async def missing_rights(self, need: Need, topics: Iterable[str]) -> frozenset[Operation]:
        """Return what a need asks for and we are not allowed; `topics` are those that a prefix stands for."""
        async with asyncio.timeout(self._timeout):
            return await missing_rights(self._admin, need, topics)

    async def _config(self, name: str) -> tuple[dict[str, str] | None, frozenset[str]]:
        until = time.monotonic() + self._timeout
        while True:
            async with asyncio.timeout(self._timeout):
                answers = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            code, message, _, _, entries = answers[0].resources[0]
            # The brokers hear of a new topic one after another.
            if code != _UNKNOWN_TOPIC or time.monotonic() > until:
                break
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
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
            admin = AIOKafkaAdminClient(**connection(kafka), **patience(kafka))
        except OSError as error:
            raise KafkaAway(f"{where}: {_say(error)}") from error
        try:
            async with asyncio.timeout(timeout_seconds):
                await admin.start()
            if not knows_brokers(admin):
                raise KafkaDenied(f"{where}: {_NO_BROKERS[kafka.mechanism == 'OAUTHBEARER']}")
            yield KafkaCluster(admin, timeout_seconds)
        except KafkaFailure as error:
            kind = KafkaDenied if reasons.denied else KafkaAway
            raise kind(f"{where}: {reasons.last() or _say(error)}") from error
        finally:
            closing = asyncio.create_task(admin.close())
            await asyncio.wait({closing}, timeout=2.0)


class _Reasons(logging.Handler):
    """Collects what aiokafka logs instead of raising: why a connection failed stands nowhere else.

    Below warnings only TLS errors are looked at; the rest is what was sent, secrets included.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._said = ""
        self.denied = False
        self._logger, self._connections = logging.getLogger("aiokafka"), logging.getLogger("aiokafka.conn")

    def __enter__(self) -> Self:
        self._before = self._logger.propagate, self._connections.level
        self._logger.propagate = False
        self._connections.setLevel(logging.DEBUG)
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._before[0]
        self._connections.setLevel(self._before[1])

    def emit(self, record: logging.LogRecord) -> None:
        error = record.args[-1] if isinstance(record.args, tuple) and record.args else None
        if record.levelno < logging.WARNING and not isinstance(error, ssl.SSLError):
            return
        denied = isinstance(error, BaseException) and _is_denial(error)
        # What comes after a refusal is only its consequence.
        if denied or not self.denied:
            self._said = _say(error) if isinstance(error, BaseException) else record.getMessage()
        self.denied = self.denied or denied

    def last(self) -> str:
        return self._said


def _is_denial(error: BaseException) -> bool:
    """Tell whether the broker refused who we are."""
    if isinstance(error, ssl.SSLError):
        alert = error.reason or ""
        return "ALERT" in alert and any(word in alert for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED"))
    return isinstance(error, (SaslAuthenticationFailed, UnsupportedSaslMechanismError))


def _say(error: BaseException) -> str:
    """Put a connection's failure into the words that an operator looks for."""
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); see GATEWAY_KAFKA__CA_FILE"
        case ssl.SSLError() if _is_denial(error):
            return f"our certificate was refused ({error.reason}); see GATEWAY_KAFKA__CERTIFICATE_FILE and __KEY_FILE"
        case ssl.SSLError():
            return f"TLS failed ({error.reason}); is GATEWAY_KAFKA__SECURITY right for this port?"
        case ConnectionResetError() | KafkaConnectionError():
            return "the connection was closed; is GATEWAY_KAFKA__SECURITY right for this port?"
        case SaslAuthenticationFailed():
            return "authentication failed; see GATEWAY_KAFKA__USERNAME, __PASSWORD_FILE and __MECHANISM"
        case UnsupportedSaslMechanismError():
            return "it does not take this way to log in; see GATEWAY_KAFKA__MECHANISM"
        case OSError() if error.strerror:
            return error.strerror[0].lower() + error.strerror[1:]
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
