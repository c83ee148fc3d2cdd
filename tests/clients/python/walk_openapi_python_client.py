"""Request, grant and close with the client that openapi-python-client generated. Prints one line of JSON."""

import json
import os
import uuid

from generated_client import AuthenticatedClient
from generated_client.api.commands import close_handoff, request_handoff, send_command
from generated_client.api.sessions import create_access_grant
from generated_client.models import (
    AccessGrantBody,
    AccessGranted,
    AuthorizationWatch,
    AuthorizationWatchEvent,
    CommandAccepted,
    CommandOutcome,
    Completed,
    HandoffCloseBody,
    HandoffRequest,
    Metadata,
    ProblemDetails,
    ReportedOutcome,
    UnableToComplete,
)

URL, KEY = os.environ["GATEWAY_CLIENT_URL"], os.environ["GATEWAY_CLIENT_KEY"]
AUTHORIZATION = os.environ["GATEWAY_CLIENT_AUTHORIZATION"]
WAIT = "wait=30"


def key() -> str:
    """Return a new idempotency key."""
    return str(uuid.uuid4())


def main() -> None:
    """Hand off."""
    client = AuthenticatedClient(base_url=URL, token=KEY, raise_on_unexpected_status=True)
    body = HandoffRequest(requested_by="op-7", metadata=Metadata.from_dict({"case": "case-0042"}))
    opened = request_handoff.sync(AUTHORIZATION, client=client, body=body, idempotency_key=key(), prefer=WAIT)
    assert isinstance(opened, CommandOutcome), opened
    handoff = opened.handoff_id
    assert isinstance(handoff, str)

    grant = create_access_grant.sync(AUTHORIZATION, handoff, client=client, body=AccessGrantBody(operator="op-7"))
    assert isinstance(grant, AccessGranted), grant

    wrong = HandoffCloseBody(UnableToComplete(type_="unable_to_complete", reason="Not a slug"))
    problem = close_handoff.sync(AUTHORIZATION, handoff, client=client, body=wrong, idempotency_key=key())
    assert isinstance(problem, ProblemDetails), problem
    assert problem.status == 422
    assert isinstance(problem.errors, list)

    report = HandoffCloseBody(Completed(type_="completed", reported_outcome=ReportedOutcome.SUBMITTED))
    close_key = key()
    closed = close_handoff.sync(
        AUTHORIZATION, handoff, client=client, body=report, idempotency_key=close_key, prefer=WAIT
    )
    assert isinstance(closed, CommandOutcome), closed
    again = close_handoff.sync_detailed(
        AUTHORIZATION, handoff, client=client, body=report, idempotency_key=close_key, prefer=WAIT
    )
    assert again.headers["Idempotency-Replayed"] == "true"

    event = AuthorizationWatchEvent(
        specversion="1.0",
        id=key(),
        source="/clients",
        type_="collate-gateway.authorization.watch.v1",
        subject=AUTHORIZATION,
        data=AuthorizationWatch(),
    )
    sent = send_command.sync(client=client, body=event)
    assert isinstance(sent, CommandAccepted), sent
    print(
        json.dumps(
            {
                "handoffId": handoff,
                "grantUrl": grant.url,
                "status": closed.status,
                "outcome": closed.outcome.value,
                "pointer": problem.errors[0].pointer,
            }
        )
    )


if __name__ == "__main__":
    main()
