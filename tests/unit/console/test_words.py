"""The sentences of pages for every reason, risk and entry of a timeline: `app.browser` looks for words of programs."""

import json

import pytest

from consumers.applier.decision.decide import TABLE
from consumers.authorization import event_factory
from consumers.authorization.state import Handoff
from schemas.enums import RiskReason
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason
from schemas.sentences import in_words
from schemas.timeline import describe
from tests.unit.console import answers
from tests.unit.console.acting.test_dead_letter_pages import DETAIL, SITUATION
from tests.unit.console.acting.test_workbench_pages import ACTIVE, RECORD, ScriptedApi
from tests.unit.console.answers import COMMAND, scripted
from tests.unit.console.app import browser, console_app
from tests.unit.console.program_words import program_words
from tests.unit.schemas.test_timeline_sentences import ROWS

pytestmark = pytest.mark.virtual_time


async def pages_of(api, *paths):
    async with browser(console_app(api)) as client:
        return [(await client.get(path)).text for path in paths]


@pytest.mark.parametrize(
    "page",
    [
        "<p>Send a new one after authorization.action_required.</p>",
        "<p>the event's `wouldSend`</p>",
        "<p>It needs an Idempotency-Key</p>",
        "<p>the setting console.session_origins</p>",
        '<p title="">was <a href="/">handoff.close</a></p>',
        '<td data-label="activeHandoff">yes</td>',
        "<p>waits: outcome_unknown</p>",
    ],
)
def test_a_word_for_programs_is_found(page):
    assert len(program_words(page)) == 1
    assert not program_words(page.replace("<p>", "<p><code>").replace("data-label", "data-other")) or "was" in page


@pytest.mark.parametrize("reason", [*OutcomeReason, *DeadLetterCause, *WaitReason], ids=repr)
async def test_a_reason_is_told_in_words_on_every_page_that_shows_it(reason):
    words = getattr(reason, "for_people", None) or reason.advice or ""
    state = {"reason": reason.value} | ({"advice": reason.advice} if reason.advice else {})
    match reason:
        case OutcomeReason():
            shown = {"status": "finished", "outcome": "rejected", "effect": "none"} | state
        case DeadLetterCause():
            shown = {"status": "dead_lettered", "waiting": state}
        case WaitReason():
            shown = {"status": "waiting", "waiting": state}
    command = answers.command(1, commandId=COMMAND, **shown)
    known = {
        "/v1/overview": answers.overview(oldest=[command], deadLetters=[command], waiting={reason.value: 1}),
        "/v1/commands": {"commands": [command]},
        f"/v1/commands/{COMMAND}": command,
        "/v1/authorizations/auth_7Q2M": answers.record(),
        "/v1/authorizations/auth_7Q2M/timeline": answers.timeline(),
    }
    paths = ["/", "/commands", f"/commands/{COMMAND}", f"/authorizations/auth_7Q2M/work?command={COMMAND}"]
    *_, page, workbench = await pages_of(scripted(known), *paths)
    assert words in page.replace("&#39;", "'"), page
    if not isinstance(reason, WaitReason) and reason != "review_snapshot_stale":
        assert words in workbench.replace("&#39;", "'"), workbench


@pytest.mark.parametrize("cause", list(DeadLetterCause))
async def test_a_dead_letter_is_told_in_words(cause):
    detail = DETAIL | {"commandId": COMMAND, "cause": cause.value, "advice": cause.advice}
    known = {
        "/v1/dead-letters": {"deadLetters": [detail], "matching": 1, "leftOut": 0, "at": answers.ago()},
        f"/v1/dead-letters/{COMMAND}": detail,
        f"/v1/dead-letters/{COMMAND}/situation": SITUATION,
    }
    _, page = await pages_of(scripted(known), f"/dead-letters?cause={cause.value}", f"/dead-letters/{COMMAND}")
    assert cause.for_people in page.replace("&#39;", "'")


async def test_a_timeline_is_told_in_words():
    entries = [
        {"kind": kind, "says": describe(kind, data), "data": data, "at": answers.ago()} for kind, data, _ in ROWS
    ]
    path = "/v1/authorizations/auth_7Q2M"
    known = {path: answers.record(), f"{path}/timeline": {"authorizationId": "auth_7Q2M", "entries": entries}}
    await pages_of(scripted(known), "/authorizations/auth_7Q2M")


@pytest.mark.parametrize("reason", list(RiskReason))
async def test_a_risk_is_told_in_words(reason):
    event = event_factory.at_risk(Handoff(id="mhand_55", state="active", open_version=1), reason, 1.0, None)
    risk = {"reason": reason.value, "advice": event.advice, "endsAt": "2026-11-26T03:20:00Z"}
    entry = {"kind": "handoff.at_risk", "says": event.sentence(), "at": answers.ago()}
    api = ScriptedApi(
        **{
            "GET /auth_1": RECORD | {"activeHandoff": ACTIVE},
            "GET /timeline": {"entries": [entry | {"data": json.loads(event.to_json())}]},
        }
    )
    workbench, timeline = await pages_of(api, "/authorizations/auth_1/work", "/authorizations/auth_1")
    for page in (workbench, timeline):
        assert risk["advice"] in page.replace("&#39;", "'"), page


def test_a_forecast_is_told_in_words():
    for row in (row for rows in TABLE.values() for row in rows):
        assert not program_words(f"<p>{in_words(row.when)}</p>"), row.when
