"""The bound of a caller's unknown authorizations (decision 0028): refused at the ingress, whatever the command."""

from dataclasses import replace

import pytest

from gateway.ingress.commands.idempotency import Replays
from tests.process.ingress.test_batches import event, send, slugs
from tests.process.ingress.test_commands import SUBMITTED, finished

CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"
SLUG = "too-many-unknown-authorizations"


@pytest.fixture
def settings_of():
    """One partition, and one caller: it may name two unknown authorizations in a day."""
    return {"GATEWAY_TOPICS__PARTITIONS": "1", "GATEWAY_INGRESS__MAX_UNKNOWN_AUTHORIZATIONS": "2"}


def is_refused(reply):
    return reply.status == 429 and reply.json["type"].endswith(SLUG) and 0 < int(reply.headers["retry-after"]) <= 600


def end(kafka, command_id, number):
    done = finished(command_id)
    kafka.publish(replace(done, data=done.data.model_copy(update={"unknown_authorizations": number})))


async def fill(ingress, kafka, eventually, unfinished=0):
    """Let two commands of unknown authorizations end; return the id of the first."""
    first = (await ingress.post("/v1/authorizations/made_up/handoffs", key="k-1")).json["commandId"]
    second = (await ingress.post("/v1/authorizations/made_up/handoffs", key="k-2")).json["commandId"]
    end(kafka, first, 1)
    end(kafka, second, 2)
    await eventually(lambda: ingress.metric("unfinished_commands") == unfinished)
    return first


async def test_every_command_of_a_caller_at_its_bound_gets_429(ingress, kafka, eventually):
    await fill(ingress, kafka, eventually)
    assert is_refused(await ingress.post("/v1/authorizations/auth_1/handoffs", key="k-3"))
    assert is_refused(await ingress.post("/v1/authorizations/auth_1/watch", key="k-4"))
    assert is_refused(await ingress.post(CLOSE, SUBMITTED, key="k-5"))
    reply = await send(ingress, [event(1), event(2), event(10, subject="auth_1")])
    assert slugs(reply) == [SLUG, SLUG, "unavailable"]
    assert ingress.metric("batch_events_total", result="unknown") == 2
    assert is_refused(
        await ingress.call("POST", "/v1/commands", event(6), {"content-type": "application/cloudevents+json"})
    )
    assert len(kafka.commands) == 2
    assert ingress.metric("unfinished_commands") == 0, "a refused command takes no place"
    assert ingress.metric("shed_total", reason="unknown") == 6


async def test_a_repeat_that_the_process_knows_is_never_refused(ingress, kafka, eventually, monkeypatch):
    """A 429 would tell the caller that a command which may be applied was not accepted."""
    kafka.is_silent = True
    ingress.components.publisher._deadline_seconds = 0.05
    assert (await ingress.post("/v1/authorizations/auth_1/watch", key="k-9")).json["kept"] == "unknown"
    kafka.is_silent = False
    first = await fill(ingress, kafka, eventually, unfinished=1)
    again = await ingress.post("/v1/authorizations/made_up/handoffs", key="k-1")
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    monkeypatch.setattr(Replays, "recall", lambda *_: None)  # as after a restart, or at another process
    waited = await ingress.post("/v1/authorizations/made_up/handoffs", key="k-1", prefer="wait=5")
    assert (waited.status, waited.json["commandId"]) == (200, first), "its outcome is known"
    assert (await ingress.post("/v1/authorizations/auth_1/watch", key="k-9")).status == 202, "the first may be stored"
    assert is_refused(await ingress.post("/v1/authorizations/auth_1/watch", key="k-10"))
