"""The classes of `gateway shadow report`: one scripted history with each, and what no history may do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.shadow.comparison import Verdict, compare, counts
from cli.shadow.html_report import render
from schemas.enums import ClosedBy, CommandType, Effect, Outcome
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    CommandDeadLettered,
    CommandFinished,
    HandoffClosed,
    HandoffOpened,
    WouldSend,
)
from schemas.records import PublishedEvent

T0 = datetime(2026, 6, 2, 14, tzinfo=UTC)
N = timedelta(seconds=300)
LATER = T0 + timedelta(days=1)
REQUEST, CLOSE, WATCH = CommandType.HANDOFF_REQUEST, CommandType.HANDOFF_CLOSE, CommandType.AUTHORIZATION_WATCH


def end(command=REQUEST, *, outcome="rejected", reason="writes_off", operation=None, handoff=None, version=3, **more):
    return CommandFinished(
        command_id=more.pop("id", "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"),
        command=command,
        caller="mirror",
        outcome=Outcome(outcome),
        effect=Effect.NONE,
        reason=reason,
        handoff_id=handoff,
        would_send=None if operation is None else WouldSend(operation=operation, version=version),
        version=version,
        metadata={"mirrored-caller": more.pop("by", "intake")},
    )


def opened(handoff="mh_1", payer=None):
    return HandoffOpened(
        handoff_id=handoff, access_available=True, final_submit_capable=True, version=4, payer_id=payer
    )


def closed(handoff="mh_1", result="completed_reported"):
    return HandoffClosed(handoff_id=handoff, result=result, by=ClosedBy.OTHER, version=5)


def changed(version):
    return AuthorizationChanged(to_status="processing", receipt_seen=False, decision_seen=False, version=version)


def dead_lettered():
    return CommandDeadLettered(
        command_id="2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10", command=REQUEST, caller="mirror", cause="too_old"
    )


def history(*parts, authorization="auth_1"):
    """Return events from pairs of seconds and data."""
    return [
        PublishedEvent(f"{authorization} {number}", authorization, number, T0 + timedelta(seconds=at), data)
        for number, (at, data) in enumerate(parts, 1)
    ]


def verdicts(*parts, now=LATER):
    return [found.verdict for found in compare(history(*parts), now, N)]


CREATE = end(operation="create")
COMPLETE = end(CLOSE, operation="complete", handoff="mh_1")
SCRIPT = {
    "a handoff opened": (Verdict.SAME, [(0, CREATE), (20, opened())]),
    "this handoff closed with this result": (Verdict.SAME, [(0, COMPLETE), (20, closed())]),
    "rejected, and nobody acted": (Verdict.SAME, [(0, end(reason="review_snapshot_stale"))]),
    "another result": (Verdict.DIFFERENT, [(0, COMPLETE), (20, closed(result="revoked"))]),
    "another handoff": (Verdict.DIFFERENT, [(0, COMPLETE), (20, closed("mh_2"))]),
    "rejected, but a handoff opened": (Verdict.DIFFERENT, [(0, end(reason="review_snapshot_stale")), (9, opened())]),
    "nothing": (Verdict.NOTHING, [(0, CREATE)]),
    "nothing within N seconds": (Verdict.NOTHING, [(0, CREATE), (301, opened())]),
    "another actor was first": (Verdict.ALREADY_DONE, [(0, end(outcome="already_done", reason=None))]),
    "the handoff had been closed": (Verdict.ALREADY_DONE, [(0, end(CLOSE, reason="handoff_reported_completed"))]),
    "the version moved": (Verdict.VERSION_MOVED, [(0, CREATE), (20, changed(4))]),
    "a change of the same version": (Verdict.NOTHING, [(0, CREATE), (20, changed(3))]),
    "a change before the decision": (Verdict.NOTHING, [(0, changed(9)), (0, CREATE)]),
    "expired": (Verdict.UNDECIDED, [(0, end(outcome="expired", reason="expired"))]),
    "a dead letter": (Verdict.UNDECIDED, [(0, dead_lettered()), (5, opened())]),
}


@pytest.mark.parametrize(("verdict", "parts"), SCRIPT.values(), ids=SCRIPT)
def test_each_class(verdict, parts):
    assert verdicts(*parts) == [verdict]


def test_before_n_seconds_have_passed_an_absence_decides_nothing_and_an_act_does():
    soon = T0 + timedelta(seconds=299)
    assert verdicts((0, CREATE), now=soon) == [Verdict.UNDECIDED]
    assert verdicts((0, CREATE), (20, opened()), now=soon) == [Verdict.SAME]


def test_what_follows_the_next_command_does_not_speak_against_a_rejection():
    second = "00000000-0000-5b4e-9a53-0f7c1a8e7b10"
    rejected = end(reason="authorization_processing")
    assert verdicts((0, rejected), (60, end(operation="create", id=second)), (70, opened())) == [Verdict.SAME] * 2


def test_a_watch_is_not_compared_and_a_redriven_command_is_compared_once():
    assert verdicts((0, end(WATCH, outcome="applied", reason=None))) == []
    assert verdicts((0, dead_lettered()), (9, CREATE), (20, opened())) == [Verdict.SAME]


def test_the_events_of_a_new_life_have_numbers_again_and_replace_nothing():
    second = end(operation="create", id="00000000-0000-5b4e-9a53-0f7c1a8e7b10")
    lives = [*history((0, CREATE)), *history((90_000, second), (90_020, opened()))]
    lives = [replace(event, id=f"{place}") for place, event in enumerate(lives)]
    assert [one.verdict for one in compare(lives, LATER + N * 90, N)] == [Verdict.NOTHING, Verdict.SAME]


def test_the_counts_are_by_mirrored_caller_and_payer():
    found = compare(
        [
            *history((0, CREATE), (20, opened(payer="payer_a")), authorization="auth_1"),
            *history((0, end(operation="create", by="portal")), authorization="auth_2"),
            *history((0, CREATE), (20, opened(payer="payer_a")), authorization="auth_3"),
        ],
        LATER,
        N,
    )
    table = {key: {verdict.value: n for verdict, n in row.items() if n} for key, row in counts(found).items()}
    assert table == {("intake", "payer_a"): {"same": 2}, ("portal", "unknown"): {"nothing": 1}}


def test_the_payer_of_an_action_counts():
    action = AuthorizationActionRequired(action="complete_payer_interaction", payer_id="payer_b", version=3)
    (found,) = compare(history((0, action), (1, CREATE)), LATER, N)
    assert found.payer == "payer_b"


def test_the_page_escapes_what_it_shows_and_lists_the_differences():
    found = compare(history((0, COMPLETE), (20, closed(result="revoked"))), LATER, N)
    page = render(found, "<b>shadow</b>")
    assert "<b>shadow" not in page
    assert "complete at version 3" in page
    assert "mh_1 closed: revoked" in page


_DATA = st.sampled_from([CREATE, COMPLETE, end(reason="no_action_named"), opened(), closed(), changed(4), changed(2)])


@given(st.lists(st.tuples(st.integers(0, 900), _DATA), max_size=12), st.randoms())
def test_each_last_end_has_one_class_whatever_the_order_of_reading(parts, chance):
    events = history(*sorted(parts, key=lambda part: part[0]))
    shuffled = events * 2
    chance.shuffle(shuffled)
    found = compare(shuffled, LATER, N)
    assert found == compare(events, LATER, N)
    assert len(found) == len({data.command_id for _, data in parts if isinstance(data, CommandFinished)})
