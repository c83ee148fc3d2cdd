"""What the views decide: which sentence comes first, who has a handoff, what is folded, what is late."""

from pathlib import Path

import pytest

from console.charts import HEIGHT, throughput
from console.times import clock
from console.views import guide
from console.views.authorization import AuthorizationSituation, authorization_of
from console.views.freshness import FreshnessState, freshness_of
from console.views.lists.work_list import (
    Tab,
    authorizations_call,
    authorizations_view,
    closed_call,
    filter_of,
)
from console.views.overview import FindingKind, overview_of
from console.views.search import questions_of, search_of
from console.views.timeline import timeline_of
from console.views.words import Tone
from console.work_items import Need
from schemas.api.reads import SILENT_SECONDS
from schemas.events.wait_reasons import WaitReason
from schemas.times import span
from tests.unit.console import answers
from tests.unit.console.answers import COMMAND, ago
from tests.unit.console.app import NOW

OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"
ME = "jo.miller"


# Times
@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-90, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_span_has_one_unit_and_is_never_negative(seconds, text):
    assert span(seconds) == text


def test_a_clock_names_the_day_only_of_another_day():
    assert clock(ago(minutes=1), NOW) == "03:13:00"
    assert clock(ago(hours=4), NOW) == "2026-11-25 23:14:00"


# Overview
def test_the_worst_finding_comes_first_and_each_leads_to_its_part_of_the_guide():
    view = overview_of(answers.overview_in_trouble())
    assert [(one.kind, one.tone) for one in view.findings] == [
        (FindingKind.COMMANDS_WAIT, Tone.BAD),
        (FindingKind.AT_RISK, Tone.WARN),
        (FindingKind.DEAD_LETTERS, Tone.WARN),
        (FindingKind.COMMANDS_SLOW, Tone.WARN),
        (FindingKind.CALLER_FULL, Tone.WARN),
        (FindingKind.PERSON_WAITS, Tone.WARN),
    ]
    first = view.findings[0]
    assert (first.count, first.reason, first.anchor) == (38, "breaker", "collate-is-down")
    assert first.since == ago(minutes=6, seconds=1)


def test_an_installation_at_rest_has_one_good_finding():
    view = overview_of(answers.overview())
    assert [(one.kind, one.tone) for one in view.findings] == [(FindingKind.QUIET, Tone.GOOD)]


LATE_PROJECTOR = {"at": ago(seconds=40), "behind": 0}
STUCK = [answers.command(number, status="accepted", acceptedAt=ago(seconds=130)) for number in (1, 2)]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"faults": ["no_worker"], "waiting": {"breaker": 1}, "oldest": STUCK}, [("no_worker", "a-process-is-gone")]),
        (
            {"faults": ["kafka_away", "no_deliverer"], "projector": LATE_PROJECTOR, "oldest": STUCK},
            [("kafka_away", "kafka-is-away"), (None, None), ("no_deliverer", "a-process-is-gone")],
        ),
        ({"faults": ["collate_away"]}, [("collate_away", "collate-is-down")]),
        ({"faults": ["collate_away"], "waiting": {"breaker": 2}}, [("breaker", "collate-is-down")]),
        ({"projector": LATE_PROJECTOR}, [(None, "a-process-is-gone")]),
        ({"waiting": {"rate_limited": 3}}, [("rate_limited", "lag-grows")]),
        ({"oldest": STUCK}, [(None, "lag-grows")]),
        ({"oldest": STUCK[:1]}, [(None, "one-authorization-is-stuck")]),
    ],
)
def test_the_overview_names_the_part_that_does_not_work_and_no_other(found, said):
    view = overview_of(answers.overview(**found))
    assert [(one.reason, one.anchor) for one in view.findings] == said


def test_a_command_that_waits_for_collate_to_finish_a_change_is_no_finding_at_once():
    waiting = answers.command(1, waiting=answers.CLOSING, acceptedAt=ago(seconds=100))
    view = overview_of(answers.overview(waiting={"closing": 1}, oldest=[waiting]))
    assert [one.kind for one in view.findings] == [FindingKind.QUIET]


def test_a_reason_that_is_not_among_the_oldest_is_younger_than_all_of_them():
    oldest = [answers.command(1, waiting=answers.BREAKER)]
    view = overview_of(answers.overview(waiting={"breaker": 9, "credentials": 2}, oldest=oldest))
    assert [(row.reason, row.since, row.shorter_than) for row in view.waits] == [
        ("breaker", oldest[0]["acceptedAt"], None),
        ("credentials", None, oldest[0]["acceptedAt"]),
    ]


def test_every_part_of_the_guide_exists_and_every_reason_has_one():
    titles = [line[3:] for line in OPERATIONS.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    anchors = {title.lower().replace(" ", "-").replace("?", "").replace(",", "") for title in titles}
    named = {guide.DEAD_LETTERS, guide.CONTRADICTED, guide.PERSON_WAITS, guide.CALLER_FULL, guide.ONE_STUCK}
    assert named <= anchors
    assert {guide.anchor_of(reason) for reason in (*WaitReason, "of a newer worker", None)} <= anchors


# Charts
def test_a_chart_leaves_out_the_minute_that_is_not_over():
    history = [{"at": ago(minutes=2 - n), "accepted": n + 1, "finished": 0} for n in range(3)]
    chart = throughput(history)
    assert chart is not None
    assert (chart.accepted, chart.finished, chart.top) == (3, 0, 2)
    assert chart.accepted_path == f"M0 {HEIGHT}V48H300V0H600V{HEIGHT}Z"
    assert chart.finished_path == f"M0 {HEIGHT}H300V{HEIGHT}H600"
    assert [(row.accepted, row.finished) for row in chart.rows] == [(3, 0)]


# Freshness
@pytest.mark.parametrize(
    ("projector", "state"),
    [
        ({"at": ago(seconds=SILENT_SECONDS - 1), "behind": 1_000}, FreshnessState.FRESH),
        ({"at": ago(seconds=1), "behind": 1_001}, FreshnessState.BEHIND),
        ({"at": ago(seconds=SILENT_SECONDS + 1), "behind": 0}, FreshnessState.SILENT),
        ({"at": None, "behind": None}, FreshnessState.SILENT),
        ({"at": ago(seconds=-5), "behind": 0}, FreshnessState.FRESH),
    ],
)
def test_a_page_is_late_if_the_projector_is_behind_or_silent(projector, state):
    assert freshness_of(answers.overview(projector=projector)).state is state


# Work list
@pytest.mark.parametrize(
    ("query", "path", "asked"),
    [
        ({}, "/v1/authorizations", {"needs": "person"}),
        ({"tab": "nonsense"}, "/v1/authorizations", {"needs": "person"}),
        ({"tab": "mine"}, "/v1/authorizations", {"needs": "person", "claimedBy": "people:jo.miller"}),
        ({"payer": " p1 "}, "/v1/authorizations", {"needs": "person", "payer": "p1"}),
        ({"tab": "open", "payer": "p1"}, "/v1/authorizations", {"needs": "open", "payer": "p1"}),
        ({"tab": "at_risk", "order": "later"}, "/v1/authorizations", {"needs": "at_risk"}),
        ({"tab": "overdue", "order": "payer"}, "/v1/authorizations", {"needs": "overdue", "order": "payer"}),
        ({"tab": "contradicted", "cursor": "c"}, "/v1/authorizations", {"needs": "contradicted", "cursor": "c"}),
        ({"tab": "closed"}, "/v1/handoffs", {"state": "closed", "order": "newest", "since": "2026-11-26T00:00:00Z"}),
        (
            {"tab": "closed", "days": "2"},
            "/v1/handoffs",
            {"state": "closed", "order": "newest", "since": "2026-11-25T00:00:00Z"},
        ),
    ],
)
def test_each_tab_is_one_question_to_the_api(query, path, asked):
    filter_ = filter_of(query)
    is_closed = filter_.tab is Tab.CLOSED
    call = closed_call(filter_, NOW) if is_closed else authorizations_call(filter_, "people:jo.miller")
    order = {} if is_closed else {"order": "urgent"}
    assert (call.path, dict(call.query)) == (path, {"limit": "25"} | order | asked)


def test_each_row_says_what_to_do_and_who_has_it():
    rows = authorizations_view(answers.work(), ME, NOW).rows
    assert [row.need for row in rows] == [
        Need.REVIEW,
        Need.FINISH,
        Need.REVIEW,
        Need.FINISH,
        Need.OPEN,
        Need.FINISH,
    ]
    holders = [(row.holder.name, row.is_mine, row.holder.since is not None) if row.holder else None for row in rows]
    assert holders == [
        None,
        ("jo.miller", True, True),
        None,
        ("sam.okafor-lindqvist", False, True),
        None,
        ("kim", False, False),
    ]


def test_a_contradicted_report_is_a_row_of_its_own_kind():
    last = {"id": "mhand_9", "result": "completed_reported", "reported": "submitted", "agreement": "contradicts"}
    item = answers.item("auth_1", actionRequiredAt=None, lastHandoff=last)
    (row,) = authorizations_view({"authorizations": [item]}, ME, NOW).rows
    assert (row.need, row.item) == (Need.CONTRADICTION, item)


@pytest.mark.parametrize(
    ("action", "need"),
    [
        ({"nextAction": "complete_payer_interaction"}, Need.OPEN),
        ({"nextAction": "complete_payer_interaction", "resolution": "manual_handoff"}, Need.OPEN),
        ({"nextAction": "complete_payer_interaction", "resolution": "document_upload"}, Need.OTHER_ACTION),
        ({"nextAction": "approve_submission", "coversReviewSnapshotId": "rev_90"}, Need.OTHER_ACTION),
        ({"nextAction": "resolve_requirements"}, Need.OTHER_ACTION),
    ],
)
def test_a_row_offers_a_handoff_only_for_an_action_that_it_resolves(action, need):
    item = answers.item("auth_1") | action
    (row,) = authorizations_view({"authorizations": [item]}, ME, NOW).rows
    assert row.need == need


# Authorization
@pytest.mark.parametrize(
    ("record", "situation", "tone"),
    [
        (answers.record(), AuthorizationSituation.NEEDS_PERSON, Tone.WARN),
        (answers.record_in_hand(), AuthorizationSituation.HANDOFF_OPEN, Tone.PLAIN),
        (
            answers.record(actionRequiredAt=None, settledAt=ago(minutes=1), status="completed"),
            AuthorizationSituation.SETTLED,
            Tone.GOOD,
        ),
        (
            answers.record(
                actionRequiredAt=None,
                settledAt=ago(minutes=1),
                lastHandoff={"id": "m", "result": "completed_reported", "agreement": "contradicts"},
            ),
            AuthorizationSituation.CONTRADICTED,
            Tone.BAD,
        ),
        (
            answers.record(actionRequiredAt=None, watchEndedAt=ago(days=1)),
            AuthorizationSituation.WATCH_ENDED,
            Tone.WARN,
        ),
        (answers.record(actionRequiredAt=None, status="processing"), AuthorizationSituation.WATCHED, Tone.PLAIN),
        (None, AuthorizationSituation.NOT_WATCHED, Tone.PLAIN),
    ],
)
def test_an_authorization_has_one_situation(record, situation, tone):
    view = authorization_of("auth_7Q2M", record, None, ME, NOW)
    assert (view.situation, view.tone) == (situation, tone)


def test_an_authorization_that_is_watched_cannot_be_watched_again():
    assert not authorization_of("a", answers.record(), None, ME, NOW).can_watch
    assert authorization_of("a", None, None, ME, NOW).can_watch
    ended = answers.record(actionRequiredAt=None, watchEndedAt=ago(days=1))
    assert authorization_of("a", ended, None, ME, NOW).can_watch


# Timeline
def test_calls_are_folded_under_the_newest_entry_of_their_command():
    rows = timeline_of(answers.timeline())
    assert [(row.entry["kind"], len(row.calls)) for row in rows if row.calls] == [
        ("command.finished", 2),
        ("command.finished", 1),
        ("attempt", 1),
    ]


def test_a_timeline_keeps_its_order_and_marks_each_day():
    rows = timeline_of(answers.timeline())
    times = [row.entry["at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert [row.begins_day for row in rows].count(True) == 2
    assert rows[0].tone is Tone.BAD


def test_keys_of_rows_differ():
    rows = timeline_of(answers.timeline())
    assert len({row.key for row in rows}) == len(rows)
    two_lives = [
        answers.entry(1, "command.finished", "command.finished", COMMAND) | {"at": ago(days=n)} for n in (0, 2)
    ]
    assert len({row.key for row in timeline_of({"authorizationId": "a", "entries": two_lives})}) == 2


# Search
@pytest.mark.parametrize(
    ("text", "command", "authorization", "lists"),
    [
        ("case=case-0042", False, False, [{"metadata.case": "case-0042"}]),
        (
            answers.COMMAND,
            True,
            True,
            [
                {"authorizationId": answers.COMMAND},
                {"metadata.case": answers.COMMAND},
                {"metadata.ticket": answers.COMMAND},
            ],
        ),
        (
            "auth_7Q2M",
            False,
            True,
            [{"authorizationId": "auth_7Q2M"}, {"metadata.case": "auth_7Q2M"}, {"metadata.ticket": "auth_7Q2M"}],
        ),
        ("OPS:12", False, False, [{"metadata.case": "OPS:12"}, {"metadata.ticket": "OPS:12"}]),
    ],
)
def test_a_text_becomes_the_questions_that_it_may_answer(text, command, authorization, lists):
    found = questions_of(text)
    assert (found.command is not None, found.authorization is not None) == (command, authorization)
    assert (found.at_payer is not None) is authorization
    assert [dict(call.query) for call in found.commands] == [one | {"order": "newest", "limit": "20"} for one in lists]


@pytest.mark.parametrize("text", ["two words", "../../v1/me", "x" * 129])
def test_a_text_that_is_neither_an_id_nor_metadata_asks_nothing(text):
    assert questions_of(text) is None


def test_a_single_hit_leads_to_its_page():
    record = answers.record() | {"authorizationId": "auth_7Q2M"}
    assert search_of("auth_7Q2M", None, record, None, []).only_page == "/authorizations/auth_7Q2M"
    own = {"commands": [answers.command(1, authorizationId="auth_7Q2M")]}
    assert search_of("auth_7Q2M", None, record, None, [own]).only_page == "/authorizations/auth_7Q2M"
    assert search_of("auth_7Q2M", None, None, None, [own]).only_page == "/commands/" + own["commands"][0]["commandId"]
    assert search_of("c-7", None, None, None, [own]).only_page == "/authorizations/auth_7Q2M/work", "a case"
    again = {"commands": [answers.command(n, authorizationId="auth_7Q2M") for n in range(2)]}
    assert search_of("c-7", None, None, None, [again]).only_page == "/authorizations/auth_7Q2M/work"
    two = {"commands": [answers.command(1), answers.command(2)]}
    assert search_of("c-7", None, None, None, [two]).cases == ("auth_7Q2M001", "auth_7Q2M002")
    assert search_of("auth_7Q2M", None, None, None, [two]).only_page is None
    assert search_of("p1", None, None, {"authorizations": [answers.item("auth_1")]}, []).payer == "p1"
    assert search_of("p1", None, None, {"authorizations": []}, []).is_empty
    ids = {"authorizations": ["auth_7Q2M", "auth_7Q2N"], "commands": []}
    assert search_of("auth_7Q2M", None, record, None, [], ids=ids).authorizations == ("auth_7Q2M", "auth_7Q2N")
    only = search_of("0a5d", None, None, None, [], ids={"authorizations": [], "commands": [COMMAND]})
    assert only.only_page == f"/commands/{COMMAND}"
