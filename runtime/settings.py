"""All settings of all processes. docs/configuration.md and the chart's schema are generated from their descriptions.

A setting is an environment variable: GATEWAY_ + section + __ + name (GATEWAY_KAFKA__BOOTSTRAP). A secret is
always a file (`…_file`), read when it is needed, so that a rotated file needs no restart. Durations: 30s, 5m.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from runtime.environ import Section, SettingsInvalid, file_problem, nest, setting_paths, validate, variable_name
from runtime.units import Duration, Names, Size, Steps, parse_steps, show_duration

Port = Annotated[int, Field(ge=0, le=65_535)]

# The parts of the longest invocation: when its last write may begin, then a write and three reads that check it. Each
# waits for the call budget first.
LAST_WRITE_BEGINS: Final = timedelta(seconds=30)
LAST_CALLS: Final = 4
CALL_WAIT: Final = timedelta(seconds=5)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected a URL like https://api.sandbox.trycollate.ai, without user, query or fragment")
    return value.rstrip("/")


def _origin(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.path:
        raise ValueError("expected an origin like https://handoffs.example, without path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_origin(one) for one in values)


def _proxy_url(value: str) -> str:
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or not port or parts.netloc.count("@") or parts.path.strip("/"):
        raise ValueError("expected http://host:port, without user; credentials come from a file")
    return value.rstrip("/")


def _host_and_port(value: tuple[str, ...]) -> tuple[str, ...]:
    for server in value:
        host, colon, port = server.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError("expected host:port, or several separated by commas")
    return value


class KafkaSettings(Section):
    """Address and credentials for Kafka."""

    bootstrap: Annotated[Names, Field(min_length=1), AfterValidator(_host_and_port)] = Field(
        description="Brokers for the first connection, as host:port, separated by commas."
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol of the brokers' listener; all but PLAINTEXT need some of the settings below."
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="Login mechanism if security is SASL_PLAINTEXT or SASL_SSL."
    )
    username: str | None = Field(None, description="User name for SCRAM and PLAIN.")
    password_file: Path | None = Field(None, description="File with the password of `username`.")
    token_file: Path | None = Field(
        None, description="File with the bearer token for OAUTHBEARER; another program must renew it in time."
    )
    oauth_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="Token endpoint (https) for OAUTHBEARER with client credentials; replaces `token_file`."
    )
    oauth_client_id: str | None = Field(None, description="Client id for the token endpoint.")
    oauth_client_secret_file: Path | None = Field(None, description="File with the secret of `oauth_client_id`.")
    oauth_scope: str | None = Field(None, description="Scope of the requested token.")
    ca_file: Path | None = Field(
        None, description="PEM file with the brokers' trusted certificate authorities; by default, those of the system."
    )
    certificate_file: Path | None = Field(None, description="PEM file with the gateway's certificate for mutual TLS.")
    key_file: Path | None = Field(None, description="PEM file with the unencrypted key of `certificate_file`.")
    client_id: str = Field("collate-gateway", description="Client name in the brokers' logs and quotas.")
    request_timeout: Duration = Field(
        timedelta(seconds=10), description="Timeout of one request to a broker; the client then retries it."
    )
    metadata_max_age: Duration = Field(
        timedelta(seconds=30), description="Maximum age of the client's metadata about brokers and leaders."
    )

    def contradictions(self) -> list[str]:
        """Check that the credentials match `security` and `mechanism`."""
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
            wrong.append("certificate_file and key_file must be set together")
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
            wrong.append("mechanism OAUTHBEARER needs either token_file or oauth_url")
        if self.oauth_url is not None:
            if self.oauth_client_id is None or self.oauth_client_secret_file is None:
                wrong.append("oauth_url needs oauth_client_id and oauth_client_secret_file")
            if not self.oauth_url.startswith("https://"):
                wrong.append("oauth_url is http://, which sends the client's secret unencrypted; use https://")
        return wrong


class TopicSettings(Section):
    """The five topics, with the same number of partitions and the same durability."""

    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,128}$")] = Field(
        "collate-gateway.", description="Prefix of all topic names."
    )
    partitions: Annotated[int, Field(ge=1, le=1_000)] = Field(
        12, description="Partitions of each topic; never change it, because it determines an authorization's partition."
    )
    replication: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="Replicas of each record; they determine the durability behind a 202 response."
    )
    min_insync: Annotated[int, Field(ge=1, le=10)] = Field(
        2, description="Replicas that must have a record before it counts as written."
    )

    def contradictions(self) -> list[str]:
        """Check that `min_insync` does not exceed `replication`."""
        if self.min_insync > self.replication:
            return [f"min_insync {self.min_insync} can't be more than replication {self.replication}"]
        return []


class CollateSettings(Section):
    """Address, key, limits and timeouts for Collate's API, and choices where its documentation is ambiguous."""

    base_url: Annotated[str, AfterValidator(_http_url)] = Field(
        description="URL of Collate's API, e.g. https://api.sandbox.trycollate.ai; each environment has its own keys."
    )
    api_key_file: Path = Field(description="File with the API key; the gateway rereads it after each change.")
    allow_plain_http: bool = Field(False, description="Accept an http:// `base_url`; only for the simulated Collate.")
    ca_file: Path | None = Field(
        None, description="PEM file with the trusted certificate authorities; by default, those of the system."
    )
    proxy: Annotated[str, AfterValidator(_proxy_url)] | None = Field(
        None, description="Outgoing proxy for calls to Collate, as http://host:port; TLS to Collate runs through it."
    )
    proxy_credentials_file: Path | None = Field(
        None, description="File with `user:password` for that proxy; read for each new connection."
    )
    send_idempotency_key: Literal["all", "create_only", "none"] = Field(
        "all",
        description="Send Idempotency-Key with every handoff write, only with the create, or not at all.",
    )
    if_match_on_close: Literal["authorization", "handoff"] = Field(
        "authorization", description="Source of the version in If-Match of the three close calls."
    )
    if_match_is_honoured: bool = Field(
        True, description="Set false if Collate ignores If-Match; then no effect counts as proven (`ours`)."
    )
    handoffs_raise_version: bool = Field(
        False,
        description="Set true if every opening and every end of a handoff raises the authorization's version: "
        "then the version decides more creates with a lost response.",
    )
    abandonment_after: Duration = Field(
        timedelta(minutes=15),
        description="How long after the end of its last access grant, or its opening, Collate ends a handoff as "
        "abandoned; 0s if unknown.",
    )
    key_retention: Duration = Field(
        timedelta(hours=24),
        description="How long Collate remembers an idempotency key; a read resolves older writes.",
    )
    calls_per_second: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Calls per second of all processes together; each process gets 1/`max_replicas` of them."
    )
    concurrency: Annotated[int, Field(ge=1)] = Field(
        32, description="Calls in flight of all processes together; each process gets 1/`max_replicas` of them."
    )
    max_replicas: Annotated[int, Field(ge=1)] = Field(
        1, description="Maximum number of processes (ingress and workers) that call Collate at the same time."
    )
    live_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="Share of a process's calls reserved for access grants and review snapshots."
    )
    connect_timeout: Duration = Field(timedelta(seconds=3), description="Timeout for opening a connection.")
    write_timeout: Duration = Field(timedelta(seconds=5), description="Timeout for sending a chunk of a request.")
    read_timeout: Duration = Field(timedelta(seconds=10), description="Timeout for receiving a chunk of a response.")
    turn_timeout: Duration = Field(
        timedelta(seconds=2), description="How long an access grant or review snapshot may wait for the call budget."
    )
    total_timeout: Duration = Field(timedelta(seconds=15), description="Timeout of one call in total.")
    max_response: Size = Field(
        2 << 20,
        ge=1 << 10,
        description="Maximum size of a response; a larger response counts as an unknown result.",
    )
    breaker_failures: Annotated[int, Field(ge=1)] = Field(
        5, description="Authorizations whose calls fail in a row, without a success, before the breaker opens."
    )
    breaker_open: Duration = Field(
        timedelta(seconds=5),
        description="Time from opening to the first probe; failed probes double it, up to sixfold.",
    )
    ramp_up: Duration = Field(
        timedelta(seconds=30), description="Time from the end of an outage to the full call rate."
    )

    def contradictions(self) -> list[str]:
        """Check that the key is encrypted in transit, and that `total_timeout` covers the other timeouts."""
        wrong = []
        if (self.base_url or "").startswith("http://") and not self.allow_plain_http:
            wrong.append(
                "base_url is http://, which sends the API key unencrypted; use https:// (or set allow_plain_http)"
            )
        if self.total_timeout < max(self.connect_timeout, self.write_timeout, self.read_timeout):
            wrong.append("total_timeout is shorter than connect_timeout, write_timeout or read_timeout")
        if self.proxy_credentials_file is not None and self.proxy is None:
            wrong.append("proxy_credentials_file needs proxy")
        if self.send_idempotency_key == "none" and not self.if_match_is_honoured:
            wrong.append("send_idempotency_key is none and if_match_is_honoured is false: nothing prevents two effects")
        return wrong


class IngressSettings(Section):
    """The HTTP API: its address, its callers and its limits."""

    host: str = Field("0.0.0.0", description="Address that the API listens on.")  # noqa: S104 - a container's only interface
    port: Port = Field(8080, description="Port that the API listens on; 0 selects a free port.")
    callers_file: Path | None = Field(None, description="File with callers, hashed keys and permissions.")
    jwks_proxy: Annotated[str, AfterValidator(_proxy_url)] | None = Field(
        None, description="Outgoing proxy for reading the issuers' key sets, as http://host:port."
    )
    jwks_proxy_credentials_file: Path | None = Field(
        None, description="File with `user:password` for that proxy; read for each key set."
    )
    max_body: Size = Field(64 << 10, ge=1 << 10, description="Maximum size of a request body; a larger one gets 413.")
    body_timeout: Duration = Field(timedelta(seconds=10), description="Timeout for receiving a request body.")
    max_requests_in_flight: Annotated[int, Field(ge=1)] = Field(
        1_000,
        description="Maximum number of requests in flight; a further request immediately gets 503. "
        "One caller has at most half of them; its further requests get 429.",
    )
    max_unverified_bodies: Annotated[int, Field(ge=1)] = Field(
        50,
        description="Maximum number of bodies that are read before their signature is checked; "
        "a further body ends the oldest, with 408.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        2_000, description="Maximum number of open connections; a further one closes waiting ones, or gets 503."
    )
    max_connections_per_peer: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Maximum number of open connections per peer (an IPv4 address, or a /64 network of IPv6); "
        "0: no bound. Behind a proxy, keep 0.",
    )
    max_publishes_in_flight: Annotated[int, Field(ge=1)] = Field(
        500, description="Maximum number of unconfirmed records sent to Kafka; a further command immediately gets 503."
    )
    publish_deadline: Duration = Field(
        timedelta(seconds=5),
        description="How long Kafka may take to confirm a command; after that, the caller gets 503 (result unknown).",
    )
    linger: Duration = Field(
        timedelta(milliseconds=2), description="How long the producer waits for more commands before it sends a batch."
    )
    max_wait: Duration = Field(timedelta(seconds=30), description="Maximum wait of `Prefer: wait`.")
    max_waiters: Annotated[int, Field(ge=0)] = Field(
        400,
        description="Maximum number of requests that wait for an outcome, and never more than half of "
        "max_requests_in_flight; a further one gets 202 immediately.",
    )
    max_waiters_per_caller: Annotated[int, Field(ge=0)] = Field(
        100, description="Maximum number of requests of one caller that wait; a further one gets 202 immediately."
    )
    max_streams: Annotated[int, Field(ge=0)] = Field(
        200, description="Maximum number of open event streams; use a Kafka consumer for more clients."
    )
    max_streams_per_caller: Annotated[int, Field(ge=0)] = Field(
        20, description="Maximum number of open event streams per caller and process."
    )
    stream_life: Duration = Field(
        timedelta(hours=1), description="Maximum duration of an event stream; the client then reconnects."
    )
    caller_rate: Annotated[float, Field(gt=0)] = Field(
        200.0, description="Average requests per second that one caller may send to one process."
    )
    caller_burst: Annotated[int, Field(ge=1)] = Field(400, description="Requests that one caller may send in a burst.")
    stop_deadline: Duration = Field(timedelta(seconds=20), description="Time for requests in flight after SIGTERM.")

    def contradictions(self) -> list[str]:
        """Credentials need the proxy that they are for."""
        if self.jwks_proxy_credentials_file is not None and self.jwks_proxy is None:
            return ["jwks_proxy_credentials_file needs jwks_proxy"]
        return []


class WorkerSettings(Section):
    """The worker: its consumer group, its limits, and the time limits of commands."""

    group: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        "collate-gateway-worker", description="Consumer group, and prefix of all transactional ids."
    )
    instance: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        default_factory=socket.gethostname,
        description="Stable name of this worker, unique in the group; two workers with the same name fence each other.",
        json_schema_extra={"shown_default": "the host's name"},
    )
    digest_key_file: Path | None = Field(
        None, description="File with the secret for digests of bodies; the same for all workers, at least 16 bytes."
    )
    session_timeout: Duration = Field(
        timedelta(seconds=10), description="Time without a heartbeat after which a worker loses its partitions."
    )
    heartbeat: Duration = Field(timedelta(seconds=1), description="Interval between heartbeats of a worker.")
    transaction_timeout: Duration = Field(
        timedelta(seconds=15), description="How long a transaction may stay open before the broker aborts it."
    )
    progress_copy: Literal["new", "old"] = Field(
        "new",
        description="Form of the group's copy of the progress; `old` while releases that need it run beside this one.",
    )
    turns: Annotated[int, Field(ge=1)] = Field(
        512, description="Maximum number of authorizations that one worker processes at the same time."
    )
    read_ahead: Annotated[int, Field(ge=1, le=10_000)] = Field(
        2_000, description="Maximum number of unfinished records of a partition; reading pauses at this number."
    )
    read_ahead_size: Size = Field(
        16 << 20,
        ge=1 << 20,
        description="Maximum size of the unfinished records of a partition; reading pauses at this size.",
    )
    handler_deadline: Duration = Field(
        timedelta(seconds=120), description="Timeout of one invocation of the handler; the worker then cancels it."
    )
    max_memory: Size = Field(
        256 << 10,
        ge=4 << 10,
        description="Maximum size of one authorization's stored state; its commands are rejected above this size.",
    )
    command_max_age: Duration = Field(
        timedelta(hours=24), description="How long a command may wait for Collate before it becomes a dead letter."
    )
    request_expiry: Duration = Field(
        timedelta(hours=1), description="How long after its acceptance a handoff.request without `expiresAt` expires."
    )
    waiting_after: Duration = Field(
        timedelta(seconds=10), description="How long a command waits before `command.waiting` reports the reason."
    )
    watch_max_age: Duration = Field(timedelta(days=90), description="How long the watcher follows an authorization.")
    dead_letter_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2,
        description=(
            "Share of dead letters above which a partition stops until an operator resumes it. An authorization counts "
            "once, `too_old` does not count, and one of several callers contributes at most half."
        ),
    )
    dead_letter_window: Annotated[int, Field(ge=10)] = Field(
        50, description="Number of a partition's last records over which `dead_letter_share` is calculated."
    )
    stop_deadline: Duration = Field(timedelta(seconds=20), description="Time for running invocations after SIGTERM.")

    def contradictions(self) -> list[str]:
        """Check that one lost heartbeat does not move partitions."""
        if self.heartbeat * 3 > self.session_timeout:
            return ["heartbeat must be at most a third of session_timeout, or one lost heartbeat moves partitions"]
        return []


def _steps(text: str, description: str) -> Any:
    return Field(parse_steps(text), description=f"Intervals between reads {description}.")


class WatchSettings(Section):
    """How often the watcher reads an authorization; an age counts from the last change that it saw."""

    ended: Steps = _steps("2s until 1m, 5s until 10m, 30s", "after a handoff has ended, while Collate reconciles")
    access: Steps = _steps("5s until 10m, 15s until 1h, 1m", "while an operator waits for access to an open handoff")
    open: Steps = _steps("20s until 1h, 1m", "while a handoff is open and its operator has access")
    processing: Steps = _steps("10s until 10m, 1m until 1d, 15m", "while Collate processes the authorization")
    action: Steps = _steps("30s until 1h, 5m until 1d, 30m", "while a person must act")
    payer: Steps = _steps("1m until 1h, 10m until 1d, 1h", "while the payer decides")
    jitter: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="Random share added to or subtracted from each interval, so that reads are spread over time."
    )
    longest_stretch: Annotated[float, Field(ge=1)] = Field(
        16.0, description="Maximum factor by which all intervals grow while the call budget is too small for them."
    )
    not_entered_after: Duration = Field(
        timedelta(minutes=5), description="Age of an open handoff without any access grant at which it is at risk."
    )
    grant_expiring_before: Duration = Field(
        timedelta(minutes=1), description="How long before the end of its last access grant a handoff is at risk."
    )
    abandonment_warning: Duration = Field(
        timedelta(minutes=5), description="How long before `collate.abandonment_after` ends a handoff it is at risk."
    )
    open_too_long: Duration = Field(
        timedelta(hours=4), description="Age of an open handoff at which the watcher emits `handoff.at_risk`."
    )
    forget_after: Duration = Field(
        timedelta(days=90), description="How long the state of a settled authorization is kept."
    )

    def contradictions(self) -> list[str]:
        """Check that no event number is reused while its first event may still be in the topic (30 days)."""
        if self.forget_after < timedelta(days=60):
            return [
                "forget_after must be 60d or more: events stay for 30d, and their numbers must not be reused meanwhile"
            ]
        return []


class ReadModelSettings(Section):
    """The optional read model in PostgreSQL, with status and timelines; it is off without `dsn_file`."""

    dsn_file: Path | None = Field(
        None, description="File with PostgreSQL's connection string, e.g. postgresql://user:password@host/database."
    )
    schema_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "collate_gateway", description="Schema of the tables; a rebuild uses a second schema, with the suffix `_next`."
    )
    retention: Duration = Field(
        timedelta(days=90), description="How long finished commands and settled authorizations stay in the read model."
    )
    batch: Annotated[int, Field(ge=1, le=5_000)] = Field(
        2_000, description="Maximum number of records that the projector writes in one transaction."
    )
    connections: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="Maximum number of database connections of one ingress process."
    )
    read_timeout: Duration = Field(
        timedelta(seconds=2), description="Timeout of one read, including the wait for a connection."
    )


_PAYER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


def _payer_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_PAYER_ID.fullmatch(one) for one in ids):
        raise ValueError("expected payer ids as Collate shows them, separated by commas")
    return ids


class ConsoleSettings(Section):
    """The web pages for people, `gateway console`: their address, how people sign in, and the API behind them."""

    host: str = Field("0.0.0.0", description="Address that the console listens on.")  # noqa: S104 - a container's only interface
    port: Port = Field(8090, description="Port that the console listens on; 0 selects a free port.")
    public_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None,
        description="Address in people's browsers, e.g. https://handoffs.example, without path; "
        "http:// only for 127.0.0.1, ::1 and localhost.",
    )
    api_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="URL of the gateway's HTTP API that every page calls, e.g. http://gateway-ingress:8080."
    )
    api_ca_file: Path | None = Field(
        None, description="PEM file with the trusted certificate authorities of `api_url`; by default, the system's."
    )
    api_timeout: Duration = Field(timedelta(seconds=5), description="Timeout of one call of the API.")
    cookie_key_file: Path | None = Field(
        None,
        description="File with the keys of the session cookies: one or two lines, each 32 random bytes in base64. "
        "The first encrypts, both decrypt. Only `trust_bearer` alone needs no key.",
    )
    idle_after: Duration = Field(
        timedelta(minutes=15), description="How long after a person's last action the session ends."
    )
    session_life: Duration = Field(timedelta(hours=12), description="Maximum duration of a session.")
    oidc_issuer: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="Issuer (OIDC) that people sign in at; also an issuer of people in the callers file."
    )
    oidc_client_id: str | None = Field(None, description="Client id of the console at `oidc_issuer`.")
    oidc_client_secret_file: Path | None = Field(
        None, description="File with the client's secret; without it the console is a public client with PKCE."
    )
    oidc_scope: Annotated[Names, Field(min_length=1)] = Field(
        ("openid",), description="Requested scopes, separated by commas; `openid` must be one of them."
    )
    oidc_resource: str | None = Field(
        None, description="Audience to request for the access token (RFC 8707 `resource`), if the issuer needs it."
    )
    trust_bearer: bool = Field(
        False,
        description="Accept `Authorization: Bearer` from a proxy that signs people in; it must be the only way in.",
    )
    key_sign_in: bool = Field(False, description="Let people sign in with a caller's API key and their name.")
    link_directory: Path | None = Field(
        None, description="Directory of the links that `gateway dev` prints; only if `public_url` is of this machine."
    )
    guide_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None,
        description="Address of the page made from docs/operations.md, e.g. https://docs.example/operations.md; "
        "findings of the console link to its sections.",
    )
    session_origins: Annotated[Names, AfterValidator(_origins)] = Field(
        (),
        description="Origins of Collate's session links, e.g. https://sessions.example, separated by commas; "
        "a browser opens a link only there.",
    )
    max_pages_per_person: Annotated[int, Field(ge=1)] = Field(
        8, description="Maximum number of one person's pages in flight; a further one gets 429."
    )
    stop_deadline: Duration = Field(timedelta(seconds=10), description="Time for pages in flight after SIGTERM.")

    def contradictions(self) -> list[str]:
        """Check the ways to sign in, and that sessions are encrypted in transit."""
        wrong = []
        public_url = self.public_url or ""
        here = is_this_machine(public_url)
        if public_url.startswith("http://") and not here:
            wrong.append("public_url is http://, which sends sessions unencrypted; use https://")
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            wrong.append("oidc_issuer and oidc_client_id must be set together")
        if self.oidc_client_secret_file is not None and self.oidc_client_id is None:
            wrong.append("oidc_client_secret_file needs oidc_client_id")
        if (self.oidc_issuer or "").startswith("http://") and not is_this_machine(self.oidc_issuer or ""):
            wrong.append("oidc_issuer is http://, which sends tokens unencrypted; use https://")
        if "openid" not in self.oidc_scope:
            wrong.append("oidc_scope must contain openid")
        if self.link_directory is not None and public_url and not here:
            wrong.append("link_directory needs a public_url of this machine, such as http://127.0.0.1:8090")
        if self.idle_after > self.session_life:
            wrong.append("idle_after is longer than session_life")
        return wrong


def is_this_machine(url: str) -> bool:
    """Return whether a URL's host is a loopback address or `localhost`."""
    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}


class AdminSettings(Section):
    """The admin port: health, metrics, partition status, resume. Never expose it to callers."""

    host: str = Field("0.0.0.0", description="Address that the admin port listens on.")  # noqa: S104 - probes come from outside the container
    port: Port = Field(9090, description="The admin port; 0 selects a free port.")
    stalled_after: Duration = Field(
        timedelta(seconds=30), description="How long a loop may be silent before /livez fails."
    )
    payer_labels: Annotated[Names, Field(max_length=20), AfterValidator(_payer_ids)] = Field(
        (), description="Payer ids with a label of their own in metrics, separated by commas; all others are `other`."
    )


class LogSettings(Section):
    """Logs on standard error."""

    format: Literal["json", "console"] = Field(
        "json", description="Log format: one JSON object per line, or coloured text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")


class TraceSettings(Section):
    """OpenTelemetry traces of ingress and worker; they are off without `endpoint`."""

    endpoint: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="OTLP/HTTP collector, e.g. http://collector:4318/v1/traces; needs the extra `otel`."
    )
    sample: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="Share of requests that are traced, unless the caller's `traceparent` decides it."
    )
    queue: Annotated[int, Field(ge=16, le=100_000)] = Field(
        4_096, description="Maximum number of spans that wait to be sent; further spans are lost."
    )
    timeout: Duration = Field(
        timedelta(seconds=3),
        description="How long the collector may take for one batch, and for the last batch when the process stops.",
    )


EnvironmentName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="Name of this installation (production, staging, local); part of each record's `source`.",
    ),
]


class ClusterSettings(Section):
    """The settings of `gateway topics`: only Kafka's."""

    environment: EnvironmentName
    kafka: KafkaSettings
    topics: TopicSettings = TopicSettings()
    log: LogSettings = LogSettings()


class AccessSettings(ClusterSettings):
    """The settings of `gateway topics acls`: Kafka's, and the worker's names that permissions refer to."""

    worker: WorkerSettings = WorkerSettings()


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

    def contradictions(self) -> list[str]:
        """Check settings of different sections against each other."""
        wrong = []
        deadline, timeout = self.worker.handler_deadline, self.collate.total_timeout
        longest = LAST_WRITE_BEGINS + LAST_CALLS * (CALL_WAIT + timeout)
        if deadline < longest:
            wrong.append(
                f"GATEWAY_WORKER__HANDLER_DEADLINE is {show_duration(deadline)}, but an invocation may take "
                f"{show_duration(longest)}: {show_duration(LAST_WRITE_BEGINS)} and four calls of "
                f"GATEWAY_COLLATE__TOTAL_TIMEOUT {show_duration(timeout)} and {show_duration(CALL_WAIT)}; "
                "raise the deadline or shorten the timeout"
            )
        retention, forget_after = self.readmodel.retention, self.watch.forget_after
        if self.readmodel.dsn_file is not None and retention > forget_after:
            wrong.append(
                f"GATEWAY_READMODEL__RETENTION is {show_duration(retention)}, longer than GATEWAY_WATCH__FORGET_AFTER "
                f"{show_duration(forget_after)}: the read model would ignore the events of an authorization that "
                "begins again; shorten the retention or raise forget_after"
            )
        return wrong


Loaded = TypeVar("Loaded", bound=Section)

# Settings that one process requires although they are optional for the others.
_NEEDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ingress": (("ingress", "callers_file"),),
    "worker": (("worker", "digest_key_file"),),
    "projector": (("readmodel", "dsn_file"),),
    "migrate": (("readmodel", "dsn_file"),),
    "console": (("console", "public_url"), ("console", "api_url")),
}
# Files that only one process opens; they need not be mounted for the others.
_ONLY_FOR: Mapping[tuple[str, ...], str] = {
    ("ingress", "callers_file"): "ingress",
    ("ingress", "jwks_proxy_credentials_file"): "ingress",
    ("worker", "digest_key_file"): "worker",
    ("console", "api_ca_file"): "console",
    ("console", "cookie_key_file"): "console",
    ("console", "oidc_client_secret_file"): "console",
}


def load_settings(environ: Mapping[str, str], process: Literal["ingress", "worker"] | None = None) -> Settings:
    """Load the settings of a process; None skips the checks that only one process needs.

    Raises SettingsInvalid with all problems: unknown GATEWAY_ keys, missing and wrong values, contradictions, files.
    """
    return _load(Settings, environ, process)


def load_process_settings(environ: Mapping[str, str], process: Literal["projector", "migrate"]) -> ProcessSettings:
    """Load the settings of the projector or `gateway migrate`; the values of other settings are not checked."""
    return _load(ProcessSettings, environ, process)


def load_console_settings(environ: Mapping[str, str]) -> ConsoleProcessSettings:
    """Load the settings of the console; the values of other settings are not checked."""
    return _load(ConsoleProcessSettings, environ, "console")


def load_cluster_settings(environ: Mapping[str, str]) -> ClusterSettings:
    """Load the settings of `gateway topics`; the values of other settings are not checked."""
    return _load(ClusterSettings, environ, None)


def load_access_settings(environ: Mapping[str, str]) -> AccessSettings:
    """Load the settings of `gateway topics acls`; the values of other settings are not checked."""
    return _load(AccessSettings, environ, "topics")


def read_secret(path: Path) -> SecretStr:
    """Read a secret from its file, without the line end that editors add."""
    return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))


def value_at(settings: BaseModel, path: tuple[str, ...]) -> object:
    """Return the value of the setting at the path."""
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
