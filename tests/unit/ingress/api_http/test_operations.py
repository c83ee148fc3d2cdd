"""The routes come from the operations: an operation is one declaration and one handler."""

import pytest
from starlette.routing import Router

from docs_build.documents.openapi.document import openapi
from gateway.ingress.api_http.api_problems import NotPermitted
from gateway.ingress.api_http.body import UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.responses import ModelResponse, error_response
from gateway.ingress.api_http.routing import routes_of
from gateway.ingress.app import create_app
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.permissions import AccessControl
from gateway.middleware.layers import ErrorBoundary
from schemas.api.messages import ReleaseAccepted
from schemas.api.operation import ApiOperation
from schemas.api.operations import OPERATIONS
from schemas.api.queries import HandoffQuery
from schemas.permissions import Permission

NEW = ApiOperation(
    id="readSeal",
    method="GET",
    path="/v1/handoffs/{handoffId}/seal",
    tag="sessions",
    summary="Read the seal.",
    permissions=(Permission.HANDOFF_GRANT,),
    query=HandoffQuery,
    headers=("RequestId",),
    answers={200: ReleaseAccepted},
    problems=(400, 401, 403),
)


async def nothing(request):
    raise NotImplementedError


HANDLERS = {operation.id: nothing for operation in OPERATIONS}


def test_an_operation_without_a_handler_stops_the_start():
    with pytest.raises(ValueError, match="readMe"):
        create_app({name: handler for name, handler in HANDLERS.items() if name != "readMe"}, [])


def test_a_handler_without_an_operation_stops_the_start():
    with pytest.raises(ValueError, match="readSeal"):
        create_app(HANDLERS | {"readSeal": nothing}, [])


async def test_a_new_route_is_one_declaration_and_one_handler(metrics):
    bodies = UnfinishedBodies(Deadlines(), metrics, max_unverified=1)
    access = AccessControl(metrics, bodies, rate=1000, burst=1000, max_in_flight=10)

    async def seal(request):
        access.admit(request)
        query = read_query(request, HandoffQuery)
        return ModelResponse(
            ReleaseAccepted(authorization_id=query.operator, handoff_id=request.path_params["handoffId"])
        )

    routes = routes_of(HANDLERS | {"readSeal": seal}, (*OPERATIONS, NEW))
    app = ErrorBoundary(Router(routes), error_response)

    async def get(path, permission):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"operator=op-7",
            "headers": [],
            "state": {"context": RequestContext("r-1", {})},
            "user": Caller("intake", frozenset({permission})),
        }
        await app(scope, None, send)
        return sent[0]["status"], sent[1]["body"]

    assert await get("/v1/handoffs/mhand_1/seal", Permission.HANDOFF_GRANT) == (
        200,
        b'{"authorizationId":"op-7","handoffId":"mhand_1"}',
    )
    status, body = await get("/v1/handoffs/mhand_1/seal", Permission.OPERATE)
    assert (status, NotPermitted.slug.encode() in body) == (403, True)

    described = openapi((*OPERATIONS, NEW))["paths"]["/v1/handoffs/{handoffId}/seal"]["get"]
    assert described["description"] == "Needs the permission `handoff:grant`."
    assert [each.get("name") or each["$ref"].rpartition("/")[2] for each in described["parameters"]] == [
        "HandoffId",
        "message",
        "since",
        "Operator",
        "RequestId",
    ]
    content = described["responses"]["200"]["content"]["application/json"]
    assert content["schema"]["$ref"] == "#/components/schemas/ReleaseAccepted"
    assert {"400", "401", "403"} <= described["responses"].keys()
