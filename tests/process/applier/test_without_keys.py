"""A Collate that refuses Idempotency-Key on handoff calls (docs/collate-contract.md §10b): If-Match alone protects."""

import pytest

from schemas.commands import Completed, HandoffClose, HandoffRequest, Revoked, UnableToComplete
from schemas.enums import ReportedOutcome

CREATE, CLOSE = "/manual-handoffs$", "/(complete|unable-to-complete|revoke)$"
RESULTS = [Completed(reported_outcome=ReportedOutcome.SUBMITTED), UnableToComplete(reason="other"), Revoked(reason="r")]
LOST = [
    {"do": "reset", "when": "after"},
    {"do": "reset", "when": "before"},
    {"do": "answer", "when": "after", "status": 500, "code": "internal_error"},
    None,  # the write arrives late
]
READINGS = [
    {},
    {"create_bumps_version": False},
    {"check_order": "active_first"},
    {"closing_seconds": 0.0},
    {"create_while_active": "conflict"},
    {"status_while_active": "processing"},
]


@pytest.fixture
def collate_settings(request):
    return {"send_idempotency_key": getattr(request, "param", "none")}


def effects(queue, kind):
    """The effects at Collate of the gateway's calls, which have no key to find them by."""
    return [effect for _, effect in queue.sim.ledger.effects if effect.kind == kind and effect.cause.by == "client"]


async def opened(queue):
    command = await queue.apply(HandoffRequest())
    outcome = queue.finished_of(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    return outcome.handoff_id


@pytest.mark.parametrize("collate_settings", ["all", "create_only"], indirect=True)
async def test_a_setting_that_sends_keys_ends_in_dead_letters(make_queue):
    queue = make_queue("v3_refuses_keys")
    await queue.apply(HandoffRequest())
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["request_refused"]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.type)
async def test_without_keys_a_handoff_opens_and_closes(make_queue, result):
    queue = make_queue("v3_refuses_keys")
    command = await queue.apply(HandoffClose(handoff_id=await opened(queue), result=result))
    outcome = queue.finished_of(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert len(effects(queue, "handoff_opened")) == len(effects(queue, "handoff_closing")) == 1


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("fault", LOST, ids=str)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_without_keys_a_lost_response_has_one_effect(make_queue, apply_late, reading, fault, operation):
    queue = make_queue("v3_refuses_keys", readings=reading)
    data = HandoffRequest()
    if operation == "close":
        data = HandoffClose(handoff_id=await opened(queue), result=RESULTS[0])
    path = CLOSE if operation == "close" else CREATE
    if fault is None:
        command = await apply_late(queue, data, path=path)
    else:
        queue.sim.fault(method="POST", path=path, count=1, **fault)
        command = await queue.apply(data)
    assert queue.finished_of(command).outcome == "applied"
    assert len(effects(queue, "handoff_opened")) == 1
    assert len(effects(queue, "handoff_closing")) == (operation == "close")
