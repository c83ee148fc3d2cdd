import json

import pytest
from starlette.routing import Match

from schemas.api.operations import OPERATIONS
from schemas.api.queries import METADATA
from schemas.published import read

COMMAND_ID = "7f2c1a90-0000-4000-8000-000000000000"


def test_no_path_is_hidden_by_a_path_with_a_parameter(ingress):
    routes = ingress.components.app.routes
    for operation in OPERATIONS:
        path = operation.path.replace("{commandId}", COMMAND_ID).replace("{", "").replace("}", "")
        scope = {"type": "http", "path": path, "method": operation.method}
        first = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
        assert first.path == operation.path
        assert first.app.endpoints[operation.method][0] is operation


@pytest.fixture
def settings_of(tmp_path):
    """A read model that is away: its routes read the query before they need it."""
    (tmp_path / "dsn").write_text("postgresql://127.0.0.1:1/none")
    return {"GATEWAY_READMODEL__DSN_FILE": str(tmp_path / "dsn")}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_an_operation_reads_the_query_that_it_declares(ingress, operation):
    path = operation.path.format(authorizationId="auth_1", handoffId="mhand_1", commandId=COMMAND_ID)
    headers = {"Idempotency-Key": "k-1"}
    reply = await ingress.call(operation.method, f"{path}?typo=x", b"", headers)
    faults = json.loads(reply.body).get("errors", []) if reply.status == 400 else []
    detail = next((fault["detail"] for fault in faults if fault.get("parameter") == "query"), None)
    if operation.query is None:
        assert detail is None
    else:
        names = [f"{METADATA}KEY" if name == "metadata" else name for name in operation.query.parameters()]
        assert detail == (f"no parameter but {', '.join(names)}" if names else "no parameters")


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.body is not None], ids=lambda operation: operation.id
)
async def test_an_operation_reads_the_body_that_it_declares(ingress, operation):
    path = operation.path.format(authorizationId="auth_1", handoffId="mhand_1", commandId=COMMAND_ID)
    model = json.loads(read("openapi.json"))["components"]["schemas"][operation.body.__name__]
    example = model.get("examples", [{}])[0]

    async def slug(body):
        reply = await ingress.call(operation.method, path, json.dumps(body).encode(), {"Idempotency-Key": "k-1"})
        return reply.json.get("type", "").rpartition(":")[2]

    assert await slug(example) != "invalid-command"
    expected = "not-permitted" if operation.id == "releaseHandoff" else "invalid-command"  # for people only
    assert await slug(example | {"typo": 1}) == expected
