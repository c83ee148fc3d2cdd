"""The judge of a gateway's run finds every kind of violation, each planted into a run that kept its promises."""

from dataclasses import replace

import pytest

from adapters.collate.operations import Operation, write_key
from tests.chaos.gateway_judge import Asked, Changed, Run, Sent, Told, Truth, judge

OPEN, CLOSE, WATCH, DEAD = (f"{number}0000000-0000-4000-8000-000000000000" for number in range(1, 5))
OPEN_KEY = write_key(OPEN, Operation.CREATE_HANDOFF, 0)
CLOSE_KEY = write_key(CLOSE, Operation.COMPLETE, 1)
DEAD_KEY = write_key(DEAD, Operation.CREATE_HANDOFF, 0)
ASKS = Truth("requires_action", None, receipt=False, decision=False)
WORKS = Truth("processing", None, receipt=False, decision=False)
RECEIVED = Truth("waiting_on_payer", None, receipt=True, decision=False)
PAYER = {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False}


def finished(command, outcome="applied", effect="ours", handoff="mhand_1"):
    return {"commandId": command, "outcome": outcome, "effect": effect} | ({"handoffId": handoff} if handoff else {})


TOLD = [
    Told("a", 1, "authorization.changed", None, 5.0, {"to": "requires_action", "receiptSeen": False,
                                                      "decisionSeen": False, "version": 3}),
    Told("a", 2, "command.finished", WATCH, 5.1, finished(WATCH, effect="none", handoff=None)),
    Told("a", 3, "handoff.opened", OPEN, 11.0, {"handoffId": "mhand_1"}),
    Told("a", 4, "command.finished", OPEN, 11.0, finished(OPEN)),
    Told("a", 5, "command.key_conflict", OPEN, 12.0, {"commandId": OPEN}),
    Told("a", 6, "handoff.access_granted", "grant-1", 13.0, {"operator": "op-1"}),
    Told("a", 7, "command.finished", CLOSE, 21.5, finished(CLOSE)),
    Told("a", 8, "handoff.closed", CLOSE, 21.5, {"handoffId": "mhand_1", "result": "completed_reported", "by": "us"}),
    Told("a", 9, "handoff.reconciled", None, 23.0, {"handoffId": "mhand_1", "payer": PAYER, "version": 6}),
    Told("b", 1, "command.dead_lettered", DEAD, 40.0, {"commandId": DEAD, "cause": "outcome_unknown"}),
]  # fmt: skip
GOOD = Run(
    asked=[
        Asked(WATCH, "a", "authorization.watch"),
        Asked(OPEN, "a", "handoff.request", b"{}"),
        Asked(OPEN, "a", "handoff.request", b"{}"),
        Asked(OPEN, "a", "handoff.request", b"other"),
        Asked("grant-1", "a", "handoff.record_access"),
        Asked(CLOSE, "a", "handoff.close"),
        Asked(DEAD, "b", "handoff.request"),
    ],
    told=TOLD,
    changed=[
        Changed("handoff_opened", 10.0, "mhand_1", "client", OPEN_KEY),
        Changed("handoff_opened", 10.0, "mhand_7", "other"),
        Changed("handoff_closing", 20.0, "mhand_1", "client", CLOSE_KEY, "completed_reported"),
        Changed("handoff_closed", 21.0, "mhand_1", "collate", None, "completed_reported"),
        Changed("handoff_opened", 30.0, "mhand_9", "client", DEAD_KEY),
    ],
    sent=[Sent(OPEN_KEY, ("POST", "/x", "d", '"3"'))] * 2 + [Sent(CLOSE_KEY, ("POST", "/y", "e", '"4"'))],
    promised=frozenset({WATCH, OPEN, CLOSE, DEAD}),
    granted=frozenset({"op-1"}),
    letters={DEAD: "outcome_unknown"},
    shown={("a", 3): (1.0, ASKS), ("a", 4): (10.0, ASKS), ("a", 5): (20.0, WORKS), ("a", 6): (22.0, RECEIVED)},
    records={"a": (6, RECEIVED)},
)


def test_a_run_that_kept_its_promises_is_left_alone():
    assert judge(GOOD) == []


def without(number):
    """Leave an event out; those behind it move up."""
    kept = [told for told in TOLD if (told.authorization_id, told.sequence) != ("a", number)]
    return [
        replace(t, sequence=t.sequence - 1) if t.authorization_id == "a" and t.sequence > number else t for t in kept
    ]


def changing(number, **data):
    """Tell something else in an event of authorization a."""
    is_it = ("a", number)
    return [
        replace(told, data=dict(told.data) | data) if (told.authorization_id, told.sequence) == is_it else told
        for told in TOLD
    ]


def at(number, moment):
    return [replace(t, at=moment) if (t.authorization_id, t.sequence) == ("a", number) else t for t in TOLD]


PLANTED = {
    "an input has no outcome": {"told": without(7)},
    "an input has more than one outcome": {
        "told": [*TOLD, Told("a", 10, "command.finished", CLOSE, 24.0, finished(CLOSE))]
    },
    "an output names an input that there is not": {"told": [*TOLD, Told("a", 10, "handoff.opened", "nobody", 24.0)]},
    "the outcomes of a key are not in the order of its inputs": {
        "asked": [GOOD.asked[5], *GOOD.asked[:5], GOOD.asked[6]]
    },
    "the outputs of a key are not numbered without gaps": {
        "told": [*TOLD, Told("a", 11, "handoff.at_risk", None, 24.0)]
    },
    "a command was accepted and is not in the log": {"promised": GOOD.promised | {"lost"}},
    "a link was given out and is not on record": {"granted": frozenset({"op-1", "op-2"})},
    "a dead letter without its event, its cause or its record": {"letters": {DEAD: "too_old"}},
    "another body under a known id, and not one key_conflict for it": {"told": without(5)},
    "a command has more than one effect": {
        "changed": [
            *GOOD.changed,
            Changed("handoff_opened", 10.5, "mhand_2", "client", write_key(OPEN, Operation.CREATE_HANDOFF, 1)),
        ]
    },
    "an effect under a key of no command": {
        "changed": [*GOOD.changed, Changed("handoff_opened", 10.5, "mhand_2", "client", "cg1-unknown")]
    },
    "`ours` was said and the effect isn't ours": {
        "changed": [replace(one, by="other") if one.handoff_id == "mhand_1" else one for one in GOOD.changed]
    },
    "an effect was denied": {"told": changing(4, outcome="already_done", effect="none")},
    "another handoff was named than the one that we changed": {"told": changing(7, handoffId="mhand_7")},
    "an effect came after its command had ended": {"told": at(4, 9.0)},
    "two different requests under one key": {"sent": [*GOOD.sent, Sent(OPEN_KEY, ("POST", "/x", "d", '"4"'))]},
    "a close was told before it was so": {"told": at(8, 20.5)},
    "a close was told with another result": {"told": changing(8, result="revoked")},
    "told as payer truth what Collate did not show": {"told": changing(9, payer=PAYER | {"decisionSeen": True})},
    "the last record isn't what Collate shows": {"records": {"a": (5, WORKS)}},
    "something secret got out": {"leaks": ["worker.log: https://…"]},
}


@pytest.mark.parametrize("rule", PLANTED)
def test_it_finds(rule):
    assert {violation.rule for violation in judge(replace(GOOD, **PLANTED[rule]))} == {rule}


@pytest.mark.parametrize("said", [{"effect": "ours"}, {"effect": "inferred"}, {"reason": "opening_not_identified"}])
def test_only_an_opening_that_is_said_to_be_unidentified_may_name_no_handoff(said):
    unidentified = {"effect": "inferred", "reason": "opening_not_identified", "handoffId": None}
    assert judge(replace(GOOD, told=changing(4, **unidentified))) == []
    found = judge(replace(GOOD, told=changing(4, handoffId=None, **said)))
    assert {violation.rule for violation in found} == {"another handoff was named than the one that we changed"}


def test_it_finds_payer_truth_that_came_too_early():
    found = judge(replace(GOOD, told=at(9, 21.9)))
    assert {violation.rule for violation in found} == {"told as payer truth what Collate did not show"}


def test_it_finds_a_report_told_as_payer_truth():
    found = judge(replace(GOOD, told=changing(9, version=5)))
    assert {violation.rule for violation in found} == {"told as payer truth what Collate did not show"}


def test_it_finds_ours_said_of_nothing():
    found = judge(replace(GOOD, changed=[one for one in GOOD.changed if one.kind != "handoff_closing"]))
    assert {violation.rule for violation in found} == {"`ours` was said and the effect isn't ours"}
