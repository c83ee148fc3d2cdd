"""Signed commands: the only requests whose caller is known by a signature (Standard Webhooks).

A signature covers the body alone. In a structured CloudEvent, and in a batch of them, the body names each command's
type, authorization and id. Anywhere else an attacker could send a captured request with another path, query or header.
Invariant: a replay of a signed body is the same commands, because their ids come from the body. One event's `id` must
also be the `webhook-id`. A batch is signed as a whole, under a `webhook-id` of its own.
"""

import time

from starlette.requests import Request

from gateway.ingress.api_http.api_problems import SignatureNotAccepted, Unauthenticated
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.callers_file import CallersFile
from runtime.http_server.port_problems import InvalidHeader
from runtime.http_server.problem import Fault
from schemas.cloudevents import STRUCTURED
from schemas.fields.webhook_signature import read_signature

_INVALID = (
    "Sign the whole body by Standard Webhooks with the secret that was issued to your service. Send webhook-id, "
    "webhook-timestamp (the time now), webhook-signature, and `?caller=` with your service's name."
)


def is_signed(context: RequestContext) -> bool:
    """Return whether the request has a signature and no other credential."""
    return b"webhook-signature" in context.headers and b"authorization" not in context.headers


class SignedCommands:
    """Identifies the callers of signed commands."""

    def __init__(self, callers: CallersFile) -> None:
        self._callers = callers

    async def read(self, request: Request, media_type: str) -> tuple[Caller, bytes, str]:
        """Return the caller, the body and the message id. The body must have the media type, in structured mode.

        Raises SignatureNotAccepted and Unauthenticated: before the body is read, unless only the body can show it.
        """
        context = context_of(request.scope)
        content_type = context.headers.get(b"content-type", b"").decode("latin-1")
        if content_type.partition(";")[0].strip().lower() != media_type:
            raise SignatureNotAccepted(
                f"A signature covers the body only. Send the CloudEvent in structured mode ({STRUCTURED}), where the "
                "body has the command's type and authorization, or send an API key or a token."
            )
        signature = read_signature(context.headers, time.time())
        # The query names the caller, so a guess costs one comparison.
        name = next(iter(request.query_params.getlist("caller")), "")
        signer = self._callers.current.signer(name)
        if signature is None or signer is None:
            raise Unauthenticated(_INVALID)
        body = await request.body()
        if not signature.is_valid(body, signer.signing_secrets):
            raise Unauthenticated(_INVALID)
        return signer.caller, body, signature.message_id


def require_event_id(message_id: str, event_id: str) -> None:
    """Raise InvalidHeader unless the signed message has the id of its event."""
    if message_id != event_id:
        raise InvalidHeader(
            "Send the event's `id` as webhook-id, and sign it. The command was not accepted.",
            faults=(Fault("the event's `id`", header="webhook-id"),),
        )
