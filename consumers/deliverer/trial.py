"""One signed test event to a receiver, step by step, for `gateway deliverer test`."""

import asyncio
import json
import time
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.webhooks.resolver import Resolver
from adapters.webhooks.transport import WebhookTransport
from consumers.deliverer.delivery import (
    FORBIDDEN_ADDRESS,
    Delivered,
    NotDelivered,
    ReceiverGone,
    deliver,
    write_message,
)
from consumers.deliverer.subscription import Subscription
from schemas.cloudevents import Envelope

TEST_TYPE: Final = "collate-gateway.subscription.test.v1"
_SUBJECT: Final = "gateway-deliverer-test"


@dataclass(frozen=True, slots=True)
class TrialStep:
    """One step: its name, whether it succeeded, and its finding. It contains no path, query or secret."""

    step: str
    is_good: bool
    detail: str


async def try_subscription(subscription: Subscription, source: str) -> list[TrialStep]:
    """Resolve the receiver's name, check its addresses, and send one signed test event. Never raises for a receiver."""
    steps: list[TrialStep] = []
    resolver = Resolver()
    transport = WebhookTransport(
        subscription.target, subscription.limits, subscription.policy, ca_file=subscription.ca_file, resolver=resolver
    )
    async with aclosing(transport):
        if not await _addresses(subscription, resolver, steps):
            return steps
        event = test_event(subscription.name, source)
        message = write_message(event)
        began = time.monotonic()
        outcome = await deliver(transport, message, subscription.secrets, time.time())
        milliseconds = round((time.monotonic() - began) * 1_000)
        count = len(subscription.secrets)
        signed = f"{len(message.body)} bytes, {count} {'signature' if count == 1 else 'signatures'}, id {message.id}"
        steps.append(TrialStep("event", is_good=True, detail=signed))
        is_good = isinstance(outcome, Delivered)
        steps.append(TrialStep("response", is_good, f"{_described(outcome)}, {milliseconds} ms"))
    return steps


async def _addresses(subscription: Subscription, resolver: Resolver, steps: list[TrialStep]) -> bool:
    target = subscription.target
    steps.append(TrialStep("receiver", is_good=True, detail=target.origin))
    try:
        async with asyncio.timeout(subscription.connect_timeout_seconds):
            found = await resolver.addresses(target.host, target.port)
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "no answer in time"
        steps.append(TrialStep("addresses", is_good=False, detail=f"{target.host} is not resolved: {reason}"))
        return False
    allowed = subscription.policy.allowed_of(found)
    refused = [address for address in found if address not in allowed]
    detail = ", ".join(allowed)
    if refused:
        detail += f"{'; ' if detail else ''}refused: {', '.join(refused)} (not public; see allowed_networks)"
    steps.append(TrialStep("addresses", bool(allowed), detail))
    return bool(allowed)


def test_event(subscription: str, source: str) -> Envelope:
    """Return a test event. No filter can name its type. A receiver answers 2xx and ignores it."""
    return Envelope(
        id=str(uuid.uuid4()),
        source=source,
        type=TEST_TYPE,
        subject=_SUBJECT,
        time=datetime.now(UTC),
        extensions={"sequence": "0" * 20},
        data=json.dumps({"subscription": subscription}).encode(),
    )


def _described(outcome: Delivered | NotDelivered | ReceiverGone) -> str:
    match outcome:
        case Delivered(status):
            return f"{status}: accepted"
        case ReceiverGone():
            return "410: the receiver wants no event any more; the deliverer would stop this subscription"
        case NotDelivered(result, None):
            return f"no response: {'address refused' if result == FORBIDDEN_ADDRESS else result.replace('_', ' ')}"
        case NotDelivered(result, status):
            return f"{status}: not accepted ({result.replace('_', ' ')})"
