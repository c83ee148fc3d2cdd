"""Every setting of every process, a sentence each. docs/configuration.md and `gateway config` are made from this file.

A setting is an environment variable: GATEWAY_ + section + __ + name (GATEWAY_KAFKA__BOOTSTRAP). Secrets come only as
files (`…_file`), read when they are needed, so that a rotated file needs no restart. Durations are written 30s, 5m, 1h.
"""

import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from runtime.environ import Section, SettingsInvalid, file_problem, nest, setting_paths, validate, variable_name
from runtime.units import Duration, Names, Size, Steps, parse_steps

Port = Annotated[int, Field(ge=0, le=65_535)]


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected a URL like https://api.sandbox.trycollate.ai, without user, query or fragment")
    return value.rstrip("/")


def _host_and_port(value: tuple[str, ...]) -> tuple[str, ...]:
    for server in value:
        host, colon, port = server.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError("expected host:port, or several separated by commas")
    return value


class KafkaSettings(Section):
    """How to reach Kafka and who to be there."""

    bootstrap: Annotated[Names, Field(min_length=1), AfterValidator(_host_and_port)] = Field(
        description="Brokers to ask first, as host:port, separated by commas."
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol of the listener; anything but PLAINTEXT needs the settings below."
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="How to log in where security is SASL_PLAINTEXT or SASL_SSL."
    )
    username: str | None = Field(None, description="User to log in as, for SCRAM and PLAIN.")
    password_file: Path | None = Field(None, description="File with that user's password.")
    token_file: Path | None = Field(
        None, description="File with the bearer token for OAUTHBEARER, which somebody replaces before it expires."
    )
    oauth_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="Token endpoint (https) for OAUTHBEARER by client credentials, instead of token_file."
    )
    oauth_client_id: str | None = Field(None, description="Client to ask the token endpoint as.")
    oauth_client_secret_file: Path | None = Field(None, description="File with that client's secret.")
    oauth_scope: str | None = Field(None, description="Scope to ask the token endpoint for.")
    ca_file: Path | None = Field(
        None, description="PEM file with the authorities to trust for the brokers; the system's where it is not set."
    )
    certificate_file: Path | None = Field(None, description="PEM file with our own certificate, for mutual TLS.")
    key_file: Path | None = Field(None, description="PEM file with the key of our own certificate, unencrypted.")
    client_id: str = Field("collate-gateway", description="Name that the brokers' logs and quotas know us by.")
    request_timeout: Duration = Field(
        timedelta(seconds=10), description="How long one request to a broker may take before it is tried again."
    )
    metadata_max_age: Duration = Field(
        timedelta(seconds=30), description="How old our picture of brokers and leaders may get before it is asked anew."
    )

    def contradictions(self) -> list[str]:
        """Security and what belongs to it come together."""
        sasl, tls = self.security.startswith("SASL"), self.security.endswith("SSL")
        wrong = self._login_contradictions() if sasl else []
        if not sasl and (self.username is not None or self.password_file is not None):
            wrong.append(
                f"username and password_file are for SASL_PLAINTEXT and SASL_SSL, but security is {self.security}"
            )
        if not (sasl and self.mechanism == "OAUTHBEARER") and (self.token_file or self.oauth_url):
            wrong.append("token_file and oauth_url are for mechanism OAUTHBEARER with SASL_SSL or SASL_PLAINTEXT")
        if not tls and (self.ca_file or self.certificate_file or self.key_file):
            wrong.append(
                f"ca_file, certificate_file and key_file are for SSL and SASL_SSL, but security is {self.security}"
            )
        if (self.certificate_file is None) != (self.key_file is None):
            wrong.append("certificate_file and key_file come together or not at all")
        return wrong

    def _login_contradictions(self) -> list[str]:
        if self.mechanism != "OAUTHBEARER":
            if self.username is None or self.password_file is None:
                return [f"security {self.security} needs username and password_file"]
            return []
        wrong = []
        if self.username is not None or self.password_file is not None:
            wrong.append("username and password_file are for SCRAM and PLAIN, but mechanism is OAUTHBEARER")
        if (self.token_file is None) == (self.oauth_url is None):
            wrong.append("mechanism OAUTHBEARER needs token_file or oauth_url, one of them")
        if self.oauth_url is not None:
            if self.oauth_client_id is None or self.oauth_client_secret_file is None:
                wrong.append("oauth_url needs oauth_client_id and oauth_client_secret_file")
            if not self.oauth_url.startswith("https://"):
                wrong.append("oauth_url is http://, which sends the client's secret in the clear; use https://")
        return wrong


class TopicSettings(Section):
    """The five topics, alike in number of partitions and in durability."""

    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,128}$")] = Field(
        "collate-gateway.", description="What the names of all topics start with."
    )
    partitions: Annotated[int, Field(ge=1, le=1_000)] = Field(
        12, description="Partitions of every topic; fixed for life, because an authorization's partition depends on it."
    )
    replication: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="Copies of every record; a 202 is as durable as this."
    )
    min_insync: Annotated[int, Field(ge=1, le=10)] = Field(
        2, description="Copies that must have a record before it counts as written."
    )

    def contradictions(self) -> list[str]:
        """No more copies can be in sync than there are."""
        if self.min_insync > self.replication:
            return [f"min_insync {self.min_insync} can't be more than replication {self.replication}"]
        return []


class CollateSettings(Section):
    """The third party: where it is, who we are there, how hard we may ask, and readings of its open questions."""

    base_url: Annotated[str, AfterValidator(_http_url)] = Field(
        description="Collate's API, e.g. https://api.sandbox.trycollate.ai; each environment has its own keys."
    )
    api_key_file: Path = Field(description="File with the API key; read again whenever it changes.")
    allow_plain_http: bool = Field(False, description="Accept an http:// base_url; for the simulated Collate only.")
    ca_file: Path | None = Field(
        None, description="PEM file with the authorities to trust; the system's where not set."
    )
    send_idempotency_key: Literal["all", "create_only"] = Field(
        "all",
        description="Send Idempotency-Key on every handoff write, or on the create alone (a later reading of the API).",
    )
    if_match_on_close: Literal["authorization", "handoff"] = Field(
        "authorization", description="Whose version goes into If-Match on the three closes."
    )
    if_match_is_honoured: bool = Field(
        True, description="Turn off for a Collate that ignores If-Match: no effect is then said to be surely ours."
    )
    key_retention: Duration = Field(
        timedelta(hours=24),
        description="How long Collate remembers an idempotency key; older writes are decided by reading.",
    )
    calls_per_second: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Calls per second that all processes together may make; each takes its share by max_replicas."
    )
    concurrency: Annotated[int, Field(ge=1)] = Field(
        32, description="Calls in flight that all processes together may have; each takes its share by max_replicas."
    )
    max_replicas: Annotated[int, Field(ge=1)] = Field(
        1, description="Most processes (ingress and workers) that call Collate at the same time."
    )
    live_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="Share of a process's calls kept free for people who wait for a grant or a review snapshot."
    )
    connect_timeout: Duration = Field(timedelta(seconds=3), description="How long opening a connection may take.")
    write_timeout: Duration = Field(timedelta(seconds=5), description="How long sending a piece of a request may take.")
    read_timeout: Duration = Field(timedelta(seconds=10), description="How long a piece of an answer may take to come.")
    turn_timeout: Duration = Field(
        timedelta(seconds=2),
        description="How long a grant or review snapshot may wait for its turn; commands wait as timers instead.",
    )
    total_timeout: Duration = Field(timedelta(seconds=15), description="How long one call may take in all.")
    max_response: Size = Field(
        2 << 20, ge=1 << 10, description="Largest answer that is read; a longer one is ambiguous."
    )
    breaker_failures: Annotated[int, Field(ge=1)] = Field(
        5,
        description="Authorizations that must fail in a row, nothing succeeding between, before only probes go out.",
    )
    breaker_open: Duration = Field(
        timedelta(seconds=5), description="How long calls stop before the first probe; doubled up to six times as long."
    )
    ramp_up: Duration = Field(
        timedelta(seconds=30), description="How long after an outage the full rate is reached again."
    )

    def contradictions(self) -> list[str]:
        """The key never travels in the clear by accident, and the timeouts fit into each other."""
        wrong = []
        if (self.base_url or "").startswith("http://") and not self.allow_plain_http:
            wrong.append(
                "base_url is http://, which sends the API key in the clear; use https:// (or allow_plain_http)"
            )
        if self.total_timeout < max(self.connect_timeout, self.write_timeout, self.read_timeout):
            wrong.append("total_timeout is shorter than one of the timeouts inside it")
        return wrong


class IngressSettings(Section):
    """The HTTP side: where to listen, whom to know, and when to say no."""

    host: str = Field("0.0.0.0", description="Address to listen on for callers.")  # noqa: S104 - a container's only interface
    port: Port = Field(8080, description="Port to listen on for callers; 0 takes a free one.")
    callers_file: Path | None = Field(
        None, description="File that lists the callers, their keys (hashed) and permissions."
    )
    max_body: Size = Field(64 << 10, ge=1 << 10, description="Largest request body; a larger one is answered 413.")
    body_timeout: Duration = Field(timedelta(seconds=10), description="How long a request body may take to arrive.")
    max_requests_in_flight: Annotated[int, Field(ge=1)] = Field(
        1_000, description="Requests worked on at the same time; one more is answered 503 at once."
    )
    max_publishes_in_flight: Annotated[int, Field(ge=1)] = Field(
        500, description="Records on their way to Kafka at the same time; one more is answered 503 at once."
    )
    publish_deadline: Duration = Field(
        timedelta(seconds=5), description="How long Kafka may take for one command before the answer is 503 (unknown)."
    )
    linger: Duration = Field(
        timedelta(milliseconds=2), description="How long a command waits for company before it is sent to Kafka."
    )
    max_wait: Duration = Field(timedelta(seconds=30), description="Longest `Prefer: wait` that is honoured.")
    max_waiters: Annotated[int, Field(ge=0)] = Field(
        2_000, description="Requests that may wait for an outcome at once."
    )
    max_streams: Annotated[int, Field(ge=0)] = Field(
        200, description="Clients that may read the event stream at once; more is a case for a Kafka consumer."
    )
    max_streams_per_caller: Annotated[int, Field(ge=0)] = Field(
        20, description="Event streams that one caller may have open at this process."
    )
    stream_life: Duration = Field(
        timedelta(hours=1),
        description="How long one event stream lasts; its client connects again, and is judged anew.",
    )
    caller_rate: Annotated[float, Field(gt=0)] = Field(
        200.0, description="Requests per second that one caller may make at this process, on average."
    )
    caller_burst: Annotated[int, Field(ge=1)] = Field(400, description="Requests that one caller may make in one go.")
    stop_deadline: Duration = Field(
        timedelta(seconds=20), description="How long requests under way may take to finish after SIGTERM."
    )


class WorkerSettings(Section):
    """Consuming: the group, its transactions, its bounds, and how long a command may live."""

    group: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        "collate-gateway-worker", description="Consumer group, and the start of every transactional id."
    )
    instance: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        default_factory=socket.gethostname,
        description="Stable name of this worker, unique in the group (its pod name); two alike evict each other.",
        json_schema_extra={"shown_default": "the host's name"},
    )
    digest_key_file: Path | None = Field(
        None, description="File with the secret under which bodies are compared: one for all workers, 16 bytes or more."
    )
    session_timeout: Duration = Field(
        timedelta(seconds=10), description="How long a worker may be silent before its partitions move to another."
    )
    heartbeat: Duration = Field(timedelta(seconds=1), description="How often a worker says that it is there.")
    transaction_timeout: Duration = Field(
        timedelta(seconds=15), description="How long a transaction may stay open before the broker aborts it."
    )
    turns: Annotated[int, Field(ge=1)] = Field(
        512, description="Authorizations that one worker process works on at the same time."
    )
    read_ahead: Annotated[int, Field(ge=1, le=10_000)] = Field(
        2_000, description="Records of one partition taken up and not finished, before reading pauses."
    )
    read_ahead_size: Size = Field(
        16 << 20, ge=1 << 20, description="Size of the records of one partition not finished, before reading pauses."
    )
    handler_deadline: Duration = Field(
        timedelta(seconds=120), description="How long one step of a command may take before it counts as hung."
    )
    max_memory: Size = Field(
        256 << 10, ge=4 << 10, description="Largest memory of one authorization; beyond it its commands are refused."
    )
    command_max_age: Duration = Field(
        timedelta(hours=24), description="How long a command may wait for Collate before it becomes a dead letter."
    )
    request_expiry: Duration = Field(
        timedelta(hours=1), description="How long after its acceptance a handoff.request without expiresAt expires."
    )
    waiting_after: Duration = Field(
        timedelta(seconds=10), description="How long a command waits before `command.waiting` says why."
    )
    watch_max_age: Duration = Field(
        timedelta(days=90), description="How long an authorization is watched before `authorization.watch_ended`."
    )
    dead_letter_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2,
        description="Share of dead letters among the last records above which a partition stops until it is resumed.",
    )
    dead_letter_window: Annotated[int, Field(ge=10)] = Field(
        50, description="How many of a partition's last records that share is counted over."
    )
    stop_deadline: Duration = Field(
        timedelta(seconds=20), description="How long work under way may take to finish after SIGTERM."
    )

    def contradictions(self) -> list[str]:
        """One lost heartbeat doesn't move partitions."""
        if self.heartbeat * 3 > self.session_timeout:
            return ["heartbeat must be at most a third of session_timeout, or one lost beat moves the partitions"]
        return []


def _steps(text: str, description: str) -> Any:
    return Field(parse_steps(text), description=f"How often to look {description}.")


class WatchSettings(Section):
    """When a watched authorization is looked at again; an age counts from when something new was last seen."""

    ended: Steps = _steps("2s until 1m, 5s until 10m, 30s", "after a handoff has ended, while Collate reconciles")
    open: Steps = _steps("5s until 10m, 15s until 1h, 1m", "while a handoff is open")
    processing: Steps = _steps("10s until 10m, 1m until 1d, 15m", "while Collate works")
    action: Steps = _steps("30s until 1h, 5m until 1d, 30m", "while somebody must act")
    payer: Steps = _steps("1m until 1h, 10m until 1d, 1h", "while the payer decides")
    jitter: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="Share by which each step is made shorter or longer, so that looks don't come in herds."
    )
    longest_stretch: Annotated[float, Field(ge=1)] = Field(
        16.0, description="How many times longer all steps may get while the call budget is too short for them."
    )
    open_too_long: Duration = Field(
        timedelta(hours=4),
        description="How long a handoff may be open, since Collate opened it, before `handoff.at_risk` says so.",
    )
    forget_after: Duration = Field(
        timedelta(days=90),
        description="How long one that is over is remembered; then its record goes and its numbering may begin anew.",
    )

    def contradictions(self) -> list[str]:
        """No event number is used again while the first one may still be in the topic (30 days)."""
        if self.forget_after < timedelta(days=60):
            return ["forget_after must be 60d or more: events stay for 30d, and their numbers may not be used again"]
        return []


class ReadModelSettings(Section):
    """What became of every command, in PostgreSQL; without `dsn_file` there is none and nothing needs it."""

    dsn_file: Path | None = Field(
        None, description="File with PostgreSQL's connection string, e.g. postgresql://user:password@host/database."
    )
    schema_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "collate_gateway",
        description="Schema of the tables; a rebuild makes one beside it, with `_next` behind the name.",
    )
    retention: Duration = Field(
        timedelta(days=90), description="How long what is over stays in the read model before it is swept."
    )
    batch: Annotated[int, Field(ge=1, le=5_000)] = Field(
        2_000, description="Records that the projector writes in one transaction, at most."
    )
    connections: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="Connections that one ingress process reads with, at most."
    )
    read_timeout: Duration = Field(
        timedelta(seconds=2), description="How long one read may take, its wait for a connection included."
    )


class AdminSettings(Section):
    """The admin port: health, metrics, lanes, resume. Not for the outside."""

    host: str = Field("0.0.0.0", description="Address of the admin port.")  # noqa: S104 - probes come from outside the container
    port: Port = Field(9090, description="Port of /livez, /readyz, /startupz, /metrics and /lanes; 0 takes a free one.")
    stalled_after: Duration = Field(
        timedelta(seconds=30), description="How long a loop may not have run before /livez is red."
    )


class LogSettings(Section):
    """What goes to standard error."""

    format: Literal["json", "console"] = Field("json", description="One JSON object per line, or coloured for people.")
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious level that is written."
    )


class TraceSettings(Section):
    """OpenTelemetry, of ingress and worker; without `endpoint` nothing is traced, and nothing of it is imported."""

    endpoint: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None,
        description="Where spans go by OTLP/HTTP, e.g. http://collector:4318/v1/traces; needs the extra `otel`.",
    )
    sample: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="Share of requests traced of those whose caller has not decided it by its `traceparent`."
    )
    queue: Annotated[int, Field(ge=16, le=100_000)] = Field(
        4_096, description="Spans that may wait to be sent; those that find no room are lost."
    )
    timeout: Duration = Field(
        timedelta(seconds=3), description="How long the collector may take for one batch, and for the last at the stop."
    )


class ClusterSettings(Section):
    """What `gateway topics` needs: Kafka alone."""

    environment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = Field(
        description="Name of this installation (production, staging, local), part of every record's source."
    )
    kafka: KafkaSettings
    topics: TopicSettings = TopicSettings()
    log: LogSettings = LogSettings()


class AccessSettings(ClusterSettings):
    """What `gateway topics acls` needs: Kafka and the names that permissions are given for."""

    worker: WorkerSettings = WorkerSettings()


class ProcessSettings(ClusterSettings):
    """What the projector and `gateway migrate` need: Kafka and the read model; no key of Collate's."""

    admin: AdminSettings = AdminSettings()
    readmodel: ReadModelSettings = ReadModelSettings()


class Settings(ProcessSettings):
    """Everything; what ingress and worker are started with."""

    collate: CollateSettings
    ingress: IngressSettings = IngressSettings()
    worker: WorkerSettings = WorkerSettings()
    watch: WatchSettings = WatchSettings()
    traces: TraceSettings = TraceSettings()


Loaded = TypeVar("Loaded", bound=ClusterSettings)

# What a process needs although others do without it.
_NEEDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ingress": (("ingress", "callers_file"),),
    "worker": (("worker", "digest_key_file"),),
    "projector": (("readmodel", "dsn_file"),),
    "migrate": (("readmodel", "dsn_file"),),
}
# Files that only one process opens; the others may run where they are not mounted.
_ONLY_FOR: Mapping[tuple[str, ...], str] = {
    ("ingress", "callers_file"): "ingress",
    ("worker", "digest_key_file"): "worker",
}


def load_settings(environ: Mapping[str, str], process: Literal["ingress", "worker"] | None = None) -> Settings:
    """Read the settings for a process (None: for showing them, without what only one process needs).

    Raises SettingsInvalid with every problem: unknown GATEWAY_ keys, missing and wrong values, contradictions, files.
    """
    return _load(Settings, environ, process)


def load_process_settings(environ: Mapping[str, str], process: Literal["projector", "migrate"]) -> ProcessSettings:
    """Read what the projector or `gateway migrate` needs, as above; Collate's settings are not looked at."""
    return _load(ProcessSettings, environ, process)


def load_cluster_settings(environ: Mapping[str, str]) -> ClusterSettings:
    """Read only what concerns Kafka, for `gateway topics`; keys of the other settings are known but not looked at."""
    return _load(ClusterSettings, environ, None)


def load_access_settings(environ: Mapping[str, str]) -> AccessSettings:
    """Read only what `gateway topics acls` needs, as above."""
    return _load(AccessSettings, environ, "topics")


def read_secret(path: Path) -> SecretStr:
    """Read a secret from its file now, without the line end that editors add."""
    return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))


def value_at(settings: BaseModel, path: tuple[str, ...]) -> object:
    """Return the value of the setting at that path."""
    found: object = settings
    for part in path:
        found = getattr(found, part)
    return found


def _load(model: type[Loaded], environ: Mapping[str, str], process: str | None) -> Loaded:
    nested, problems = nest(environ, known=Settings)
    mine = {name: value for name, value in nested.items() if name in model.model_fields}
    built = validate(model, mine)
    if isinstance(built, list):
        problems += built
    problems += [
        f"{variable_name((section, name))}: required for `gateway {process}` but not set"
        for section, name in _NEEDED.get(process or "", ())
        if name not in mine.get(section, {})
    ]
    problems += [
        f"{variable_name(path)}: {problem}"
        for path, file in _files(model, mine)
        if _ONLY_FOR.get(path, process) == process and (problem := file_problem(file))
    ]
    if isinstance(built, list) or problems:
        raise SettingsInvalid(problems)
    return built


def _files(model: type[BaseModel], nested: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for path in setting_paths(model):
        section, name = path[0], path[-1]
        if name.endswith("_file") and name in nested.get(section, {}):
            yield path, Path(nested[section][name])
