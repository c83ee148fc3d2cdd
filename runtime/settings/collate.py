"""Settings of Collate's API."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from runtime.environ import Section
from runtime.settings.addresses import HttpUrl, ProxyUrl
from runtime.units import Duration

_CALLS_PER_SECOND: Final = 20.0


class CollateSettings(Section):
    """Address, key, limits and timeouts for Collate's API, and choices where its documentation is ambiguous."""

    base_url: HttpUrl = Field(
        description="URL of Collate's API, e.g. https://api.sandbox.trycollate.ai; each environment has its own keys."
    )
    api_key_file: Path = Field(description="File with the API key; the gateway rereads it after each change.")
    writes: Literal["on", "off"] = Field(
        "on",
        description="Set off for a shadow: it decides commands and sends no write to Collate (docs/shadow.md). Its "
        "environment, topic prefix and worker group contain `shadow`.",
    )
    allow_plain_http: bool = Field(False, description="Accept an http:// `base_url`; only for the simulated Collate.")
    ca_file: Path | None = Field(
        None, description="PEM file with the trusted certificate authorities; by default, those of the system."
    )
    proxy: ProxyUrl | None = Field(
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
        _CALLS_PER_SECOND,
        description="Calls per second of all processes together; each process gets 1/`max_replicas` of them. A shadow "
        "has a tenth of the default.",
    )
    concurrency: Annotated[int, Field(ge=1)] = Field(
        32, description="Calls in flight of all processes together; each process gets 1/`max_replicas` of them."
    )
    max_replicas: Annotated[int, Field(ge=1)] = Field(
        1, description="Maximum number of processes (ingress and workers) that call Collate at the same time."
    )
    connect_timeout: Duration = Field(timedelta(seconds=3), description="Timeout for opening a connection.")
    read_timeout: Duration = Field(
        timedelta(seconds=10),
        description="Timeout for sending or receiving one chunk.",
    )
    total_timeout: Duration = Field(timedelta(seconds=15), description="Timeout of one call in total.")
    breaker_open: Duration = Field(
        timedelta(seconds=5),
        description="Time from opening to the first probe; failed probes double it, up to sixfold.",
    )
    ramp_up: Duration = Field(
        timedelta(seconds=30), description="Time from the end of an outage to the full call rate."
    )

    @model_validator(mode="before")
    @classmethod
    def _slows_a_shadow(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Leave nine tenths of the default rate to the clients that write."""
        slow = {"calls_per_second": _CALLS_PER_SECOND / 10} if values.get("writes") == "off" else {}
        return slow | values

    def contradictions(self) -> list[str]:
        """Check that the key is encrypted in transit, and that `total_timeout` covers the other timeouts."""
        wrong = []
        if (self.base_url or "").startswith("http://") and not self.allow_plain_http:
            wrong.append(
                "base_url is http://, which sends the API key unencrypted; use https:// (or set allow_plain_http)"
            )
        if self.total_timeout < max(self.connect_timeout, self.read_timeout):
            wrong.append("total_timeout is shorter than connect_timeout or read_timeout")
        if self.proxy_credentials_file is not None and self.proxy is None:
            wrong.append("proxy_credentials_file needs proxy")
        if self.send_idempotency_key == "none" and not self.if_match_is_honoured:
            wrong.append("send_idempotency_key is none and if_match_is_honoured is false: nothing prevents two effects")
        return wrong
