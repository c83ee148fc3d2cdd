"""Settings of each process: its sections, and the checks of one section against another."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from runtime.environ import Section
from runtime.settings.collate import CollateSettings
from runtime.settings.console import ConsoleSettings
from runtime.settings.deliverer import DelivererSettings
from runtime.settings.ingress import IngressSettings
from runtime.settings.kafka import KafkaSettings, TopicSettings
from runtime.settings.operations import AdminSettings, LogSettings, TraceSettings
from runtime.settings.read_model import ReadModelSettings
from runtime.settings.watch import WatchSettings
from runtime.settings.worker import WorkerSettings
from runtime.units import show_duration

# The parts of the longest invocation: when its last write may begin, then a write and three reads that check it. Each
# waits for the call budget first.
LAST_WRITE_BEGINS: Final = timedelta(seconds=30)
LAST_CALLS: Final = 4
CALL_WAIT: Final = timedelta(seconds=5)

# One caller fills at most an eighth of a partition's read-ahead with closes, and an eighth with its other commands.
PARTS_OF_READ_AHEAD: Final = 8

# The memory of one state of an authorization that Collate has never shown, with its timer (docs/capacity.md).
UNKNOWN_STATE_BYTES: Final = 640

# A part of the names of a shadow (decision 0026). It keeps the topics of a shadow away from workers that write.
SHADOW: Final = "shadow"

EnvironmentName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="Name of this installation (production, staging, local); part of each record's `source`.",
    ),
]


class ClusterSettings(Section):
    """The settings of `gateway topics`: Kafka's, and the deliverer's, whose subscriptions have topics."""

    environment: EnvironmentName
    kafka: KafkaSettings
    topics: TopicSettings = TopicSettings()
    log: LogSettings = LogSettings()
    deliverer: DelivererSettings = DelivererSettings()

    @property
    def is_shadow(self) -> bool:
        """Whether these are the topics of a shadow."""
        return SHADOW in self.topics.prefix


class AccessSettings(ClusterSettings):
    """The settings of `gateway topics acls`: Kafka's, and the worker's names that permissions refer to."""

    worker: WorkerSettings = WorkerSettings()


class DelivererProcessSettings(ClusterSettings):
    """The settings of the deliverer: Kafka's and its own, without Collate and the read model."""

    admin: AdminSettings = AdminSettings()

    def contradictions(self) -> list[str]:
        """A shadow has no deliverer: its events are about commands that nobody applied."""
        if self.is_shadow or SHADOW in self.environment:
            found = "GATEWAY_ENVIRONMENT or GATEWAY_TOPICS__PREFIX contains `shadow`"
            return [f"{found}: a shadow delivers no webhooks; stop this deliverer, or use the names of production"]
        return []


class ProcessSettings(ClusterSettings):
    """The settings of the projector and `gateway migrate`: Kafka and the read model, without Collate."""

    admin: AdminSettings = AdminSettings()
    readmodel: ReadModelSettings = ReadModelSettings()


class ConsoleProcessSettings(Section):
    """The settings of the console: neither Kafka nor the read model nor Collate."""

    environment: EnvironmentName
    log: LogSettings = LogSettings()
    admin: AdminSettings = AdminSettings()
    console: ConsoleSettings = ConsoleSettings()

    def contradictions(self) -> list[str]:
        """People need a way to sign in."""
        own = self.console
        has_sessions = own.oidc_issuer is not None or own.key_sign_in or own.link_directory is not None
        if not has_sessions and not own.trust_bearer:
            return ["GATEWAY_CONSOLE__OIDC_ISSUER, …__TRUST_BEARER, …__KEY_SIGN_IN: set one, or people can't sign in"]
        if has_sessions and own.cookie_key_file is None:
            return ["GATEWAY_CONSOLE__COOKIE_KEY_FILE: required for sessions, but not set"]
        return []


class Settings(ProcessSettings):
    """All settings; ingress and worker need them."""

    collate: CollateSettings
    ingress: IngressSettings = IngressSettings()
    worker: WorkerSettings = WorkerSettings()
    watch: WatchSettings = WatchSettings()
    console: ConsoleSettings = ConsoleSettings()
    traces: TraceSettings = TraceSettings()

    @property
    def invocation_deadline(self) -> timedelta:
        """When the worker cancels an invocation of the handler: 10 s after the longest that may happen."""
        return LAST_WRITE_BEGINS + LAST_CALLS * (CALL_WAIT + self.collate.total_timeout) + timedelta(seconds=10)

    @property
    def max_unknown_authorizations(self) -> int:
        """How many authorizations that Collate has never shown all callers may name in a day (decision 0028)."""
        return self.ingress.max_unknown_authorizations or self.worker.state_memory // 2 // UNKNOWN_STATE_BYTES

    def max_unknown_in_partition(self, callers: int) -> int:
        """Return the part of one caller in one partition: one caller may choose ids that are all in one."""
        return max(1, self.max_unknown_authorizations // max(1, callers) // self.topics.partitions)

    def contradictions(self) -> list[str]:
        """Check settings of different sections against each other."""
        wrong = self._wrong_names()
        if self.worker.read_ahead < PARTS_OF_READ_AHEAD * self.ingress.max_replicas:
            wrong.append(
                f"GATEWAY_WORKER__READ_AHEAD is {self.worker.read_ahead}, less than eight commands for each of "
                f"GATEWAY_INGRESS__MAX_REPLICAS {self.ingress.max_replicas} processes: one caller could fill more than "
                "half of a partition; raise the first or lower the second"
            )
        retention, forget_after = self.readmodel.retention, self.watch.forget_after
        if self.readmodel.dsn_file is not None and retention > forget_after:
            wrong.append(
                f"GATEWAY_READMODEL__RETENTION is {show_duration(retention)}, longer than GATEWAY_WATCH__FORGET_AFTER "
                f"{show_duration(forget_after)}: the read model would ignore the events of an authorization that "
                "begins again; shorten the retention or raise forget_after"
            )
        return wrong

    def _wrong_names(self) -> list[str]:
        """Check that exactly the names of a shadow contain `shadow`, so that no worker that writes reads its topics."""
        names = {
            "GATEWAY_ENVIRONMENT": self.environment,
            "GATEWAY_TOPICS__PREFIX": self.topics.prefix,
            "GATEWAY_WORKER__GROUP": self.worker.group,
        }
        if self.collate.writes == "off":
            return [
                f"{name}: expected a name of its own that contains `{SHADOW}`, because GATEWAY_COLLATE__WRITES is off"
                for name, value in names.items()
                if SHADOW not in value
            ]
        return [
            f"{name} contains `{SHADOW}`, but GATEWAY_COLLATE__WRITES is on: a process that writes could apply the "
            "commands of a shadow; set writes off, or use another name"
            for name, value in names.items()
            if SHADOW in value
        ]
