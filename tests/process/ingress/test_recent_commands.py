"""The operators' route that empties an authorization's recent commands."""

from schemas.commands import EmptyRecentCommands
from schemas.enums import CommandType

PATH = "/v1/authorizations/auth_1/recent-commands/empty"
DECISION = {
    "operator": "op-7",
    "reason": "fix_deployed",
    "ofCaller": "reporting",
    "ticket": "OPS-1204",
    "why": "It watched Ms Doe's case once a minute.",
}


async def test_the_record_has_caller_operator_and_reason(ingress, kafka):
    reply = await ingress.post(PATH, DECISION)
    (command,) = kafka.read()
    assert (reply.status, reply.json["recordId"], reply.json["authorizationId"]) == (202, command.id, "auth_1")
    assert isinstance(command.data, EmptyRecentCommands)
    assert (command.caller, command.authorization_id) == ("desk", "auth_1")
    data = command.data
    assert (data.of_caller, data.requested_by, data.reason, data.ticket) == (
        "reporting",
        "op-7",
        "fix_deployed",
        "OPS-1204",
    )


async def test_a_retry_is_the_same_decision_and_another_key_another(ingress, kafka):
    for key in ("k-1", "k-1", "k-2"):
        assert (await ingress.post(PATH, DECISION, key=key)).status == 202
    first, again, other = kafka.read()
    assert first.id == again.id != other.id


async def test_a_decision_needs_an_operator_and_a_reason(ingress, kafka):
    reply = await ingress.post(PATH, {"ofCaller": "reporting"})
    assert reply.status == 422
    assert {error["pointer"] for error in reply.json["errors"]} == {"/operator", "/reason"}
    assert not kafka.commands


async def test_a_caller_cannot_send_the_internal_command(ingress, kafka):
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/x", "ce_subject": "auth_1"}
    internal = CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS.value
    reply = await ingress.post(
        "/v1/commands", {"requestedBy": "op-7"}, **headers, ce_type=internal, Content_Type="application/json"
    )
    assert reply.status == 400
    assert not kafka.commands
