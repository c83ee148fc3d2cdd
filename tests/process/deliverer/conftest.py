"""Receivers on loopback, and transports to them."""

import ipaddress
import json
from datetime import UTC, datetime

import pytest

from adapters.http_connection.connection import Limits
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.resolver import Resolver
from adapters.webhooks.target import read_target
from adapters.webhooks.transport import WebhookTransport
from consumers.deliverer.delivery import deliver, write_message
from local.subscriptions import new_secret
from local.webhook_receiver import Receiver
from schemas.cloudevents import from_kafka
from schemas.events import HandoffOpened
from schemas.fields.signing_secret import read_secret
from schemas.records import publish, source, write_event

LOOPBACK = AddressPolicy((ipaddress.ip_network("127.0.0.0/8"),))


def limits(**changes):
    seconds = {"connect_seconds": 2.0, "write_seconds": 2.0, "read_seconds": 2.0, "total_seconds": 2.0}
    return Limits(**(seconds | {"max_body": 64 << 10} | changes))


def event_record(authorization="auth_1", sequence=1):
    """The headers and the value of an event."""
    data = HandoffOpened.from_record(json.dumps(HandoffOpened.EXAMPLE).encode())
    event = publish(data, authorization_id=authorization, sequence=sequence, life=1, time=datetime.now(UTC))
    return write_event(event, source("test"))


@pytest.fixture
def secret():
    return new_secret()


@pytest.fixture
async def receiver(secret):
    async with Receiver(secret) as receiver:
        yield receiver


@pytest.fixture
async def connect():
    """`connect(url)`: a transport; `lookup` replaces the resolver's, `policy` the loopback's."""
    opened = []

    def make(url, *, policy=LOOPBACK, lookup=None, ca_file=None, **changes):
        target = read_target(url, allow_plain_http=True)
        resolver = Resolver(lookup) if lookup else Resolver()
        opened.append(WebhookTransport(target, limits(**changes), policy, ca_file=ca_file, resolver=resolver))
        return opened[-1]

    yield make
    for transport in opened:
        await transport.aclose()


@pytest.fixture
def send(secret):
    """`await send(transport)`: deliver one event, and return the outcome."""

    async def one(transport, sequence=1):
        message = write_message(from_kafka(*event_record(sequence=sequence)))
        return await deliver(transport, message, (read_secret(secret),), datetime.now(UTC).timestamp())

    return one
