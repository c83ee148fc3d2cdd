"""Other actors change the authorization between our read and our write, or before our resend."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType
from tests.process.key_queue import PROFILES, contract, opened

CREATE = "/manual-handoffs$"
CLOSE = "/complete$"


@pytest.mark.parametrize("profile", PROFILES[:5])
async def test_another_actor_moves_the_version_between_read_and_write(make_queue, profile):
    queue = make_queue(profile)
    queue.sim.fault("act", method="POST", path=CREATE, count=2, actor={"do": "edit"})
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 3


async def test_another_actor_opens_a_handoff_between_read_and_write(make_queue):
    queue = make_queue()
    queue.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "open_handoff"})
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert (event.data.handoff_id, event.causation_id) == (outcome.handoff_id, None)


async def test_another_actor_opens_a_handoff_before_our_resend(make_queue):
    queue = make_queue()
    queue.sim.fault("reset", method="POST", path=CREATE, when="before", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    assert queue.sim.act(queue.authorization_id, do="open_handoff") is None
    await queue.drain()
    outcome = queue.check(command)
    # No read distinguishes the handoff from ours, so the outcome only says that it is open.
    assert (outcome.outcome, outcome.effect, outcome.reason) == ("applied", "inferred", None)
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert (event.data.handoff_id, event.data.effect) == (outcome.handoff_id, "inferred")


async def test_an_inferred_opening_names_its_command_and_its_people(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = await queue.apply(HandoffRequest(requested_by="jo", metadata={"case": "42"}), caller="desk")
    assert queue.check(command).effect == "inferred"
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert (event.causation_id, event.data.effect, event.data.metadata) == (command, "inferred", {"case": "42"})
    assert (event.data.caller, event.data.requested_by, event.data.asserted_by) == ("desk", "jo", "caller")
    assert queue.public_record().active_handoff.requested_by == "jo"


async def opened_with_a_lost_response(queue, *actions):
    """Lose the response to our create, then let other actors act; return our command."""
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    for action in actions:
        assert queue.sim.act(queue.authorization_id, **action) is None
        queue.sim.advance(1)
    return command


REVOKE = {"do": "revoke", "reason": "theirs"}


async def test_an_opening_that_may_have_been_replaced_is_inferred_without_a_handoff_id(make_queue):
    queue = make_queue(readings={"check_order": "if_match_first", "closing_seconds": 0.0})
    command = await opened_with_a_lost_response(queue, REVOKE, {"do": "open_handoff"})
    await queue.drain()
    assert len(queue.effects_of(command)) == 1
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect, outcome.handoff_id) == ("applied", "inferred", None)
    assert outcome.reason == "opening_not_identified"
    assert queue.decoded_state().active.opener is None, "another actor may have opened the handoff"


async def test_an_opening_that_another_actor_closed_is_dead_lettered(make_queue):
    queue = make_queue(readings={"check_order": "if_match_first", "closing_seconds": 20.0})
    command = await opened_with_a_lost_response(queue, REVOKE)
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.command_id, dead_letter.cause) == (command, "outcome_unknown")


@pytest.mark.parametrize(("raises", "decided"), [(True, True), (False, False)])
@pytest.mark.parametrize("profile", PROFILES[:3])
async def test_one_change_after_a_lost_create_decides_it_if_handoffs_raise_the_version(
    make_queue, hasty, profile, raises, decided
):
    queue = make_queue(profile, readings={"check_order": "if_match_first"})
    queue.contract = contract(handoffs_raise_version=raises)
    queue.restart()
    holding = queue.sim.fault("hold", method="POST", path=CREATE, when="before", count=1)
    command = queue.send(HandoffRequest())
    while not holding.struck:
        assert isinstance(await queue.invoke(), RetryAt)
    assert queue.sim.act(queue.authorization_id, do="edit") is None
    await queue.drain()
    assert (queue.check(command) is not None) == decided
    assert len(queue.effects_of(command)) == decided
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["outcome_unknown"] * (not decided)


@pytest.mark.parametrize("readings", [{"closing_seconds": 0.0}, {"closing_seconds": 20.0}], ids=str)
async def test_an_opening_and_its_end_are_never_taken_for_one_change(make_queue, readings):
    queue = make_queue(readings={"check_order": "if_match_first", "reconcile_seconds": None, **readings})
    queue.contract = contract(handoffs_raise_version=True)
    queue.restart()
    command = await opened_with_a_lost_response(queue, REVOKE)
    await queue.drain()
    assert len(queue.effects_of(command)) == 1
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["outcome_unknown"]


async def test_another_actor_closes_between_read_and_write(make_queue, close):
    queue = make_queue()
    handoff = await opened(queue)
    queue.sim.fault(
        "act", method="POST", path=CLOSE, count=1, actor={"do": "complete", "reportedOutcome": "decision_observed"}
    )
    command = await queue.apply(close(handoff))
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.reason) == ("rejected", "handoff_reported_completed")
    (event,) = queue.events(EventType.HANDOFF_CLOSED)
    assert (event.data.by, event.data.reported) == ("other", None)
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "undetermined"


async def test_an_older_handoff_in_the_response_to_our_create_is_not_ours(make_queue):
    queue = make_queue(readings={"check_order": "active_first"}, state="handoff_active")
    queue.sim.advance(600)
    hidden = queue.sim.fault(
        "rewrite", method="GET", path=f"/{queue.authorization_id}$", count=1, overlay={"activeManualHandoff": None}
    )
    command = await queue.apply(HandoffRequest())
    assert hidden.struck == 1
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")


@pytest.mark.parametrize("replayed", [{}, {"state": "closed", "result": "completed_reported"}], ids=["open", "closed"])
async def test_a_handoff_that_has_ended_is_not_the_one_that_our_create_opened(make_queue, close, replayed):
    queue = make_queue(truth="nothing")
    ended = await opened(queue)
    await queue.apply(close(ended))
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    replay = queue.sim.fault("rewrite", method="POST", path=CREATE, count=1, overlay={"id": ended} | replayed)
    command = await queue.apply(HandoffRequest())
    assert replay.struck == 1
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "inferred")
    assert outcome.handoff_id not in {None, ended}


@pytest.mark.parametrize("state", ["closing", "closed"])
async def test_a_create_that_returns_a_handoff_which_is_over_is_not_ours(make_queue, state):
    queue = make_queue()
    queue.sim.fault("rewrite", method="POST", path=CREATE, count=1, overlay={"state": state})
    command = await queue.apply(HandoffRequest())
    assert (queue.check(command).outcome, queue.check(command).effect) == ("applied", "inferred")


async def test_a_payer_truth_that_contradicts_the_report_is_published(make_queue, close):
    queue = make_queue(truth="nothing")
    handoff = await opened(queue)
    await queue.apply(close(handoff))
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert (reconciled.data.reported, reconciled.data.agreement) == ("submitted", "contradicts")
    assert len(queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)) == 2
