"""The client of the Collate handoff gateway: commands, outcomes and events, with safe retries.

    with Gateway("https://gateway.example", "cgk_…") as gateway:
        outcome = gateway.request_handoff("auth_7Q2M", wait=30)

`AsyncGateway` has the same methods. Answers are the API's own JSON; `models` has their types. `operations` has the call
of each operation, for `send`.
"""

from collate_gateway_client.asynchronous.authorize import AsyncCredential
from collate_gateway_client.asynchronous.client import AsyncGateway
from collate_gateway_client.asynchronous.event_stream import AsyncEventStream
from collate_gateway_client.calls import Answer, Call
from collate_gateway_client.credentials import Signer
from collate_gateway_client.errors import Fault, GatewayError, GatewayProblem, NotAnswered, NotFinished
from collate_gateway_client.grants import AccessGrant
from collate_gateway_client.progress import Event
from collate_gateway_client.results import completed, revoked, unable_to_complete
from collate_gateway_client.retries import RetryPolicy
from collate_gateway_client.secret import SecretText
from collate_gateway_client.synchronous.authorize import Credential
from collate_gateway_client.synchronous.client import Gateway
from collate_gateway_client.synchronous.event_stream import EventStream
from collate_gateway_client.version import VERSION
from collate_gateway_client.webhooks import WebhookRefused, webhook_event

__all__ = [
    "VERSION",
    "AccessGrant",
    "Answer",
    "AsyncCredential",
    "AsyncEventStream",
    "AsyncGateway",
    "Call",
    "Credential",
    "Event",
    "EventStream",
    "Fault",
    "Gateway",
    "GatewayError",
    "GatewayProblem",
    "NotAnswered",
    "NotFinished",
    "RetryPolicy",
    "SecretText",
    "Signer",
    "WebhookRefused",
    "completed",
    "revoked",
    "unable_to_complete",
    "webhook_event",
]
