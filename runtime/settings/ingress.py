"""Settings of the HTTP API."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runtime.environ import Section
from runtime.settings.addresses import Port, ProxyUrl
from runtime.units import Duration, Size

# What an ingress remembers: commands that it appended, and outcomes.
MOST_REPLAYS, MOST_OUTCOMES = 100_000, 10_000


class IngressSettings(Section):
    """The HTTP API: its address, its callers and its limits."""

    host: str = Field("0.0.0.0", description="Address that the API listens on.")  # noqa: S104 - a container's only interface
    port: Port = Field(8080, description="Port that the API listens on; 0 selects a free port.")
    callers_file: Path | None = Field(None, description="File with callers, hashed keys and permissions.")
    jwks_proxy: ProxyUrl | None = Field(
        None, description="Outgoing proxy for reading the issuers' key sets, as http://host:port."
    )
    jwks_proxy_credentials_file: Path | None = Field(
        None, description="File with `user:password` for that proxy; read for each key set."
    )
    max_body: Size = Field(64 << 10, ge=1 << 10, description="Maximum size of a request body; a larger one gets 413.")
    max_requests_in_flight: Annotated[int, Field(ge=1)] = Field(
        1_000,
        description="Maximum number of requests in flight; a further one gets 503 at once. A service has at most half, "
        "all people of a prefix half, a person a quarter: then 429. 40 % may wait for an outcome, 10 % of one caller: "
        "then 202 at once.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        2_000, description="Maximum number of open connections; a further one closes waiting ones, or gets 503."
    )
    max_connections_per_peer: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Maximum number of open connections per peer (an IPv4 address, or a /64 network of IPv6); "
        "0: no bound. Behind a proxy, keep 0.",
    )
    publish_deadline: Duration = Field(
        timedelta(seconds=5),
        description="How long Kafka may take to confirm a command; after that, the caller gets 503 (result unknown).",
    )
    max_streams: Annotated[int, Field(ge=0)] = Field(
        200,
        description="Maximum number of open event streams, a tenth for one caller, half for all people of a prefix; "
        "use a Kafka consumer for more clients.",
    )
    stream_life: Duration = Field(
        timedelta(hours=1), description="Maximum duration of an event stream; the client then reconnects."
    )
    caller_rate: Annotated[float, Field(gt=0)] = Field(
        200.0, description="Average requests per second that one caller may send to one process."
    )
    caller_burst: Annotated[int, Field(ge=1)] = Field(400, description="Requests that one caller may send in a burst.")
    max_replicas: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Maximum number of ingress processes that run at the same time. They share the part of a "
        "partition's read-ahead that one caller may fill, and the connections to the database.",
    )
    max_unfinished_per_caller: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1_000,
        description="Maximum number of unfinished commands of one caller, and of all people of a prefix, that one "
        "process accepted, a tenth of one person; others get 429. In one partition: worker.read_ahead / "
        "(8 × max_replicas). Closes are counted apart.",
    )
    max_unknown_authorizations: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Maximum number of a day's commands for authorizations that Collate never showed, of all callers; "
        "0: as many as a quarter of worker.memory_limit holds. Each caller has an equal part; beyond it 429.",
    )
    stop_deadline: Duration = Field(timedelta(seconds=20), description="Time for requests in flight after SIGTERM.")

    @property
    def max_waiters(self) -> int:
        """The most requests that wait for an outcome; the other places are for requests that do not wait."""
        return self.max_requests_in_flight * 2 // 5

    @property
    def max_waiters_per_caller(self) -> int:
        """The most requests of one caller that wait."""
        return max(1, self.max_waiters // 4)

    @property
    def max_streams_per_caller(self) -> int:
        """The most event streams of one caller."""
        return max(1, self.max_streams // 10)

    @property
    def max_unfinished_per_person(self) -> int:
        """The most unfinished commands of one person."""
        return max(1, self.max_unfinished_per_caller // 10)

    def contradictions(self) -> list[str]:
        """Credentials need the proxy that they are for."""
        if self.jwks_proxy_credentials_file is not None and self.jwks_proxy is None:
            return ["jwks_proxy_credentials_file needs jwks_proxy"]
        return []
