"""The most specific path serves a request, and decides about its methods."""

import pytest
from starlette.responses import Response
from starlette.routing import Router

from gateway.ingress.api_http.api_problems import MethodNotAllowed
from gateway.ingress.api_http.routing import not_found, routes_of
from schemas.api.operation import ApiOperation

ADDRESSES = [
    ("POST", "/v1/things"),
    ("GET", "/v1/things/{id}"),
    ("POST", "/v1/things/decide"),
    ("POST", "/v1/things/{id}/parts/{part}/close"),
    ("POST", "/v1/things/{id}/parts/{part}/open"),
    ("GET", "/v1/others/{id}"),
    ("GET", "/v1/things"),
]


def router_of(addresses):
    async def answer(request):
        return Response()

    operations = [
        ApiOperation(id=f"{method} {path}", method=method, path=path, tag="", summary="", answers={}, problems=())
        for method, path in addresses
    ]
    handlers = {operation.id: answer for operation in operations}
    return Router(routes_of(handlers, operations), redirect_slashes=False, default=not_found)


async def found(path, method="GET", addresses=ADDRESSES):
    scope = {"path": path, "method": method, "type": "http"}

    async def send(_message):
        pass

    await router_of(addresses)(scope, None, send)
    assert scope["route"].path == scope["operation"].path
    return scope["operation"].id, scope["path_params"]


async def test_parameters_are_the_segments_in_their_places():
    parameters = {"id": "t 1", "part": "%2F"}
    served = await found("/v1/things/t 1/parts/%2F/close", "POST")
    assert served == ("POST /v1/things/{id}/parts/{part}/close", parameters)


@pytest.mark.parametrize("addresses", [ADDRESSES, ADDRESSES[::-1]])
async def test_a_named_last_segment_comes_before_a_parameter_for_every_method_in_any_order(addresses):
    assert (await found("/v1/things/decide", "POST", addresses))[0] == "POST /v1/things/decide"
    assert (await found("/v1/others/decide", addresses=addresses))[0] == "GET /v1/others/{id}"
    with pytest.raises(MethodNotAllowed) as raised:
        await found("/v1/things/decide", "GET", addresses)
    assert raised.value.headers()["allow"] == "POST"


async def test_one_path_has_the_methods_of_all_its_operations():
    assert (await found("/v1/things", "POST"))[0] == "POST /v1/things"
    assert (await found("/v1/things", "HEAD"))[0] == "GET /v1/things"
    with pytest.raises(MethodNotAllowed) as raised:
        await found("/v1/things", "DELETE")
    assert raised.value.headers()["allow"] == "GET, HEAD, POST"
