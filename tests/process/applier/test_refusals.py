"""Refusals and errors of Collate: a retry, a wait, a rejection or a dead letter."""

import pytest

from adapters.collate.answers import Deferred, NotSent
from adapters.collate.client import CollateClient
from adapters.collate.operations import Operation, write_key
from adapters.http_connection.cause import Cause
from consumers.authorization.retry_policy import UNSENT_INTENT_SECONDS
from consumers.engine import RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType
from schemas.events.wait_reasons import HoldReason, WaitReason
from tests.process.key_queue import opened

CREATE = "/manual-handoffs$"


async def test_refused_credentials_pause_the_command_until_the_key_is_valid(make_queue, tmp_path, eventually):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=401, code="unauthorized", count=1)
    command = queue.send(HandoffRequest())
    result = await queue.invoke()
    assert result.reason is WaitReason.CREDENTIALS
    queue.sim.api.organizations["rotated"] = queue.sim.api.organizations["local-collate-key"]
    (tmp_path / "key").write_text("rotated")

    async def is_finished():
        return not isinstance(await queue.invoke(), RetryAt)

    await eventually(is_finished)
    assert queue.check(command).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 429, "code": "rate_limited"}, WaitReason.RATE_LIMITED),
        ({"status": 429, "code": "rate_limited", "retryAfter": "5"}, WaitReason.RATE_LIMITED),
        ({"status": 409, "code": "wait", "retryable": True}, WaitReason.BACKOFF),
        ({"status": 409, "code": "wait", "retryable": True, "retryAfter": "5"}, WaitReason.RETRY_AFTER),
        ({"status": 503, "shape": "html"}, WaitReason.BACKOFF),
    ],
    ids=str,
)
async def test_a_wait_has_the_reason_of_its_response(make_queue, fault, reason):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, when="before", count=1, **fault)
    command = queue.send(HandoffRequest())
    assert (await queue.invoke()).reason is reason
    await queue.drain()
    assert queue.check(command).effect == "ours"


async def test_a_request_that_never_left_gives_its_number_back(make_queue, monkeypatch):
    queue, sent = make_queue(), []

    async def unreachable_at_first(client, authorization_id, **request):
        sent.append(request["key"])
        if len(sent) in {2, 3}:
            queue.sim.advance(UNSENT_INTENT_SECONDS + 1.0)
            queue.sim.act(authorization_id, "edit")  # the number is used for another version
            return NotSent(Cause.REFUSED)
        return await create(client, authorization_id, **request)

    create = CollateClient.create_handoff
    monkeypatch.setattr(CollateClient, "create_handoff", unreachable_at_first)
    queue.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "edit"})
    command = await queue.apply(HandoffRequest())
    assert queue.check(command).effect == "ours"
    first, second = (write_key(command, Operation.CREATE_HANDOFF, n) for n in (1, 2))
    assert sent == [first, *[second] * (len(sent) - 1)]


@pytest.mark.parametrize(
    "stored",
    [
        {"status": 500, "code": "internal_error", "count": 1},
        {"status": 422, "code": "wait", "retryable": True, "count": 3},  # the simulated Collate stores no 4xx
    ],
)
async def test_a_stored_error_is_passed_with_the_next_n(make_queue, stored):
    queue = make_queue("stores_errors")
    queue.sim.fault("answer", method="POST", path=CREATE, **stored)
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    keys = [key for name, key in queue.collate.calls if name == "create_handoff"]
    assert len(keys) == 4
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    "nothing_sent", [Deferred(1.0, HoldReason.BREAKER), NotSent(Cause.REFUSED)], ids=["breaker", "refused"]
)
async def test_a_call_that_was_not_sent_says_nothing_about_a_stored_error(make_queue, monkeypatch, nothing_sent):
    """Else a breaker that a stored error keeps open would hide that the error is the same each time."""
    queue, calls = make_queue("stores_errors"), []

    async def every_other(client, authorization_id, **request):
        calls.append(request["key"])
        return nothing_sent if len(calls) % 2 == 0 else await create(client, authorization_id, **request)

    create = CollateClient.create_handoff
    monkeypatch.setattr(CollateClient, "create_handoff", every_other)
    queue.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error", count=1)
    command = queue.send(HandoffRequest())
    began = queue.now()
    await queue.drain()
    assert (queue.check(command).outcome, queue.check(command).effect) == ("applied", "ours")
    assert queue.now() < began + 60.0


@pytest.mark.parametrize("count", [1, 2])
async def test_a_write_that_a_lagging_replica_does_not_find_is_sent_again(make_queue, count):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=404, code="prior_authorization_not_found", count=count)
    command = await queue.apply(HandoffRequest())
    assert (queue.check(command).outcome, queue.check(command).effect) == ("applied", "ours")


async def test_an_outage_of_writes_uses_up_no_request(make_queue):
    queue = make_queue()
    asking = {"code": "unavailable", "retryAfter": "1", "retryable": True}
    queue.sim.fault("answer", method="POST", path=CREATE, status=503, when="before", **asking)
    began = queue.now()
    command = queue.send(HandoffRequest())
    while queue.now() < began + 600.0:
        queue.pass_until((await queue.invoke()).at)
    queue.sim.faults.clear()
    await queue.drain()
    assert (queue.check(command).outcome, queue.check(command).effect) == ("applied", "ours")


@pytest.mark.parametrize(("code", "status"), [("version_conflict", 409), ("locked", 423)])
async def test_a_refusal_that_requires_a_reread_obeys_retry_after(make_queue, code, status):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=status, code=code, retryAfter="30", count=1)
    command = queue.send(HandoffRequest())
    result = await queue.invoke()
    assert result.reason is WaitReason.RETRY_AFTER
    assert 29.0 < result.at - queue.now() < 34.0
    await queue.drain()
    assert queue.check(command).effect == "ours"


@pytest.mark.parametrize("operation", ["create_handoff", "close_handoff"])
async def test_a_conflict_names_the_version_below_which_no_read_is_believed(make_queue, close, operation):
    queue = make_queue("stale_replicas", readings={"stale_probability": 1.0})
    data = HandoffRequest() if operation == "create_handoff" else close(await opened(queue))
    queue.collate.calls.clear()
    queue.advance(10.0)
    queue.sim.fault("act", actor={"do": "edit"}, method="POST", count=1)
    command = await queue.apply(data)
    assert queue.check(command).effect == "ours"
    assert [name for name, _ in queue.collate.calls].count(operation) == 2, "the refused write and one more"


async def test_no_second_key_is_used_while_the_first_attempt_may_be_running(make_queue, hasty):
    queue = make_queue()
    queue.sim.fault("hang", method="POST", path=CREATE, when="before", count=1)
    command = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    busy = {"status": 409, "code": "idempotency_request_in_progress", "retryable": True}
    queue.sim.fault("answer", method="POST", path=CREATE, when="before", **busy)
    for _ in range(8):
        queue.pass_until((await queue.invoke()).at)
    queue.sim.faults.clear()
    await queue.drain()
    assert queue.check(command).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 1


async def test_a_retryable_not_found_is_read_again(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="GET", status=404, code="not_here_yet", retryable=True, count=3)
    command = await queue.apply(HandoffRequest())
    assert queue.check(command).effect == "ours"


@pytest.mark.parametrize(
    ("code", "status", "outcome", "reason"),
    [
        ("review_stale", 409, "rejected", "review_snapshot_stale"),
        ("requirements_not_satisfied", 409, "rejected", "requirements_not_satisfied"),
        ("manual_handoff_not_allowed", 409, "rejected", "not_allowed_by_collate"),
        ("prior_authorization_not_actionable", 409, "rejected", "not_allowed_by_collate"),
        ("never_heard_of", 409, "rejected", "not_allowed_by_collate"),
    ],
)
async def test_a_lasting_refusal_is_a_rejection(make_queue, code, status, outcome, reason):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=status, code=code)
    command = await queue.apply(HandoffRequest())
    ended = queue.check(command)
    assert (ended.outcome, ended.reason) == (outcome, reason)
    assert [name for name, _ in queue.collate.calls].count("create_handoff") <= 3


async def test_a_request_that_collate_cannot_read_is_dead_lettered(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "request_refused"
    assert dead_letter.intents[-1]["ended"] == "bad_request"


async def test_a_403_for_one_authorization_rejects_its_command_if_another_is_allowed(make_queue):
    queue = make_queue()
    other = make_queue()
    other.send(HandoffRequest())
    await other.drain()
    queue.sim.fault("answer", path=queue.authorization_id, status=403, code="forbidden")
    command = await queue.apply(HandoffRequest())
    assert queue.check(command).reason == "forbidden"


async def test_a_key_conflict_at_collate_takes_the_next_key(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=409, code="idempotency_key_reused", count=1)
    command = await queue.apply(HandoffRequest())
    assert queue.check(command).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 2


async def test_a_request_waits_while_the_last_handoff_is_closing_and_publishes_the_reason(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 40.0})
    handoff = await opened(queue)
    await queue.apply(close(handoff))
    command = await queue.apply(HandoffRequest())
    # Rarely the closing ends between the two calls of a try; the authorization's read is stale then.
    assert {wait.reason for wait in queue.waits} - {WaitReason.STALE_READ} == {WaitReason.CLOSING}
    waiting, *_ = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.reason, waiting.data.command_id) == ("closing", command)
    assert waiting.data.advice == WaitReason.CLOSING.advice
    assert queue.check(command).outcome == "rejected"


async def test_a_stale_read_is_never_decided_on(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 0.0})
    handoff = await opened(queue)
    queue.sim.change(stale_probability=0.7, stale_seconds=30.0)
    command = queue.send(close(handoff))
    again = await queue.apply(HandoffRequest())
    assert queue.check(command).outcome == "applied"
    assert queue.check(again).outcome in {"rejected", "applied"}
    assert len(queue.events(EventType.HANDOFF_CLOSED)) <= 1


async def with_a_lost_response(queue, when):
    """Send a create whose response is lost after, or before, its effect; return the command."""
    queue.sim.fault("reset", method="POST", path=CREATE, when=when, count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    assert len(queue.effects_of(command)) == (when == "after")
    return command


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_forbidden_read_does_not_reject_a_write_that_may_have_been_applied(make_queue, when):
    queue, other = make_queue(), make_queue()
    command = await with_a_lost_response(queue, when)
    other.send(HandoffRequest())
    await other.drain()
    queue.sim.fault("answer", path=queue.authorization_id, status=403, code="forbidden")
    await queue.drain()
    assert queue.check(command) is None
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.cause, dead_letter.intents[-1]["maybe"]["version"]) == ("forbidden", 3)


async def test_a_refusal_of_every_resend_does_not_reject_a_write_that_may_have_been_applied(make_queue):
    queue = make_queue()
    command = await with_a_lost_response(queue, "before")
    queue.sim.fault("answer", method="POST", path=CREATE, status=409, code="never_heard_of")
    await queue.drain()
    assert queue.check(command) is None
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["request_refused"]


@pytest.mark.parametrize(
    ("status", "code"), [(409, "review_stale"), (403, "forbidden"), (400, "bad_request"), (409, "validation_failed")]
)
async def test_a_lasting_refusal_of_a_resend_is_no_verdict_on_the_first_attempt(make_queue, status, code):
    queue, other = make_queue(), make_queue()
    command = await with_a_lost_response(queue, "after")
    other.send(HandoffRequest())
    await other.drain()
    path = f"{queue.authorization_id}{CREATE}"
    queue.sim.fault("answer", method="POST", path=path, status=status, code=code, count=1)
    await queue.drain()
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "inferred")
