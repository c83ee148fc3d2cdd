"""Random schedules of one key queue: commands, other actors, faults, crashes, observations. All promises hold."""

import random

import pytest

from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import EventType

PROFILES = ["v2", "v3", "stores_errors", "forgets_keys", "fingerprints_if_match", "stale_replicas"]
FAULTS = [
    {"do": "reset", "when": "after"},
    {"do": "reset", "when": "before"},
    {"do": "answer", "when": "after", "status": 502, "shape": "html"},
    {"do": "answer", "when": "before", "status": 500, "code": "internal_error"},
    {"do": "answer", "when": "before", "status": 429, "code": "rate_limited"},
    {"do": "truncate"},
    {"do": "act", "actor": {"do": "edit"}},
    {"do": "act", "actor": {"do": "open_handoff"}},
    {"do": "act", "actor": {"do": "complete", "reportedOutcome": "submitted"}},
    {"do": "act", "actor": {"do": "expire"}},
]
OTHERS = [
    ("open_handoff", {}),
    ("complete", {"reportedOutcome": "submitted"}),
    ("revoke", {"reason": "r"}),
    ("expire", {}),
    ("edit", {}),
    ("reconcile", {"truth": "nothing"}),
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(6))
async def test_the_promises_hold_under_a_random_schedule(make_queue, close, profile, seed):
    chance = random.Random(f"{profile}{seed}")
    queue = make_queue(profile, truth="nothing", readings={"reconcile_seconds": 0.5})
    commands, handoffs = [queue.send(AuthorizationWatch())], ["mhand_nobody"]
    for _ in range(14):
        for _ in range(chance.randrange(3)):
            queue.sim.fault(path=queue.authorization_id, nth=chance.randrange(1, 6), **chance.choice(FAULTS))
        queue.fuse.arm(chance.choice([None, chance.randrange(12)]))
        match chance.randrange(5):
            case 0 | 1:
                commands.append(queue.send(HandoffRequest()))
            case 2 | 3:
                commands.append(queue.send(close(chance.choice(handoffs[-2:]))))
            case _:
                action, more = chance.choice(OTHERS)
                queue.sim.act(queue.authorization_id, action, **more)
        if chance.random() < 0.2:
            queue.send(HandoffRequest(), command_id=chance.choice(commands))
        await queue.drain()
        queue.fuse.arm(None)
        queue.sim.faults.clear()
        if queue.timer_at and chance.random() < 0.5:
            await queue.observe()
        handoffs += [event.data.handoff_id for event in queue.events(EventType.HANDOFF_OPENED)][-1:]
    for command in commands:
        outcome = queue.check(command)
        dead = [dead_letter.cause for dead_letter in queue.dead_letters() if dead_letter.command_id == command]
        assert outcome is not None or dead == ["outcome_unknown"], dead
    opened = [event.data.handoff_id for event in queue.events(EventType.HANDOFF_OPENED)]
    closed = [event.data.handoff_id for event in queue.events(EventType.HANDOFF_CLOSED)]
    reconciled = [event.data.handoff_id for event in queue.events(EventType.HANDOFF_RECONCILED)]
    for once in (opened, closed, reconciled):
        assert len(once) == len(set(once))
    assert set(reconciled) <= set(closed) <= set(opened)
