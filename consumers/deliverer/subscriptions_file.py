"""The subscriptions file (TOML). It is read again when the file or a secret changes. An invalid version is ignored.

[[subscription]]
name = "billing"                       # a-z, 0-9 and -; also a part of topic names, so it never changes
url = "https://hooks.billing.example/collate"
since = 2026-11-27T00:00:00Z           # events that Kafka stored earlier are not delivered
secret_files = ["/run/secrets/webhooks/billing"]    # whsec_…; two while a secret rotates
types = ["collate-gateway.handoff.closed.v1"]       # optional, as all below
callers = ["billing"]                  # of the command that the event is about
timeout = "15s"                        # of one request
connect_timeout = "5s"
give_up_after = "1d"                   # from the first failed try of an event until its dead letter
max_in_flight = 32                     # requests at a time, of one process
ca_file = "/etc/ca.pem"
allowed_networks = ["10.20.0.0/16"]    # networks that are not public and may be called
allow_plain_http = false
[subscription.metadata]                # each key must have one of its values
tenant = ["t1", "t2"]
"""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from adapters.webhooks.addresses import AddressPolicy, Network
from adapters.webhooks.target import TargetInvalid, WebhookTarget, read_target
from consumers.deliverer.subscription import EventFilter, Subscription
from runtime.toml_file import TomlFile, TomlInvalid, parse, read_file, signing_secret
from runtime.units import Duration
from schemas.events import EVENTS

MOST_SUBSCRIPTIONS: Final = 32
_MOST_SECRETS: Final = 4
_SECOND: Final = timedelta(seconds=1)


def _event_type(value: str) -> str:
    if value not in EVENTS:
        raise ValueError("expected a type of /asyncapi.json, such as collate-gateway.handoff.closed.v1")
    return value


def _network(value: str) -> Network:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("expected a network such as 10.20.0.0/16, without host bits") from None
    if network.prefixlen == 0:
        raise ValueError("expected a network that is not the whole internet")
    return network


def _between(least: timedelta, most: timedelta) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"expected {least.total_seconds():g} s to {most.total_seconds():g} s")
        return value

    return AfterValidator(check)


_Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Timeout = Annotated[Duration, _between(_SECOND, timedelta(seconds=60))]


class SubscriptionEntry(BaseModel):
    """One subscription as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    url: Annotated[str, StringConstraints(max_length=2_000)]
    since: AwareDatetime
    secret_files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=_MOST_SECRETS)]
    types: tuple[Annotated[str, AfterValidator(_event_type)], ...] = ()
    callers: tuple[_Text, ...] = ()
    metadata: dict[_Text, tuple[_Text, ...]] = Field(default_factory=dict)
    timeout: _Timeout = timedelta(seconds=15)
    connect_timeout: _Timeout = timedelta(seconds=5)
    give_up_after: Annotated[Duration, _between(_SECOND, timedelta(days=7))] = timedelta(days=1)
    max_in_flight: Annotated[int, Field(ge=1, le=512)] = 32
    ca_file: Path | None = None
    allowed_networks: tuple[Annotated[str, AfterValidator(lambda text: str(_network(text)))], ...] = ()
    allow_plain_http: bool = False

    @property
    def target(self) -> WebhookTarget:
        """The checked URL."""
        return read_target(self.url, allow_plain_http=self.allow_plain_http)

    @model_validator(mode="after")
    def _check_url(self) -> "SubscriptionEntry":
        try:
            target = self.target
        except TargetInvalid as error:
            raise ValueError(f"url: {error}") from None
        policy = self.policy
        if _is_address(target.host) and not policy.allows(target.host):
            raise ValueError("url: its address is not public; allowed_networks may allow it")
        return self

    @property
    def policy(self) -> AddressPolicy:
        """The networks that may be called."""
        return AddressPolicy(tuple(_network(network) for network in self.allowed_networks))


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    subscription: Annotated[tuple[SubscriptionEntry, ...], Field(max_length=MOST_SUBSCRIPTIONS)] = ()

    @model_validator(mode="after")
    def _check_names(self) -> "_File":
        names = [entry.name for entry in self.subscription]
        if len(set(names)) != len(names):
            raise ValueError("a subscription's name occurs twice")
        return self


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of the subscriptions, without their secrets. Raises TomlInvalid."""
    return tuple(entry.name for entry in parse(_File, read_file(path)).subscription)


def _subscription(entry: SubscriptionEntry) -> Subscription:
    return Subscription(
        name=entry.name,
        target=entry.target,
        since=entry.since.timestamp(),
        accepts=EventFilter(
            frozenset(entry.types),
            frozenset(entry.callers),
            tuple((key, frozenset(values)) for key, values in sorted(entry.metadata.items())),
        ),
        secrets=tuple(signing_secret(path) for path in entry.secret_files),
        policy=entry.policy,
        ca_file=entry.ca_file,
        timeout_seconds=entry.timeout.total_seconds(),
        connect_timeout_seconds=entry.connect_timeout.total_seconds(),
        max_in_flight=entry.max_in_flight,
        gives_up_after_seconds=entry.give_up_after.total_seconds(),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _files(file: _File) -> list[Path]:
    return [path for entry in file.subscription for path in (*entry.secret_files, entry.ca_file) if path is not None]


def _subscriptions(file: _File) -> Mapping[str, Subscription]:
    for entry in file.subscription:
        if entry.ca_file is not None and not entry.ca_file.is_file():
            raise TomlInvalid(f"{entry.ca_file}: can't be read")
    return {entry.name: _subscription(entry) for entry in file.subscription}


class SubscriptionsFile(TomlFile[_File, Mapping[str, Subscription]]):
    """The file and its last valid version, by the names of the subscriptions."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises TomlInvalid."""
        super().__init__(path, _File, files=_files, make=_subscriptions)
