"""Malformed, oversized and slow requests get a problem with advice, and nothing reaches Kafka."""

import asyncio
import json
from urllib.parse import quote

import pytest

from gateway.ingress.auth.callers import new_key

from .conftest import read_reply

REQUEST = "/v1/authorizations/auth_1/handoffs"
CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"


@pytest.fixture
def accepts_commands():
    """Marks a test whose commands may reach Kafka."""


@pytest.fixture(autouse=True)
async def nothing_reaches_kafka(kafka, request):
    yield
    if "accepts_commands" not in request.fixturenames:
        assert kafka.commands == []


def is_problem(reply, status, slug):
    assert (reply.status, reply.json.get("type")) == (status, f"urn:collate-gateway:problem:{slug}")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["detail"]
    return True


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"{", 400, "malformed-json"),
        (b"[]", 400, "malformed-json"),
        (b'{"metadata": {}, "metadata": {}}', 400, "malformed-json"),
        (b'{"metadata": NaN}', 400, "malformed-json"),
        (b'{"metadata": 1e999}', 422, "invalid-command"),
        (b'{"metadata": ' + b"9" * 5_000 + b"}", 400, "malformed-json"),
        (b'{"metadata": {"a": "\\ud800"}}', 400, "malformed-json"),
        (b'{"metadata": {"a": "\\u0000"}}', 422, "invalid-command"),
        (b'{"a": ' * 3_000, 400, "malformed-json"),
        (b"\xff\xfe", 400, "malformed-json"),
        (b'{"expiresAt": "tomorrow"}', 422, "invalid-command"),
        (b'{"expiresAt": 1700000000}', 422, "invalid-command"),
        (b'{"acceptedReviewSnapshotId": ""}', 422, "invalid-command"),
        (b'{"accepted_review_snapshot_id": "rev_1"}', 422, "invalid-command"),
        (b'{"unknown": 1}', 422, "invalid-command"),
        (b'{"metadata": {"a": "free text"}}', 422, "invalid-command"),
        (json.dumps({"metadata": {str(number): "x" for number in range(17)}}).encode(), 422, "invalid-command"),
    ],
)
async def test_a_body_that_is_no_command_is_rejected(ingress, body, status, slug):
    assert is_problem(await ingress.post(REQUEST, body), status, slug)


@pytest.mark.parametrize(
    ("result", "pointers"),
    [
        ({}, ["/result/type"]),
        ({"type": "unknown"}, ["/result/type"]),
        ({"type": "completed"}, ["/result/reportedOutcome"]),
        ({"type": "completed", "reportedOutcome": "won"}, ["/result/reportedOutcome"]),
        ({"type": "revoked"}, ["/result/reason"]),
        (
            {"type": "unable_to_complete", "reason": "A b", "operatorNotes": "x" * 4_001},
            ["/result/reason", "/result/operatorNotes"],
        ),
        ({"type": "revoked", "reason": "x", "notes": "\x00"}, ["/result/notes"]),
        ({"type": "revoked", "reason": "\x9b31m", "notes": "\u202e"}, ["/result/reason", "/result/notes"]),
    ],
)
async def test_every_invalid_field_has_a_pointer(ingress, result, pointers):
    reply = await ingress.post(CLOSE, {"result": result})
    assert is_problem(reply, 422, "invalid-command")
    assert [fault["pointer"] for fault in reply.json["errors"]] == pointers


async def test_no_problem_quotes_the_request(ingress):
    planted = "Jane-Doe-MRN-4711"
    bodies = [
        {"result": {"type": planted}},
        {"result": {"type": "revoked", "reason": planted, planted + " is here": 1}},
        {"result": planted},
        {"expiresAt": planted, "metadata": {planted + " !": planted}},
        planted,
    ]
    for body in bodies:
        reply = await ingress.post(CLOSE, json.dumps(body).encode())
        assert reply.status in {400, 422}
        assert planted not in reply.body.decode()
    for reply in [
        await ingress.get(f"/v1/{planted}"),
        await ingress.post(f"/v1/authorizations/{planted}%20/handoffs"),
        await ingress.post(REQUEST, key=f'"{planted}'),
        await ingress.post(REQUEST, b"{}", Content_Type=planted),
        await ingress.get(f"/v1/events?type={planted}"),
        await ingress.get("/v1/events", Last_Event_ID=planted),
    ]:
        assert 400 <= reply.status < 500
        assert planted not in reply.body.decode()


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "multipart/form-data",
    ],
)
async def test_another_media_type_or_charset_is_rejected(ingress, content_type):
    assert is_problem(await ingress.post(REQUEST, b"{}", Content_Type=content_type), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"']
)
@pytest.mark.usefixtures("accepts_commands")
async def test_any_spelling_of_the_json_media_type_is_accepted(ingress, content_type):
    assert (await ingress.post(REQUEST, b"{}", Content_Type=content_type)).status == 202


async def test_the_caller_is_checked_before_the_body(ingress):
    head = ingress.head("POST", REQUEST, {"Content-Length": "1000000", "Idempotency-Key": "k", "Authorization": "x"})
    assert is_problem(await ingress.raw(head + b"\r\n"), 401, "unauthenticated")


async def test_a_body_of_exactly_the_limit_is_read(ingress):
    reply = await ingress.post(REQUEST, b'{"unknown": "' + b"x" * (65_536 - 15) + b'"}')
    assert is_problem(reply, 422, "invalid-command")


async def test_a_client_that_disconnects_in_its_body_frees_its_slot(ingress, eventually):
    reader, writer = await ingress.open()
    writer.write(ingress.head("POST", REQUEST, {"Content-Length": "10", "Idempotency-Key": "k"}) + b"\r\n{")
    await writer.drain()
    writer.close()
    await eventually(lambda: ingress.metric("requests_in_flight") == 0)
    del reader


@pytest.mark.parametrize(
    "path",
    [
        "/v1/authorizations/%20/handoffs",
        "/v1/authorizations/a%00b/handoffs",
        "/v1/authorizations/" + "a" * 129 + "/handoffs",
        "/v1/authorizations/..%2F/handoffs",
        "/v1/authorizations/auth_1/handoffs/..%2F/close",
    ],
)
async def test_a_malformed_id_is_rejected(ingress, path):
    reply = await ingress.post(path)
    assert reply.status in {400, 404}


async def test_an_unknown_path_is_404_and_another_method_405(ingress):
    assert is_problem(await ingress.get("/v1/unknown"), 404, "not-found")
    reply = await ingress.get(REQUEST)
    assert is_problem(reply, 405, "method-not-allowed")
    assert reply.headers["allow"] == "POST"
    both = await ingress.call("DELETE", "/v1/commands")
    assert (both.status, both.headers["allow"]) == (405, "GET, HEAD, POST")
    assert is_problem(await ingress.call("DELETE", "/v1/events"), 405, "method-not-allowed")
    for method in ("GET", "PUT"):
        reply = await ingress.call(method, "/v1/dead-letters/decisions")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


async def test_a_key_is_required(ingress):
    reply = await ingress.call("POST", REQUEST)
    assert is_problem(reply, 400, "idempotency-key-missing")


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Idempotency-Key", "Host"])
async def test_a_repeated_single_header_is_rejected(ingress, name):
    head = ingress.head(
        "POST", REQUEST, {"Idempotency-Key": "k", "Content-Type": "application/json", "Content-Length": "2"}
    )
    reply = await ingress.raw(head + f"{name}: again\r\n\r\n{{}}".encode())
    assert is_problem(reply, 400, "invalid-header")
    assert reply.json["errors"] == [{"header": name.lower(), "detail": "to be given once"}]


async def test_the_request_id_of_a_malformed_head_is_in_response_and_log(lines, ingress):
    reply = await ingress.raw(b"NONSENSE\r\n\r\n")
    (line,) = [line for line in lines() if line["event"] == "ingress.request_completed"]
    assert reply.headers["x-request-id"] == reply.json["requestId"] == line["request_id"]


@pytest.mark.usefixtures("accepts_commands")
async def test_an_upgrade_is_served_as_http_1_1(ingress):
    reply = await ingress.post(REQUEST, Connection="Upgrade, HTTP2-Settings", Upgrade="h2c")
    assert reply.status == 202


async def test_every_response_has_a_request_id_and_the_security_headers(ingress):
    for reply in (
        await ingress.get("/openapi.json"),
        await ingress.get("/v1/unknown"),
        await ingress.call("POST", REQUEST),
        await ingress.raw(b"NONSENSE\r\n\r\n"),
        await ingress.raw(b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n\r\n"),
        await ingress.raw(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 65 + b"\r\n"),
    ):
        assert len(reply.headers["x-request-id"]) == 16
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("given", "is_taken"), [("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False)]
)
async def test_a_well_formed_request_id_is_adopted(ingress, given, is_taken):
    reply = await ingress.get("/v1/unknown", X_Request_Id=given)
    assert (reply.headers["x-request-id"] == given) == is_taken
    assert reply.json["requestId"] == reply.headers["x-request-id"]


class TestOverload:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "3"}

    @pytest.mark.usefixtures("accepts_commands")
    async def test_a_request_above_the_limit_is_rejected_immediately(self, ingress, kafka, eventually):
        kafka.is_silent, ingress.components.publisher._max_in_flight = True, 1
        first = asyncio.create_task(ingress.post(REQUEST, key="k-1"))
        await eventually(lambda: kafka.commands)
        second = await ingress.post(REQUEST, key="k-2")
        assert is_problem(second, 503, "overloaded")
        assert second.json["kept"] == "no"
        assert second.headers["retry-after"]
        assert ingress.metric("shed_total", reason="publishes") == 1
        kafka.confirm()
        assert (await first).status == 202


@pytest.fixture
def other(ingress):
    """The key of another caller."""
    key = new_key()
    caller = f'[[caller]]\nname = "other"\npermissions = ["handoff:request", "authorization:review"]\n{key.entry}'
    ingress.add_callers(caller)
    return key.key


class TestCallersInFlight:
    """Slow bodies, or calls to a Collate that hangs, keep requests in flight for seconds."""

    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "8"}

    @pytest.mark.usefixtures("accepts_commands")
    async def test_one_caller_has_at_most_half_of_the_places(self, ingress, kafka, other, eventually):
        kafka.is_silent = True
        slow = [await begin(ingress, key=f"k-{number}") for number in range(10)]
        await eventually(lambda: ingress.metric("shed_total", reason="caller_in_flight") == 6)
        assert ingress.metric("requests_in_flight") == 4
        refused = await ingress.get("/v1/dead-letters")
        assert is_problem(refused, 429, "too-many-in-flight")
        assert refused.headers["retry-after"] == "1"
        kafka.is_silent = False
        own, ingress.key = ingress.key, other
        assert (await ingress.post(REQUEST)).status == 202
        kafka.confirm()
        for _, writer in slow:
            writer.close()
        await eventually(lambda: ingress.metric("requests_in_flight") == 0)
        ingress.key = own
        replies = [await ingress.get("/v1/dead-letters") for _ in range(10)]
        assert {reply.status for reply in replies} == {200}, "a place is free again, whether or not a response was sent"

    @pytest.mark.usefixtures("accepts_commands")
    async def test_a_caller_at_its_bound_ends_its_slowest_unfinished_body(self, ingress, other, eventually):
        slow = []
        for number in range(4):
            slow.append(await begin(ingress, unfinished=True))
            await eventually(lambda number=number: ingress.metric("requests_in_flight") == number + 1)
        own, ingress.key = ingress.key, other
        others = await begin(ingress, unfinished=True)
        await eventually(lambda: ingress.metric("requests_in_flight") == 5)
        ingress.key = own
        assert (await ingress.post(REQUEST)).status == 202
        assert is_problem(await read_reply(slow[0][0]), 408, "body-timed-out")
        slow[0][1].close()
        await eventually(lambda: ingress.metric("requests_in_flight") == 4)
        for reader, writer in [*slow[1:], others]:
            writer.write(b" " * 8 + b"}")
            assert (await read_reply(reader)).status == 202
            writer.close()
        await eventually(lambda: ingress.metric("requests_in_flight") == 0)

    @pytest.mark.usefixtures("accepts_commands")
    async def test_a_full_server_ends_the_slowest_unfinished_body_of_all_callers(self, ingress, other, eventually):
        slow, own = [], ingress.key
        for number in range(8):
            ingress.key = (own, other)[number % 2]
            slow.append(await begin(ingress, unfinished=True))
            await eventually(lambda number=number: ingress.metric("requests_in_flight") == number + 1)
        assert (await ingress.get("/openapi.json")).status == 200, "not even a stranger meets a full server"
        assert is_problem(await read_reply(slow[0][0]), 408, "body-timed-out")
        assert ingress.metric("shed_total", reason="slow_bodies") == 1
        for _, writer in slow:
            writer.close()


async def begin(ingress, key="k", *, unfinished=False):
    """Send a request, or its head and one byte of its body."""
    reader, writer = await ingress.open()
    headers = {"Idempotency-Key": key, "Content-Type": "application/json", "Content-Length": "10"}
    writer.write(ingress.head("POST", REQUEST, headers) + b"\r\n{" + (b"" if unfinished else b" " * 8 + b"}"))
    return reader, writer


@pytest.mark.usefixtures("accepts_commands")
async def test_slow_live_calls_of_one_caller_do_not_take_those_of_another(ingress, collate, other, eventually):
    slow, quick = collate.create("handoff_active", count=2, review_backed=True)
    path = "/v1/authorizations/{}/review-snapshot"
    while len(collate.ledger.calls) < 30:  # the budget begins with one call at a time
        await asyncio.gather(*(ingress.get(path.format(quick)) for _ in range(10)))
    hanging = collate.fault("hang", method="GET", path=slow)
    reads = [asyncio.create_task(ingress.get(path.format(slow))) for _ in range(30)]
    await eventually(lambda: hanging.struck)
    ingress.key = other
    assert (await ingress.get(path.format(quick))).status == 200
    for read in reads:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)


# Lines of JSON: the developer's console would draw a traceback with all locals, a second of processor time.
@pytest.mark.usefixtures("lines")
async def test_an_unexpected_exception_is_500_without_its_text(ingress, monkeypatch):
    def fails(*_):
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(ingress.components.access, "admit", fails)
    reply = await ingress.post(REQUEST)
    assert is_problem(reply, 500, "broken")
    assert "Jane" not in reply.body.decode()
    assert "Traceback" not in reply.body.decode()


@pytest.mark.parametrize("character", ["\x9b", "\u202e"])
async def test_an_operators_name_has_no_character_that_deceives_a_terminal(ingress, character):
    name = f"op{character}7"
    reply = await ingress.post(CLOSE.replace("close", "access-grants"), {"operator": name})
    assert is_problem(reply, 422, "invalid-command")
    assert [fault["pointer"] for fault in reply.json["errors"]] == ["/operator"]
    reply = await ingress.get(f"/v1/dead-letters?caller={quote(name)}")
    assert is_problem(reply, 400, "invalid-parameter")
