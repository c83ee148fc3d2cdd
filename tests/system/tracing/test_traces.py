"""Traces over real OTLP/HTTP: one tree from the request to the event, and links where work is taken up again."""

import secrets

import httpx
import pytest

from local.event_listener import listening
from runtime.tracing.attributes import ALLOWED_ATTRIBUTES
from tests.system.collector import collecting
from tests.system.records import everything_in

CREATE = "/manual-handoffs$"
TRACE, PARENT = secrets.token_hex(16), secrets.token_hex(8)
OPERATORS_TRACE = secrets.token_hex(16)


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
async def traced(install, kafka, collector):
    return await install(kafka, settings={"GATEWAY_TRACES__ENDPOINT": collector.url})


def asking(installation, trace, parent=PARENT, **headers):
    return {
        "Authorization": f"Bearer {installation.caller_key}",
        "Idempotency-Key": "one",
        "Traceparent": f"00-{trace}-{parent}-01",
        "Tracestate": "vendor=must-not-travel",
    } | headers


@pytest.fixture
async def processes(traced, start):
    return await start(traced, "ingress"), await start(traced, "worker")


async def test_a_command_is_one_trace_from_its_caller_to_its_event(traced, processes, kafka, collate, collector):
    ingress, worker = processes
    (authorization,) = collate.create()
    # The first write is answered 503 and sent again; then it is refused each time, so a person has to redrive it.
    collate.fault("answer", method="POST", path=CREATE, when="before", status=503, count=1)
    collate.fault("answer", method="POST", path=CREATE, when="before", status=400, code="bad_request", skip=1)
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, traced.prefix) as listener:
        answer = await http.post(
            f"{ingress.url}/v1/authorizations/{authorization}/handoffs", json={}, headers=asking(traced, TRACE)
        )
        command = answer.json()["commandId"]
        await listener.wait_for("command.dead_lettered", 30, commandId=command)
        collate.faults.clear()
        redrive = f"{ingress.url}/v1/dead-letters/{command}/redrive"
        asked = {"operator": "op-7", "reason": "collate_recovered", "redrive": 0}
        while (
            decided := await http.post(redrive, json=asked, headers=asking(traced, OPERATORS_TRACE, Prefer="wait=20"))
        ).status_code == 404:
            continue  # the letter has not come by here yet
        assert decided.status_code == 200, decided.text
        assert decided.json()["outcome"] == "applied"
    assert [ingress.stop(), worker.stop()] == [0, 0]

    assert set(collector.paths) == {"/v1/traces"}
    (request,) = [span for span in collector.spans if span.parent == PARENT and span.trace == TRACE]
    assert (request.service, request.kind) == ("collate-gateway-ingress", "SERVER")
    assert request.name == "POST /v1/authorizations/{authorizationId}/handoffs"
    assert request.facts["gateway.command_id"] == command
    assert request.facts["http.response.status_code"] == 202
    (published,) = collector.children_of(request)
    assert (published.name, published.kind) == ("send commands", "PRODUCER")
    first, *later = collector.children_of(published)
    assert {span.service for span in (first, *later)} == {"collate-gateway-worker"}
    assert all((span.name, span.kind) == ("process commands", "CONSUMER") for span in (first, *later))
    # Every further turn on the record links to the one before it.
    turns = [first, *later]
    assert len(turns) > 1
    assert first.links == []
    assert [turn.links for turn in later] == [[(before.trace, before.id)] for before in turns[:-1]]
    assert [turn.facts["gateway.tries"] for turn in turns] == list(range(len(turns)))
    calls = [span for turn in turns for span in collector.children_of(turn) if span.kind == "CLIENT"]
    writes = [
        (span.facts["gateway.result"], span.facts["http.response.status_code"])
        for span in calls
        if span.name == "collate create"
    ]
    assert writes[0] == ("ambiguous", 503)
    assert set(writes[1:]) == {("refused", 400)}
    assert calls[0].name == "collate get-authorization"

    again = [span for span in collector.spans if span.trace == OPERATORS_TRACE and span.kind == "SERVER"][-1]
    assert again.links == [(TRACE, published.id)], "a redrive links to what it takes up again"
    (asked,) = collector.children_of(again)
    (finished,) = collector.children_of(asked)
    assert finished.facts["gateway.redrive"] == "1"
    (event,) = [
        span
        for span in collector.children_of(finished)
        if span.facts.get("gateway.event") == "collate-gateway.command.finished.v1"
    ]
    topics = await everything_in(kafka, traced.prefix)
    carried = {dict(one.headers).get("traceparent") for one in topics["events"]}
    assert f"00-{OPERATORS_TRACE}-{event.id}-01".encode() in carried
    assert {bytes(one)[3:35] for one in carried if one is not None} == {TRACE.encode(), OPERATORS_TRACE.encode()}

    says_nothing_else(collector)


def says_nothing_else(collector):
    assert {name for span in collector.spans for name in span.facts} <= ALLOWED_ATTRIBUTES
    assert b"must-not-travel" not in b"".join(collector.raw)
    assert not [span for span in collector.spans if span.span.events or span.span.status.message]
