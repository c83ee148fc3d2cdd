"""Request, grant and close with the client that OpenAPI Generator made for Python. Prints one line of JSON."""

import json
import os
import uuid

import generated_client as gateway
from generated_client.exceptions import UnprocessableEntityException

URL, KEY = os.environ["GATEWAY_CLIENT_URL"], os.environ["GATEWAY_CLIENT_KEY"]
AUTHORIZATION = os.environ["GATEWAY_CLIENT_AUTHORIZATION"]
WAIT = "wait=30"


def key():
    """Return a new idempotency key."""
    return str(uuid.uuid4())


def main():
    """Hand off."""
    configuration = gateway.Configuration(host=URL, access_token=KEY)
    with gateway.ApiClient(configuration) as client:
        commands, sessions = gateway.CommandsApi(client), gateway.SessionsApi(client)
        body = gateway.HandoffRequest(requested_by="op-7", metadata={"case": "case-0042"})
        opened = commands.request_handoff(AUTHORIZATION, key(), prefer=WAIT, handoff_request=body)
        assert isinstance(opened, gateway.CommandOutcome), opened
        handoff = opened.handoff_id
        grant = sessions.create_access_grant(AUTHORIZATION, handoff, gateway.AccessGrantBody(operator="op-7"))

        # The client checks a report itself; without its check the gateway names the field.
        wrong = gateway.UnableToComplete.model_construct(type="unable_to_complete", reason="Not a slug")
        result = gateway.CloseResult.model_construct(actual_instance=wrong)
        pointer = None
        try:
            commands.close_handoff(
                AUTHORIZATION, handoff, key(), gateway.HandoffCloseBody.model_construct(result=result)
            )
        except UnprocessableEntityException as error:
            pointer = error.data.errors[0].pointer

        completed = gateway.Completed(type="completed", reported_outcome=gateway.ReportedOutcome.SUBMITTED)
        report = gateway.HandoffCloseBody(result=gateway.CloseResult(completed))
        close_key = key()
        closed = commands.close_handoff(AUTHORIZATION, handoff, close_key, report, prefer=WAIT)
        assert isinstance(closed, gateway.CommandOutcome), closed
        again = commands.close_handoff_with_http_info(AUTHORIZATION, handoff, close_key, report, prefer=WAIT)
        assert again.headers["idempotency-replayed"] == "true"

        event = gateway.AuthorizationWatchEvent(
            specversion="1.0",
            id=key(),
            source="/clients",
            type="collate-gateway.authorization.watch.v1",
            subject=AUTHORIZATION,
            data=gateway.AuthorizationWatch(),
        )
        sent = commands.send_command(gateway.CommandEvent(event))
        assert isinstance(sent, gateway.CommandAccepted), sent
    print(
        json.dumps(
            {
                "handoffId": handoff,
                "grantUrl": grant.url,
                "status": closed.status,
                "outcome": closed.outcome.value,
                "pointer": pointer,
            }
        )
    )


if __name__ == "__main__":
    main()
