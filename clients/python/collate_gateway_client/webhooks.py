"""The check of a request of the gateway's deliverer: a signature by Standard Webhooks, and its event. Pure."""

import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Final

from collate_gateway_client.credentials import signature
from collate_gateway_client.progress import Event, UnreadableEvent, document_of, event_of

TOLERANCE_SECONDS: Final = 300.0


class WebhookRefused(Exception):
    """A request that none of the secrets has signed, that is too old, or that is no event. Its text has no value."""


def webhook_event(
    secrets: str | Sequence[str], headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> Event:
    """Return the event of a request. Raises WebhookRefused; ValueError for a secret that is not `whsec_` and base64.

    `secrets`: the subscription's secret, or both while it rotates. `body`: the bytes as they came. `now`: seconds since
    1970; default: this machine's clock.
    """
    found = {name.lower(): value for name, value in headers.items()}
    timestamp, given = found.get("webhook-timestamp", ""), found.get("webhook-signature", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookRefused("webhook-timestamp has to be whole seconds since 1970")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise WebhookRefused("webhook-timestamp has to be within 5 minutes of this clock")
    expected = [
        signature(secret, found.get("webhook-id", ""), timestamp, body).encode()
        for secret in ([secrets] if isinstance(secrets, str) else secrets)
    ]
    # Every pair is compared, in the same time whether one matches or not.
    one_matches = [
        hmac.compare_digest(one.encode(errors="replace"), other) for one in given.split(" ") for other in expected
    ]
    if not any(one_matches):
        raise WebhookRefused("webhook-signature has no signature by this secret")
    try:
        return event_of(document_of(body))
    except UnreadableEvent:
        raise WebhookRefused("the body has to be a CloudEvent of the gateway") from None
