import pytest

from local.judge.recorded import CollateEffect, Evidence, SeenEvent
from local.judge.shadow import find_broken_by_shadow

OFF = {
    "commandId": "c",
    "outcome": "rejected",
    "effect": "none",
    "reason": "writes_off",
    "wouldSend": {"operation": "create", "version": 3},
}


def broken(*ends, effects=(), calls=(), dead_letters=None):
    events = [SeenEvent("auth_1", number, "command.finished", data=end) for number, end in enumerate(ends, 1)]
    run = Evidence(commands=(), events=events, effects=effects, dead_letters=dead_letters or {})
    return [found.rule for found in find_broken_by_shadow(run, calls)]


def test_a_shadow_that_reads_and_says_what_it_would_send_is_right():
    other = CollateEffect("handoff_opened", 1.0, "mh_1", "actor")
    already = {"commandId": "c", "outcome": "already_done", "effect": "none"}
    assert broken(OFF, already, effects=[other], calls=[("GET", "/x")], dead_letters={"c": "too_old"}) == []


@pytest.mark.parametrize(
    "end",
    [
        {name: value for name, value in OFF.items() if name != "wouldSend"},
        OFF | {"effect": "inferred"},
        OFF | {"outcome": "applied"},
        OFF | {"reason": "handoff_closed"},
        {"commandId": "c", "outcome": "applied", "effect": "ours"},
    ],
)
def test_an_end_that_says_another_thing_is_found(end):
    assert broken(end) == ["a shadow ended a command with a write it did not send"]


def test_a_write_and_its_effect_are_found():
    effect = CollateEffect("handoff_opened", 1.0, "mh_1", "client")
    assert broken(effects=[effect], calls=[("POST", "/x")]) == ["a shadow sent a write", "a shadow had an effect"]
    assert broken(dead_letters={"c": "outcome_unknown"}) == ["a shadow does not know the outcome of a write"]
