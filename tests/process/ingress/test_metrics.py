"""Rate, errors and durations of every route, and rejected requests, as /metrics of the admin port shows them."""

import asyncio
import json

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.ingress.auth.callers import new_key
from runtime.admin.app import admin_app
from schemas.published import read

REQUEST = "/v1/authorizations/auth_1/handoffs"
VALUES = {
    "{authorizationId}": "auth_1",
    "{handoffId}": "mhand_1",
    "{commandId}": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
}


@pytest.fixture
def metrics(ingress):
    """Read /metrics: a function of a metric's name and labels."""
    app = admin_app(ingress.process.health, ingress.process.registry, lambda: None)

    async def read_metrics():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin") as client:
            text = (await client.get("/metrics")).text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
        return lambda name, **labels: values.get((f"collate_gateway_{name}", frozenset(labels.items())))

    return read_metrics


def every_operation():
    paths = json.loads(read("openapi.json"))["paths"]
    return [(method.upper(), path) for path, operations in paths.items() for method in operations]


async def test_every_route_has_request_counts_and_durations(ingress, metrics):
    expected = {}
    for method, route in every_operation():
        path = route
        for name, value in VALUES.items():
            path = path.replace(name, value)
        if path == "/v1/events":
            continue
        reply = await ingress.call(method, path, headers={"Idempotency-Key": f"{method} {route}".replace(" ", "-")})
        expected.setdefault(route, []).append((method, reply.status))
        stranger = await ingress.call(method, path, headers={"authorization": None})
        expected[route].append((method, stranger.status))
    metric = await metrics()
    for route, ends in expected.items():
        for method, status in ends:
            count = ends.count((method, status))
            assert metric("requests_total", route=route, method=method, status=str(status)) == count
        assert metric("request_seconds_count", route=route) == len(ends)
        assert metric("request_seconds_sum", route=route) > 0
    assert len(expected) >= 15


async def test_a_request_without_route_has_a_fixed_label(ingress, metrics):
    await ingress.get("/v1/Jane-Doe")
    await ingress.call("BREW", "/v1/events")
    await ingress.raw(b"NONSENSE\r\n\r\n")
    metric = await metrics()
    assert metric("requests_total", route="unmatched", method="GET", status="404") == 1
    assert metric("requests_total", route="unreadable", method="other", status="400") == 2


async def test_an_event_stream_is_counted_when_it_ends(ingress, metrics, eventually):
    reader, writer = await ingress.open()
    writer.write(ingress.head("GET", "/v1/events", {}) + b"\r\n")
    await reader.readuntil(b": connected\n")
    assert (await metrics())("streams") == 1
    writer.close()
    await eventually(lambda: ingress.metric("streams") == 0)
    metric = await metrics()
    assert metric("streams") == 0
    assert metric("requests_total", route="/v1/events", method="GET", status="200") == 1


async def test_a_publish_has_a_duration(ingress, metrics):
    for number in range(3):
        assert (await ingress.post(REQUEST, key=f"k-{number}")).status == 202
    await ingress.post(REQUEST, key="k-1")
    metric = await metrics()
    assert metric("publish_seconds_count") == 3
    assert metric("publish_seconds_sum") > 0
    assert metric("replays_total") == 1


async def test_the_rate_of_a_caller(ingress, metrics):
    key = new_key()
    caller = '[[caller]]\nname = "desk"\npermissions = ["handoff:request"]\nrate_per_second = 0.1\nburst = 1\n'
    ingress.use_callers(caller + key.entry)
    ingress.key = key.key
    assert [(await ingress.post(REQUEST, key=f"k-{number}")).status for number in range(3)] == [202, 429, 429]
    assert (await metrics())("shed_total", reason="rate") == 2


@pytest.mark.usefixtures("silent_kafka")
async def test_a_silent_and_then_unreachable_kafka(ingress, metrics):
    assert (await ingress.post(REQUEST, key="k-1")).status == 503
    metric = await metrics()
    assert metric("publish_failures_total", reason="deadline") == 1
    ingress.lose_kafka()
    assert (await ingress.post(REQUEST, key="k-2")).status == 503
    metric = await metrics()
    assert metric("shed_total", reason="kafka_away") == 1
    assert metric("publish_failures_total", reason="kafka_away") is None


class TestInFlight:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "3"}

    async def test_requests_of_a_caller_and_of_all(self, ingress, kafka, metrics, eventually):
        kafka.is_silent, ingress.components.publisher._max_in_flight = True, 3
        sent = []

        async def begin():
            sent.append(asyncio.create_task(ingress.post(REQUEST, key=f"k-{len(sent)}")))
            await eventually(lambda: len(kafka.commands) == len(sent))

        await begin()
        await begin()
        assert (await ingress.get("/v1/dead-letters")).status == 429
        assert (await metrics())("shed_total", reason="caller_in_flight") == 1
        key = new_key()
        caller = f'[[caller]]\nname = "other"\npermissions = ["handoff:request"]\n{key.entry}'
        ingress.add_callers(caller)
        ingress.key = key.key
        await begin()
        assert (await ingress.get("/openapi.json")).status == 503
        assert (await metrics())("shed_total", reason="in_flight") == 1
        kafka.confirm()
        await asyncio.gather(*sent)
