"""The table finds the route that Starlette's router would find, and the most specific path decides about methods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match

from gateway.ingress.http.problems import MethodNotAllowed, NotFound
from gateway.ingress.http.route_table import PathRoute, RouteTable


def endpoint_of(name):
    async def endpoint(request):
        raise NotImplementedError

    endpoint.__name__ = name
    return endpoint


def route(path, *methods):
    return PathRoute(path, endpoint_of(path), methods=methods or ("GET",))


ROUTES = [
    route("/v1/things", "POST"),
    route("/v1/things/decide", "POST"),
    route("/v1/things/{id}"),
    route("/v1/things/{id}/parts/{part}/close", "POST"),
    route("/v1/things/{id}/parts/{part}/open", "POST"),
    route("/v1/others/{id}"),
    route("/v1/things"),
    route("/v1/{kind}/{id}/parts/all"),
]
TABLE = RouteTable(ROUTES)


def found(path, method="GET", table=TABLE):
    scope = {"path": path, "method": method, "type": "http"}
    endpoint = table.find(scope)
    assert scope["route"].endpoint is endpoint
    return scope["route"].path, scope["path_params"]


def test_parameters_are_the_segments_in_their_places():
    parameters = {"id": "t 1", "part": "%2F"}
    assert found("/v1/things/t 1/parts/%2F/close", "POST") == ("/v1/things/{id}/parts/{part}/close", parameters)


@pytest.mark.parametrize("routes", [ROUTES, ROUTES[::-1]])
def test_a_named_last_segment_comes_before_a_parameter_for_every_method_in_any_order(routes):
    table = RouteTable(routes)
    assert found("/v1/things/decide", "POST", table)[0] == "/v1/things/decide"
    assert found("/v1/others/decide", table=table)[0] == "/v1/others/{id}"
    with pytest.raises(MethodNotAllowed) as raised:
        found("/v1/things/decide", "GET", table)
    assert raised.value.headers()["allow"] == "POST"


def test_one_path_has_the_methods_of_all_its_routes():
    assert found("/v1/things", "POST")[0] == found("/v1/things", "HEAD")[0] == "/v1/things"
    with pytest.raises(MethodNotAllowed) as raised:
        found("/v1/things", "DELETE")
    assert raised.value.headers()["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path",
    ["", "*", "/", "//", "v1/things", "x/v1/things", "/v1/things/", "/v1/others//", "/V1/things", "/v1/things\n"],
)
def test_another_path_is_not_found(path):
    with pytest.raises(NotFound):
        found(path)


SEGMENTS = st.sampled_from(["", "v1", "things", "others", "decide", "parts", "close", "open", "all", "t1"])


@given(st.lists(SEGMENTS, max_size=7).map(lambda segments: "/" + "/".join(segments)), st.sampled_from(["GET", "POST"]))
def test_the_table_finds_what_starlette_finds(path, method):
    scope = {"path": path, "method": method, "type": "http"}
    matches = [(route.matches(scope)[0], route) for route in ROUTES]
    expected = next((route for match, route in matches if match is Match.FULL), None)
    if path == "/v1/things/decide":  # the one difference: Starlette answers GET with the route that has a parameter
        expected = ROUTES[1] if method == "POST" else None
    try:
        endpoint = TABLE.find(scope)
    except (NotFound, MethodNotAllowed):
        assert expected is None
    else:
        assert endpoint is expected.endpoint
