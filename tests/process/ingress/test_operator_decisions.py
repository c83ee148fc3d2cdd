"""The operators' routes about one authorization: empty its recent commands, lower its version floor."""

import asyncio

import pytest
from typer.testing import CliRunner

from cli.app import app
from schemas.commands import EmptyRecentCommands, LowerVersionFloor
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


FLOOR_PATH = "/v1/authorizations/auth_1/version-floor/lower"
FLOOR = {"operator": "op-7", "reason": "collate_recovered", "toVersion": 12, "ticket": "OPS-1204", "why": "Ms Doe"}


@pytest.mark.parametrize("version", [12, 12.0])
async def test_the_record_of_a_lower_floor_has_caller_operator_reason_and_version(ingress, kafka, version):
    reply = await ingress.post(FLOOR_PATH, FLOOR | {"toVersion": version})
    (command,) = kafka.read()
    assert (reply.status, reply.json["recordId"], reply.json["authorizationId"]) == (202, command.id, "auth_1")
    assert isinstance(command.data, LowerVersionFloor)
    data = command.data
    assert (command.caller, data.to_version, data.requested_by, data.reason, data.ticket) == (
        *("desk", 12, "op-7", "collate_recovered", "OPS-1204"),
    )


@pytest.mark.parametrize("version", [None, -1, "12", 1.5, 2**60])
async def test_a_lower_floor_needs_a_version(ingress, kafka, version):
    reply = await ingress.post(FLOOR_PATH, FLOOR | {"toVersion": version})
    assert reply.status == 422
    assert {error["pointer"] for error in reply.json["errors"]} == {"/toVersion"}
    assert not kafka.commands


async def test_a_retry_is_the_same_decision_and_another_key_another(ingress, kafka):
    for key in ("k-1", "k-1", "k-2"):
        assert (await ingress.post(PATH, DECISION, key=key)).status == 202
    first, again, other = kafka.read()
    assert first.id == again.id != other.id


async def test_a_caller_cannot_send_the_internal_command(ingress, kafka):
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/x", "ce_subject": "auth_1"}
    internal = CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS.value
    reply = await ingress.post(
        "/v1/commands", {"requestedBy": "op-7"}, **headers, ce_type=internal, Content_Type="application/json"
    )
    assert reply.status == 400
    assert not kafka.commands


@pytest.fixture
def empty(ingress):
    """Run `gateway recent-commands empty` against the ingress."""

    async def run(*arguments, key=ingress.key):
        environ = {"COLLATE_GATEWAY_KEY": key, "COLLATE_GATEWAY_URL": f"http://127.0.0.1:{ingress.port}"}
        verb = ["recent-commands", "empty", "auth_1", "--operator", "op-7", *arguments]
        return await asyncio.to_thread(CliRunner().invoke, app, verb, env=environ)

    return run


async def test_the_command_line_sends_the_decision(empty, kafka):
    options = ["--caller", "reporting", "--reason", "fix_deployed", "--ticket", "OPS-1204", "--why", DECISION["why"]]
    result = await empty(*options, "--yes")
    assert result.exit_code == 0, result.output
    assert "Accepted. The event" in result.stdout
    (command,) = kafka.read()
    data = command.data
    assert (command.authorization_id, data.of_caller, data.requested_by) == ("auth_1", "reporting", "op-7")
    assert (data.reason, data.ticket, data.why) == ("fix_deployed", "OPS-1204", DECISION["why"])


@pytest.mark.parametrize(
    ("options", "key", "code", "shown"),
    [
        (("--reason", "fix_deployed"), None, 1, "Forget the recent commands of all callers?"),
        (("--reason", "fix_deployed", "--yes", "--ticket", "a b"), None, 2, "--ticket"),
        (("--reason", "fix_deployed", "--yes"), "cgk_none_none", 1, "401"),
        (("--reason", "fix_deployed", "--yes", "--caller", "\x1b[2J"), None, 1, "ofCaller"),
    ],
)
async def test_the_command_line_sends_nothing_without_a_valid_decision(empty, kafka, options, *, key, code, shown):
    result = await (empty(*options) if key is None else empty(*options, key=key))
    assert (result.exit_code, kafka.commands) == (code, [])
    assert shown in result.output
