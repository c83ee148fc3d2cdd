"""The whole matrix: every route, and every command of the CloudEvents route, under every permission alone."""

import itertools
import json

import pytest

from adapters.postgres.queries import CommandFound
from adapters.postgres.reader import ReadModelReader
from gateway.ingress.auth.callers import new_key
from schemas.api.lists import CommandList
from schemas.api.reads import CommandStatus
from schemas.cloudevents import BATCH
from schemas.permissions import COMMAND_PERMISSIONS, Permission

COMMAND_ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
EVERYBODY = frozenset(Permission)
CLOSE = {"result": {"type": "revoked", "reason": "r"}}
# The permission of each route; EVERYBODY: any caller, with a rule of its own for the content; None: no credential.
ROUTES = {
    ("POST", "/v1/authorizations/{authorizationId}/handoffs"): {Permission.HANDOFF_REQUEST},
    ("POST", "/v1/authorizations/{authorizationId}/handoffs/{handoffId}/close"): {Permission.HANDOFF_CLOSE},
    ("POST", "/v1/authorizations/{authorizationId}/watch"): {Permission.AUTHORIZATION_WATCH},
    ("POST", "/v1/authorizations/{authorizationId}/recent-commands/empty"): {Permission.OPERATE},
    ("POST", "/v1/authorizations/{authorizationId}/version-floor/lower"): {Permission.OPERATE},
    ("POST", "/v1/commands"): set(COMMAND_PERMISSIONS.values()),
    ("POST", "/v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants"): {Permission.HANDOFF_GRANT},
    ("GET", "/v1/authorizations/{authorizationId}/handoffs/{handoffId}"): {Permission.HANDOFF_GRANT},
    # For people: each of these callers is a service.
    ("POST", "/v1/authorizations/{authorizationId}/handoffs/{handoffId}/release"): set(),
    ("GET", "/v1/authorizations/{authorizationId}/review-snapshot"): {Permission.AUTHORIZATION_REVIEW},
    ("GET", "/v1/authorizations/{authorizationId}/payer-evidence"): {Permission.AUTHORIZATION_EVIDENCE},
    ("GET", "/v1/events"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/commands/{commandId}"): EVERYBODY,
    ("GET", "/v1/commands"): EVERYBODY,
    ("GET", "/v1/troubles"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/ids"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/authorizations"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/authorizations/{authorizationId}"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/authorizations/{authorizationId}/timeline"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/handoffs"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/overview"): {Permission.AUTHORIZATION_READ},
    ("GET", "/v1/dead-letters"): {Permission.OPERATE},
    ("POST", "/v1/dead-letters/decisions"): {Permission.OPERATE},
    ("GET", "/v1/dead-letters/{commandId}"): {Permission.OPERATE},
    ("GET", "/v1/dead-letters/{commandId}/original"): {Permission.OPERATE},
    ("GET", "/v1/dead-letters/{commandId}/situation"): {Permission.OPERATE},
    ("POST", "/v1/dead-letters/{commandId}/redrive"): {Permission.OPERATE},
    ("POST", "/v1/dead-letters/{commandId}/discard"): {Permission.OPERATE},
    ("GET", "/v1/me"): EVERYBODY,
    ("GET", "/openapi.json"): None,
    ("GET", "/asyncapi.json"): None,
}
BODIES = {
    "close": CLOSE,
    "access-grants": {"operator": "op-7"},
    "empty": {"operator": "op-7", "reason": "fix_deployed"},
}
COMMANDS = {
    "handoff.request": ({}, Permission.HANDOFF_REQUEST),
    "handoff.close": ({"handoffId": "mhand_1"} | CLOSE, Permission.HANDOFF_CLOSE),
    "authorization.watch": ({}, Permission.AUTHORIZATION_WATCH),
}


@pytest.fixture
def settings_of(tmp_path):
    """A read model that is away: its routes decide on the permission before they need it."""
    (tmp_path / "dsn").write_text("postgresql://127.0.0.1:1/none")
    return {"GATEWAY_READMODEL__DSN_FILE": str(tmp_path / "dsn")}


@pytest.fixture
def keys(ingress):
    """A key for each permission, of a caller that has no other."""
    keys = {permission: new_key() for permission in Permission}
    entries = [
        f'[[caller]]\nname = "only-{name}"\npermissions = ["{permission}"]\n{keys[permission].entry}'
        for permission in Permission
        if (name := permission.value.replace(":", "-"))
    ]
    ingress.use_callers("\n".join(entries))
    return {permission: key.key for permission, key in keys.items()}


async def call(ingress, key, method, path, headers=None, *, body=b""):
    ingress.key = key
    return await ingress.call(method, path, body, {"Idempotency-Key": "k-1"} | (headers or {}))


def test_every_route_is_in_the_matrix(ingress):
    served = {
        (method, route.path)
        for route in ingress.components.app.routes
        for method in route.app.endpoints
        if method != "HEAD"
    }
    assert served == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_route_admits_a_caller_with_its_permission_alone(ingress, keys, method, path):
    allowed = ROUTES[method, path]
    filled = path.format(authorizationId="auth_1", handoffId="mhand_1", commandId=COMMAND_ID)
    body = BODIES.get(path.rpartition("/")[2], b"")
    replies = {
        permission: (await call(ingress, key, method, filled, body=body)).status for permission, key in keys.items()
    }
    admitted = {permission for permission, status in replies.items() if status not in {401, 403}}
    assert admitted == (EVERYBODY if allowed is None else allowed)
    assert 500 not in replies.values()
    without = await ingress.call(method, filled, body, {"Authorization": None, "Idempotency-Key": "k-1"})
    assert (without.status == 401) is (allowed is not None)


@pytest.mark.parametrize("media_type", ["application/json", "application/cloudevents+json", BATCH])
@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "POST"])
async def test_a_caller_without_the_permission_is_refused_before_its_body(ingress, keys, path, media_type):
    filled = path.format(authorizationId="auth_1", handoffId="mhand_1", commandId=COMMAND_ID)
    refused = set(Permission) - ROUTES["POST", path]
    assert refused
    for permission in refused:
        ingress.key = keys[permission]
        headers = {"Idempotency-Key": "k", "Content-Type": media_type, "Content-Length": "1000"}
        reply = await ingress.raw(ingress.head("POST", filled, headers) + b"\r\n")
        assert (reply.status, reply.headers["connection"]) == (403, "close"), "it waited for the body"
    assert ingress.metric("requests_in_flight") == 0


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize(("command", "permission"), list(itertools.product(COMMANDS, Permission)))
async def test_a_cloudevent_needs_the_permission_of_its_type(ingress, kafka, keys, *, command, permission, mode):
    data, required = COMMANDS[command]
    attributes = {
        "specversion": "1.0",
        "id": "1",
        "source": "/x",
        "type": f"collate-gateway.{command}.v1",
        "subject": "auth_1",
    }
    if mode == "structured":
        body, headers = attributes | {"data": data}, {"Content-Type": "application/cloudevents+json"}
    else:
        body, headers = data, {f"ce-{name}": value for name, value in attributes.items()}
    reply = await call(ingress, keys[permission], "POST", "/v1/commands", headers, body=json.dumps(body).encode())
    assert reply.status == (202 if permission is required else 403)
    assert [accepted.data.TYPE for accepted in kafka.read()] == [attributes["type"]] * (permission is required)


@pytest.mark.parametrize("permission", Permission)
async def test_a_caller_reads_its_own_commands_and_others_with_a_permission(ingress, keys, monkeypatch, permission):
    owner = "another"

    async def fetch(reader, name, query, caller):
        return CommandFound(CommandStatus(command_id=COMMAND_ID, caller=owner, status="accepted"))

    monkeypatch.setattr(ReadModelReader, "fetch", fetch)
    path = f"/v1/commands/{COMMAND_ID}"
    reply = await call(ingress, keys[permission], "GET", path)
    assert reply.status == (200 if permission is Permission.AUTHORIZATION_READ else 404)
    owner = f"only-{permission.value.replace(':', '-')}"
    assert (await call(ingress, keys[permission], "GET", path)).status == 200


@pytest.mark.parametrize("permission", Permission)
async def test_a_caller_lists_its_own_commands_and_those_of_others_with_a_permission(
    ingress, keys, monkeypatch, permission
):
    asked = []

    async def fetch(reader, name, page, caller):
        asked.append(page.query.caller)
        return CommandList(commands=[])

    monkeypatch.setattr(ReadModelReader, "fetch", fetch)
    may_read_all = permission is Permission.AUTHORIZATION_READ
    own = f"only-{permission.value.replace(':', '-')}"
    assert (await call(ingress, keys[permission], "GET", "/v1/commands")).status == 200
    assert (await call(ingress, keys[permission], "GET", f"/v1/commands?caller={own}")).status == 200
    other = await call(ingress, keys[permission], "GET", "/v1/commands?caller=another")
    assert other.status == (200 if may_read_all else 403)
    assert asked == ([None, own, "another"] if may_read_all else [own, own])
