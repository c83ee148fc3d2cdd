"""One request to a receiver, and what its response means.

    2xx                  delivered
    410                  the receiver is gone: the subscription stops
    429, 503             not delivered; Retry-After holds every event of the subscription
    other, no response   not delivered; sent again later

A redirect is not followed. A 2xx with a body above the bound counts as delivered, because the body is ignored.
"""

from dataclasses import dataclass
from typing import Final

from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import NoResponse
from adapters.http_connection.retry_after import retry_after_seconds
from adapters.webhooks.transport import AddressForbidden, WebhookTransport
from schemas.cloudevents import CloudEventError, Envelope, to_http
from schemas.fields.webhook_signature import is_message_id, sign

_GONE: Final = 410
_ASKS_TO_WAIT: Final = frozenset({429, 503})
_SERVER_ERROR: Final = 500
FORBIDDEN_ADDRESS: Final = "forbidden_address"
REDIRECT: Final = "redirect"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has the event."""

    status: int


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """The receiver may not have the event.

    `result` is a label of a metric: a class of status, a redirect, or why there was no response. `status` is None
    without a response. `holds_all`: Retry-After is for every event of the subscription.
    """

    result: str
    status: int | None = None
    retry_after_seconds: float | None = None
    holds_all: bool = False


@dataclass(frozen=True, slots=True)
class ReceiverGone:
    """The receiver answered 410: it rejects all further events."""


Outcome = Delivered | NotDelivered | ReceiverGone


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """The body and the id of a webhook: a structured CloudEvent. Each request gets a new signature."""

    id: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


def write_message(envelope: Envelope) -> WebhookMessage:
    """Return the message of an event. Raises CloudEventError if its data is not JSON."""
    headers, body = to_http(envelope)
    return WebhookMessage(envelope.id, body, tuple(headers))


def message_of(envelope: Envelope) -> WebhookMessage | None:
    """Return the message of any record's event; None if its data is not JSON, or a signature cannot cover its id."""
    try:
        message = write_message(envelope)
    except CloudEventError:
        return None
    return message if is_message_id(message.id) else None


def signed_headers(message: WebhookMessage, secrets: tuple[bytes, ...], now: float) -> list[tuple[str, str]]:
    """Return the headers of one request; `now` is Unix time."""
    timestamp = int(now)
    return [
        *message.headers,
        ("webhook-id", message.id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", sign(secrets, message.id, timestamp, message.body)),
    ]


async def deliver(
    transport: WebhookTransport, message: WebhookMessage, secrets: tuple[bytes, ...], now: float
) -> Outcome:
    """Send the message once and return the result."""
    try:
        response = await transport.post(signed_headers(message, secrets, now), message.body)
    except AddressForbidden:
        return NotDelivered(FORBIDDEN_ADDRESS)
    except NoResponse as failure:
        if failure.cause is Cause.TOO_LARGE and failure.status is not None:
            return read_status(failure.status, None, now)
        return NotDelivered(failure.cause.value, failure.status)
    return read_status(response.status_code, response.headers.get("retry-after"), now)


def read_status(status: int, retry_after: str | None, now: float) -> Outcome:
    """Return the result that a response means."""
    if 200 <= status < 300:
        return Delivered(status)
    if status == _GONE:
        return ReceiverGone()
    if status < 400:
        return NotDelivered(REDIRECT, status)
    wait = retry_after_seconds(retry_after, now)
    result = "status_5xx" if status >= _SERVER_ERROR else "status_4xx"
    return NotDelivered(result, status, wait, status in _ASKS_TO_WAIT)
