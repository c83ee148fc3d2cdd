"""Every state of a connection has a clock, and a request is read as the RFCs say."""

import asyncio
import base64
import time

import pytest

from local.processes.patience import within

from .conftest import read_reply
from .test_limits import is_problem

REQUEST = "/v1/authorizations/auth_1/handoffs"
JSON = {"Idempotency-Key": "k", "Content-Type": "application/json"}


async def ends(reader):
    """Whether the gateway closes the connection. What it still sends is read."""
    async with within(8):
        await reader.read()
    return True


@pytest.mark.parametrize("rest", [b"", b"{"])
async def test_an_answer_to_an_unread_body_closes_the_connection(ingress, rest):
    head = ingress.head("POST", REQUEST, {"Content-Length": "1000000", "Authorization": "x"})
    reader, writer = await ingress.open()
    writer.write(head + b"\r\n")
    reply = await read_reply(reader)
    assert is_problem(reply, 401, "unauthenticated")
    assert reply.headers["connection"] == "close"
    writer.write(rest)
    assert await ends(reader)
    writer.close()


async def test_an_answer_to_an_unread_body_arrives_although_the_client_still_sends(ingress):
    head = ingress.head("POST", REQUEST, {"Content-Length": "60000", "Authorization": "x"})
    for _ in range(20):
        reader, writer = await ingress.open()
        writer.write(head + b"\r\n")
        for _ in range(30):
            writer.write(b"x" * 2_000)
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        assert is_problem(await read_reply(reader), 401, "unauthenticated")
        writer.close()


async def test_an_answer_to_a_body_that_has_arrived_keeps_the_connection(ingress):
    head = ingress.head("POST", REQUEST, JSON | {"Content-Length": "2", "Authorization": "x"})
    reader, writer = await ingress.open()
    for _ in range(2):
        writer.write(head + b"\r\n{}")
        reply = await read_reply(reader)
        assert is_problem(reply, 401, "unauthenticated")
        assert "connection" not in reply.headers
    writer.close()


class TestFullHouse:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_CONNECTIONS": "20"}

    async def test_a_caller_keeps_its_connection_when_others_fill_the_house(self, ingress):
        reader, writer = await ingress.open()
        known = ingress.head("GET", "/v1/dead-letters", {}) + b"\r\n"
        writer.write(known)
        assert (await read_reply(reader)).status == 200
        others = [await ingress.open() for _ in range(40)]
        writer.write(known)
        assert (await read_reply(reader)).status == 200
        for _, other in [*others, (reader, writer)]:
            other.close()

    async def test_a_house_full_of_requests_is_shown_and_not_ready(self, ingress, kafka, eventually):
        kafka.is_silent = True
        head = ingress.head("POST", REQUEST, JSON | {"Content-Length": "2"}) + b"\r\n{}"
        busy = [await ingress.open() for _ in range(20)]
        for _, writer in busy:
            writer.write(head)
        await eventually(lambda: ingress.metric("requests_in_flight") == 20)
        assert is_problem(await ingress.get("/openapi.json"), 503, "overloaded")
        await eventually(lambda: not ingress.process.health.ready().good)
        part = ingress.process.health.ready().parts["connections"]
        assert part["state"] == "waiting"
        assert part["detail"].startswith("20 of 20 ")
        assert ingress.metric("connections", port="api") == 20
        assert ingress.metric("connections_limit", port="api") == 20
        for _, writer in busy:
            writer.close()
        await eventually(lambda: ingress.process.health.component("connections").state == "ok")


class TestUnverifiedBodies:
    @pytest.fixture
    def settings_of(self):
        return {
            "GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "100",
        }

    async def test_slow_bodies_without_a_credential_leave_the_places_to_others(self, ingress, eventually, tmp_path):
        (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"s" * 32).decode())
        signer = f'[[caller.signature]]\nsecret_file = "{tmp_path}/secret"\n'
        ingress.add_callers(signer)
        signed = {
            "Authorization": None,
            "Content-Type": "application/cloudevents+json",
            "Content-Length": "10",
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode(),
        }
        slow = [await ingress.open() for _ in range(30)]
        for _, writer in slow:
            writer.write(ingress.head("POST", "/v1/commands?caller=desk", signed) + b"\r\n{")
            await asyncio.sleep(0.005)
        await eventually(lambda: 0 < ingress.metric("requests_in_flight") <= 5)
        assert (await ingress.get("/v1/dead-letters")).status == 200
        assert is_problem(await read_reply(slow[0][0]), 408, "body-timed-out")
        for _, writer in slow:
            writer.close()


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key"])
async def test_a_trailer_is_never_a_header(ingress, name):
    head = ingress.head("POST", REQUEST, JSON | {"Transfer-Encoding": "chunked", name: None})
    trailer = {"Authorization": f"Bearer {ingress.key}", "Idempotency-Key": "k"}[name]
    reply = await ingress.raw(head + b"\r\n2\r\n{}\r\n0\r\n" + f"{name}: {trailer}\r\n\r\n".encode())
    assert reply.status == {"Authorization": 401, "Idempotency-Key": 400}[name]


@pytest.mark.parametrize("host", ["", "gateway", "gateway:8080", "[::1]:8080", "a.b-c_d"])
async def test_a_host_is_accepted(ingress, host):
    assert (await ingress.get("/openapi.json", Host=host)).status == 200


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
async def test_an_encoded_slash_does_not_separate_segments(ingress, slash):
    assert is_problem(await ingress.get(f"/v1{slash}events"), 404, "not-found")
    reply = await ingress.post(f"/v1/authorizations/auth_1{slash}handoffs")
    assert reply.status in {404, 405}
    reply = await ingress.post(f"/v1/authorizations/auth{slash}1/handoffs")
    assert is_problem(reply, 400, "invalid-parameter")


class TestHalfClose:
    async def test_a_half_closed_client_gets_its_answer_when_kafka_is_slow(self, ingress, kafka, eventually):
        kafka.is_silent = True
        request = ingress.head("POST", REQUEST, JSON | {"Content-Length": "2"}) + b"\r\n{}"
        reply = asyncio.create_task(ingress.raw(request, half_close=True))
        await eventually(lambda: kafka.unconfirmed)
        await asyncio.sleep(0.2)
        kafka.confirm()
        assert (await reply).status == 202

    async def test_an_incomplete_request_of_a_half_closed_client_ends(self, ingress, eventually):
        reader, writer = await ingress.open()
        writer.write(ingress.head("POST", REQUEST, JSON | {"Content-Length": "10"}) + b"\r\n{")
        writer.write_eof()
        assert await ends(reader)
        await eventually(lambda: ingress.metric("requests_in_flight") == 0)
        writer.close()

    async def test_the_stream_of_a_client_that_has_left_ends(self, ingress, eventually):
        reader, writer = await ingress.open()
        writer.write(ingress.head("GET", "/v1/events", {}) + b"\r\n")
        await reader.readuntil(b"connected\n\n")
        writer.write_eof()
        assert await ends(reader)
        await eventually(lambda: ingress.metric("streams") == 0)
        writer.close()
