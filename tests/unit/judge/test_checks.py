"""The checks of a run find each kind of violation, planted into a run that kept its promises."""

from dataclasses import replace

import pytest

from adapters.collate.operations import Operation, write_key
from local.judge.checks import find_broken_promises
from local.judge.recorded import CollateEffect, CollateRequest, Evidence, SeenCommand, SeenEvent, Truth
from schemas.identity import request_id

OPEN, CLOSE, WATCH, DEAD = (f"{number}0000000-0000-4000-8000-000000000000" for number in range(1, 5))
OPEN_KEY = write_key(OPEN, Operation.CREATE_HANDOFF, 0)
CLOSE_KEY = write_key(CLOSE, Operation.COMPLETE, 1)
DEAD_KEY = write_key(DEAD, Operation.CREATE_HANDOFF, 0)
ASKS = Truth("requires_action", None, receipt=False, decision=False)
WORKS = Truth("processing", None, receipt=False, decision=False)
RECEIVED = Truth("waiting_on_payer", None, receipt=True, decision=False)
PAYER = {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False}


def finished(command, outcome="applied", effect="ours", handoff="mhand_1"):
    return {"commandId": command, "caller": "intake", "outcome": outcome, "effect": effect} | (
        {"handoffId": handoff} if handoff else {}
    )


EVENTS = [
    SeenEvent("a", 1, "authorization.changed", None, 5.0, {"to": "requires_action", "receiptSeen": False,
                                                      "decisionSeen": False, "version": 3}),
    SeenEvent("a", 2, "command.finished", WATCH, 5.1, finished(WATCH, effect="none", handoff=None)),
    SeenEvent("a", 3, "handoff.opened", OPEN, 11.0, {"handoffId": "mhand_1"}),
    SeenEvent("a", 4, "command.finished", OPEN, 11.0, finished(OPEN)),
    SeenEvent("a", 5, "command.key_conflict", OPEN, 12.0, {"commandId": OPEN, "caller": "intake"}),
    SeenEvent("a", 6, "handoff.access_granted", "grant-1", 13.0, {"operator": "op-1", "caller": "intake"}),
    SeenEvent("a", 7, "command.finished", CLOSE, 21.5, finished(CLOSE)),
    SeenEvent("a", 8, "handoff.closed", CLOSE, 21.5, {"handoffId": "mhand_1", "result": "completed_reported",
                                               "by": "us", "caller": "intake"}),
    SeenEvent("a", 9, "handoff.reconciled", None, 23.0, {"handoffId": "mhand_1", "payer": PAYER, "version": 6}),
    SeenEvent("b", 1, "command.dead_lettered", DEAD, 40.0, {"commandId": DEAD, "caller": "intake",
                                                            "cause": "outcome_unknown"}),
]  # fmt: skip
GOOD = Evidence(
    commands=[
        SeenCommand(WATCH, "a", "authorization.watch"),
        SeenCommand(OPEN, "a", "handoff.request", b"{}"),
        SeenCommand(OPEN, "a", "handoff.request", b"{}"),
        SeenCommand(OPEN, "a", "handoff.request", b"other"),
        SeenCommand("grant-1", "a", "handoff.record_access"),
        SeenCommand(CLOSE, "a", "handoff.close"),
        SeenCommand(DEAD, "b", "handoff.request"),
    ],
    events=EVENTS,
    effects=[
        CollateEffect("handoff_opened", 10.0, "mhand_1", "client", OPEN_KEY),
        CollateEffect("handoff_opened", 10.0, "mhand_7", "other"),
        CollateEffect("handoff_closing", 20.0, "mhand_1", "client", CLOSE_KEY, "completed_reported"),
        CollateEffect("handoff_closed", 21.0, "mhand_1", "collate", None, "completed_reported"),
        CollateEffect("handoff_opened", 30.0, "mhand_9", "client", DEAD_KEY),
    ],
    requests=[CollateRequest(OPEN_KEY, ("POST", "/x", "d", '"3"'))] * 2
    + [CollateRequest(CLOSE_KEY, ("POST", "/y", "e", '"4"'))],
    accepted=frozenset({WATCH, OPEN, CLOSE, DEAD}),
    granted=frozenset({"op-1"}),
    dead_letters={DEAD: "outcome_unknown"},
    shown={("a", 3): (1.0, ASKS), ("a", 4): (10.0, ASKS), ("a", 5): (20.0, WORKS), ("a", 6): (22.0, RECEIVED)},
    records={"a": (6, RECEIVED)},
)


def test_a_run_that_kept_its_promises_breaks_none():
    assert find_broken_promises(GOOD) == []


def test_a_close_without_a_read_of_its_end_may_have_an_unrecognised_result():
    closed = [
        replace(event, at=24.0, data={**event.data, "result": "unrecognised"}) if event.sequence == 8 else event
        for event in EVENTS
    ]
    unread = replace(GOOD, events=closed, reads={"mhand_1": [20.5, 22.9, 24.5]})
    assert find_broken_promises(unread) == []
    read = find_broken_promises(replace(unread, reads={"mhand_1": [23.5]}))
    assert {violation.rule for violation in read} == {"a close was published with another result"}


def test_the_last_record_may_lack_versions_that_show_nothing_new_or_were_never_read():
    edited = {**GOOD.shown, ("a", 7): (23.0, RECEIVED)}
    assert find_broken_promises(replace(GOOD, shown=edited)) == []
    unread = {**GOOD.shown, ("a", 7): (23.0, WORKS), ("a", 8): (24.0, RECEIVED)}
    assert find_broken_promises(replace(GOOD, shown=unread)) == []
    read = find_broken_promises(replace(GOOD, shown=unread, reads={"a": [22.5, 23.5]}))
    assert {violation.rule for violation in read} == {"the last record differs from Collate's state"}
    assert find_broken_promises(replace(GOOD, shown=unread, reads={"a": [22.5, 24.0]})) == []
    missed = {**edited, ("a", 7): (23.0, WORKS)}
    found = find_broken_promises(replace(GOOD, shown=missed))
    assert {violation.rule for violation in found} == {"the last record differs from Collate's state"}


def without(number):
    """Return the events without one; the later ones have lower numbers."""
    kept = [event for event in EVENTS if (event.authorization_id, event.sequence) != ("a", number)]
    return [
        replace(t, sequence=t.sequence - 1) if t.authorization_id == "a" and t.sequence > number else t for t in kept
    ]


def changing(number, **data):
    """Return the events with other data in one of authorization a."""
    is_it = ("a", number)
    return [
        replace(event, data=dict(event.data) | data) if (event.authorization_id, event.sequence) == is_it else event
        for event in EVENTS
    ]


def at(number, moment):
    return [replace(t, at=moment) if (t.authorization_id, t.sequence) == ("a", number) else t for t in EVENTS]


WITHOUT_KEYS = replace(
    GOOD,
    effects=[
        replace(one, key=None, authorization_id="b" if one.handoff_id == "mhand_9" else "a") for one in GOOD.effects
    ],
    requests=(),
)


def test_a_run_without_keys_that_kept_its_promises_breaks_none():
    assert find_broken_promises(WITHOUT_KEYS) == []


@pytest.mark.parametrize(
    ("effects", "rule"),
    [
        (
            [*WITHOUT_KEYS.effects, CollateEffect("handoff_opened", 10.5, "mhand_2", "client", authorization_id="a")],
            "an effect belongs to no command",
        ),
        (
            [*WITHOUT_KEYS.effects, CollateEffect("handoff_opened", 30.5, "mhand_8", "client", authorization_id="b")],
            "an effect belongs to no command",
        ),
        (
            [replace(one, by="other") if one.handoff_id == "mhand_1" else one for one in WITHOUT_KEYS.effects],
            "the outcome is `ours` without an effect of ours",
        ),
    ],
)
def test_without_keys_an_effect_belongs_to_the_command_whose_outcome_names_it(effects, rule):
    assert rule in {violation.rule for violation in find_broken_promises(replace(WITHOUT_KEYS, effects=effects))}


PLANTED = {
    "a finished command has no end": {"events": without(7)},
    "a command ended twice": {
        "events": [*EVENTS, SeenEvent("a", 10, "command.finished", CLOSE, 24.0, finished(CLOSE))]
    },
    "an event names a command that does not exist": {
        "events": [*EVENTS, SeenEvent("a", 10, "handoff.opened", "nobody", 24.0)]
    },
    "the ends of an authorization's commands are not in the order of the commands": {
        "commands": [GOOD.commands[5], *GOOD.commands[:5], GOOD.commands[6]]
    },
    "the events of an authorization are not numbered without gaps": {
        "events": [*EVENTS, SeenEvent("a", 11, "handoff.at_risk", None, 24.0)]
    },
    "an accepted command is not in the topic": {"accepted": GOOD.accepted | {"lost"}},
    "an access grant has no event": {"granted": frozenset({"op-1", "op-2"})},
    "a dead letter lacks its event, its cause or its record": {"dead_letters": {DEAD: "too_old"}},
    "another body under a known id has not exactly one key_conflict": {"events": without(5)},
    "a command has more than one effect": {
        "effects": [
            *GOOD.effects,
            CollateEffect("handoff_opened", 10.5, "mhand_2", "client", write_key(OPEN, Operation.CREATE_HANDOFF, 1)),
        ]
    },
    "an effect belongs to no command": {
        "effects": [*GOOD.effects, CollateEffect("handoff_opened", 10.5, "mhand_2", "client", "cg1-unknown")]
    },
    "the outcome is `ours` without an effect of ours": {
        "effects": [replace(one, by="other") if one.handoff_id == "mhand_1" else one for one in GOOD.effects]
    },
    "the outcome is `none` with an effect of ours": {"events": changing(4, outcome="already_done", effect="none")},
    "the outcome names another handoff than the effect": {"events": changing(7, handoffId="mhand_7")},
    "an effect happened after the end of its command": {"events": at(4, 9.0)},
    "two different requests have one key": {
        "requests": [*GOOD.requests, CollateRequest(OPEN_KEY, ("POST", "/x", "d", '"4"'))]
    },
    "a close was published before it happened": {"events": at(8, 20.5)},
    "a close was published with another result": {"events": changing(8, result="revoked")},
    "payer truth was published that Collate did not show": {
        "events": changing(9, payer=PAYER | {"decisionSeen": True})
    },
    "the last record differs from Collate's state": {"records": {"a": (5, WORKS)}},
    "an event's id was used again": {
        "events": [replace(event, id="e-1") if event.sequence in {1, 4} else event for event in EVENTS]
    },
    "an event is earlier than the one before": {
        "events": [replace(event, time=9.0 if event.sequence == 4 else 10.0) for event in EVENTS]
    },
    "a secret was published or logged": {"leaks": ["worker.log: https://…"]},
}


MORE_PLANTED = [
    ("payer truth was published that Collate did not show", {"events": at(9, 21.9)}),  # too early
    ("payer truth was published that Collate did not show", {"events": changing(9, version=5)}),  # the report
    (
        "the outcome is `ours` without an effect of ours",
        {"effects": [one for one in GOOD.effects if one.kind != "handoff_closing"]},
    ),
]


@pytest.mark.parametrize(("rule", "planted"), [*PLANTED.items(), *MORE_PLANTED])
def test_each_planted_violation_is_found(rule, planted):
    assert {violation.rule for violation in find_broken_promises(replace(GOOD, **planted))} == {rule}


@pytest.mark.parametrize("claimed", [{"effect": "ours"}, {"effect": "inferred"}, {"reason": "opening_not_identified"}])
def test_only_an_unidentified_opening_may_name_no_handoff(claimed):
    unidentified = {"effect": "inferred", "reason": "opening_not_identified", "handoffId": None}
    assert find_broken_promises(replace(GOOD, events=changing(4, **unidentified))) == []
    found = find_broken_promises(replace(GOOD, events=changing(4, handoffId=None, **claimed)))
    assert {violation.rule for violation in found} == {"the outcome names another handoff than the effect"}


def decided(sequence, kind, **data):
    decision = {"requestedBy": "op-7", "reason": "collate_recovered", "ticket": None}
    end = {"commandId": "c1", "caller": "intake", "decision": decision, **data}
    return SeenEvent("auth_1", sequence, kind, "c1", 1.0, end)


def test_a_redrive_may_end_a_dead_letter_after_later_commands():
    commands = [SeenCommand(one, "auth_1", "authorization.watch") for one in ("c1", "c2")]
    letter = {"commandId": "c1", "caller": "intake", "cause": "too_old"}
    dead = SeenEvent("auth_1", 1, "command.dead_lettered", "c1", 1.0, letter)
    later = SeenEvent("auth_1", 2, "command.finished", "c2", 1.0, finished("c2", effect="none", handoff=None))
    again = decided(3, "command.finished", outcome="applied", effect="none", redrive=1)
    redrive = SeenCommand("r1", "auth_1", "command.redrive", redrives=("c1", 1))
    run = Evidence([*commands, redrive], [dead, later, again], [], dead_letters={"c1": "too_old"})
    assert find_broken_promises(run) == []
    twice = Evidence(
        [*commands, redrive],
        [dead, later, again, decided(4, "command.finished", outcome="applied", effect="none", redrive=2)],
        [],
        dead_letters={"c1": "too_old"},
    )
    assert [one.rule for one in find_broken_promises(twice)] == [
        "a decision ended a command that was no open dead letter"
    ]


def test_a_discard_of_another_number_is_found():
    command = SeenCommand("c1", "auth_1", "authorization.watch")
    dead = {"commandId": "c1", "caller": "intake", "cause": "too_old"}
    letters = [SeenEvent("auth_1", one, "command.dead_lettered", "c1", 1.0, dead | {"redrive": one}) for one in (1, 2)]
    ended = decided(3, "command.finished", outcome="discarded", effect="unknown", redrive=2)
    for number, rules in ((2, []), (1, ["a discard ended a number that its operator did not see"])):
        records = [command, SeenCommand(request_id("discard", "c1", number), "auth_1", "command.discard")]
        found = find_broken_promises(Evidence(records, [*letters, ended], [], dead_letters={"c1": "too_old"}))
        assert [one.rule for one in found if "discard" in one.rule] == rules
