"""A Collate that honours neither key nor If-Match: double effects are detected, and no effect is called ours."""

from schemas.commands import HandoffRequest
from tests.measured import value_of
from tests.process.key_queue import contract

CREATE = "/manual-handoffs$"


async def test_a_double_effect_is_counted(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = await queue.apply(HandoffRequest())
    assert len(queue.effects_of(command)) == 2, "the simulated Collate must honour neither key nor If-Match here"
    assert queue.finished_of(command).effect == "inferred"
    assert value_of(queue.metrics.commands.double_effects) == 1


async def test_a_resent_create_without_a_successful_read_is_not_ours(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    queue.sim.fault("answer", method="GET", status=500, code="internal_error", count=2)
    await queue.drain()
    assert queue.finished_of(command).effect == "inferred"
    assert value_of(queue.metrics.commands.double_effects) == 1, "two reads failed, the third showed it"

    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    queue.sim.fault("answer", method="GET", status=500, code="internal_error")
    await queue.drain()
    assert queue.finished_of(command).effect == "inferred"


async def test_several_unanswered_openings_are_counted_as_a_double_effect(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("answer", method="POST", path=CREATE, when="after", status=500, code="internal_error", count=3)
    command = await queue.apply(HandoffRequest())
    assert len(queue.effects_of(command)) == 3
    outcome = queue.finished_of(command)
    assert (outcome.effect, outcome.reason) == ("inferred", "opening_not_identified")
    assert value_of(queue.metrics.commands.double_effects) == 1


async def test_without_an_honoured_if_match_no_effect_is_ours(make_queue, close):
    queue = make_queue("ignores_preconditions")
    queue.contract = contract(if_match_is_honoured=False)
    queue.restart()
    command = await queue.apply(HandoffRequest())
    closed = await queue.apply(close(queue.check(command).handoff_id))
    assert {queue.check(command).effect, queue.check(closed).effect} == {"inferred"}
