"""What the API and the console share: one list of methods, one line per request, places that end with the response."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from console.middleware import begin_exchange, page_recorder
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.port import request_recorder
from gateway.ingress.api_http.responses import error_response
from gateway.middleware.exchange import Places, exchange_of
from gateway.middleware.layers import ErrorBoundary, RequestIds, RequestLog
from gateway.middleware.methods import METHODS
from runtime.metrics import Metrics

ROOMS = {
    "api": (RequestContext, lambda metrics: request_recorder(metrics.ingress), "requests"),
    "console": (begin_exchange, lambda metrics: page_recorder(metrics.console), "console_pages"),
}


@pytest.fixture(params=ROOMS)
def room(request):
    return request.param


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def serve(room, registry):
    begin, recorder_of, _ = ROOMS[room]
    recorder = recorder_of(Metrics(registry))

    async def serve(app, method="GET"):
        scope = {"type": "http", "method": method, "path": "/", "headers": []}
        await RequestIds(RequestLog(app, recorder), begin)(scope, None, ignore)

    return serve


@pytest.fixture
def count(room, registry):
    def count(method, status):
        labels = {"route": "unmatched", "method": method, "status": str(status)}
        return registry.get_sample_value(f"collate_gateway_{ROOMS[room][2]}_total", labels)

    return count


async def ignore(_message):
    pass


async def respond(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})


LABELS = [*((method, method) for method in METHODS), ("PROPFIND", "other"), ("get", "other")]


@pytest.mark.parametrize(("method", "label"), LABELS)
async def test_a_method_has_one_label_in_every_room(serve, count, method, label):
    await serve(respond, method)
    assert count(label, 204) == 1


async def fails(_scope, _receive, _send):
    raise RuntimeError


async def fails_late(scope, receive, send):
    await respond(scope, receive, send)
    raise RuntimeError


async def is_left(_scope, _receive, _send):
    raise ClientDisconnect


async def is_cancelled(_scope, _receive, _send):
    raise asyncio.CancelledError


ENDS = [(respond, 204), (fails_late, 204), (fails, 499), (is_left, 499), (is_cancelled, 499)]


@pytest.mark.parametrize(("app", "status"), ENDS)
async def test_however_a_request_ends_it_has_one_line_one_count_and_no_place(serve, count, app, status):
    places = Places()

    async def takes_a_place(scope, receive, send):
        places.take(exchange_of(scope), "jo", "people")
        assert (places.taken("jo"), places.taken("people")) == (1, 1)
        await app(scope, receive, send)

    with capture_logs() as lines:
        await asyncio.gather(asyncio.create_task(serve(takes_a_place)), return_exceptions=True)
    assert [line["status"] for line in lines] == [status]
    assert count("GET", status) == 1
    assert (places.taken("jo"), places.taken("people")) == (0, 0)


async def test_a_place_is_free_as_soon_as_the_response_starts(serve):
    places, goes_on = Places(), asyncio.Event()

    async def streams(scope, receive, send):
        places.take(exchange_of(scope), "jo")
        await respond(scope, receive, send)
        assert places.taken("jo") == 0
        goes_on.set()

    await serve(streams)
    assert goes_on.is_set()


async def test_an_unexpected_exception_of_the_api_becomes_a_line_and_a_problem_without_its_text():
    sent = []

    async def send(message):
        sent.append(message)

    async def fails_with_a_secret(_scope, _receive, _send):
        raise RuntimeError("secret")

    scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", b"abc")]}
    with capture_logs() as lines:
        await RequestIds(ErrorBoundary(fails_with_a_secret, error_response), RequestContext)(scope, None, send)
    assert [(line["event"], line["request_id"]) for line in lines] == [("ingress.request_failed", "abc")]
    assert sent[0]["status"] == 500
    assert b"abc" in sent[1]["body"]
    assert b"secret" not in sent[1]["body"]


@pytest.mark.parametrize(("app", "is_raised"), [(fails, False), (fails_late, True), (is_left, False)])
async def test_only_an_exception_after_the_start_of_a_response_reaches_the_server(app, is_raised):
    scope = {"type": "http", "method": "GET", "headers": []}
    serving = RequestIds(ErrorBoundary(app, error_response), RequestContext)(scope, None, ignore)
    (ended,) = await asyncio.gather(serving, return_exceptions=True)
    assert isinstance(ended, RuntimeError) == is_raised
