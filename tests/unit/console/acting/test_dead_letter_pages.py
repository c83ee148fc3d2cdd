"""The pages of dead letters: what they ask the API, and what a button says."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.console.acting.test_workbench_pages import ScriptedApi, problem
from tests.unit.console.app import browser, console_app, me

pytestmark = pytest.mark.virtual_time

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
LETTER = {
    "commandId": COMMAND,
    "command": "collate-gateway.handoff.request.v1",
    "caller": "intake",
    "authorizationId": "auth_1",
    "acceptedAt": "2026-11-26T03:00:00Z",
    "deadAt": "2026-11-26T03:04:00Z",
    "cause": "outcome_unknown",
    "advice": "Look in Collate.",
    "redrive": 0,
    "writes": 1,
    "canRedrive": True,
}
WRITE = {"n": 1, "operation": "create", "mayHaveArrived": True, "firstSentAt": "2026-11-26T03:01:00Z"}
DETAIL = LETTER | {"asks": {"acceptedReviewSnapshotId": "rev_90"}, "sent": [WRITE], "partition": 3, "offset": 9}
SITUATION = {
    "commandId": COMMAND,
    "at": "2026-11-26T03:14:00Z",
    "authorizationId": "auth_1",
    "version": 7,
    "status": "requires_action",
    "nextAction": "complete_payer_interaction",
    "coversReviewSnapshotId": "rev_90",
    "receiptSeen": False,
    "decisionSeen": False,
}
OPEN = SITUATION | {"activeHandoffId": "mhand_1", "handoff": {"id": "mhand_1", "state": "active", "version": 2}}
LIST = {"deadLetters": [LETTER], "matching": 45, "leftOut": 0, "at": "2026-11-26T03:14:00Z", "digest": "0" * 32}
ONE = f"/dead-letters/{COMMAND}"


@pytest.fixture
def page_of():
    async def ask(path, form=None, *, permissions=("operate",), headers=None, **answers):
        api = ScriptedApi(
            **{
                "GET /dead-letters": LIST,
                f"GET /{COMMAND}": DETAIL,
                "GET /situation": SITUATION,
                "GET /me": lambda request: me(request, permissions),
            }
            | answers
        )
        async with browser(console_app(api)) as client:
            if form is None:
                response = await client.get(path, headers=headers)
            else:
                response = await client.post(path, data=form)
        response.api = api
        return response

    return ask


async def test_without_the_permission_nothing_is_asked(page_of):
    for path in ("/dead-letters", ONE, f"{ONE}/reveal", "/dead-letters/all"):
        page = await page_of(path, permissions=("authorization:read",))
        assert "You may not decide as an operator." in page.text
        assert not [call for call in page.api.calls if "dead-letters" in call.url.path]


async def test_a_list_has_its_filters_and_leads_to_all_that_match(page_of):
    page = await page_of("/dead-letters?cause=outcome_unknown&since=24h&bogus=1")
    (call,) = page.api.sent("/dead-letters")
    assert dict(call.url.params) == {"cause": "outcome_unknown", "since": "2026-11-25T03:14:00Z", "limit": "50"}
    assert "/dead-letters/all?cause=outcome_unknown&amp;since=24h" in page.text
    assert f'href="{ONE}"' in page.text


async def test_an_update_of_an_unchanged_list_is_304(page_of):
    first = await page_of("/dead-letters", headers={"hx-request": "true"})
    assert first.text.lstrip().startswith("<section")
    again = await page_of("/dead-letters", headers={"hx-request": "true", "if-none-match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("dead_letters", "text"), [("/dead-letters", "There are no dead"), ("/dead-letters?caller=x", "matches")]
)
async def test_an_empty_list_says_why(page_of, dead_letters, text):
    page = await page_of(dead_letters, **{"GET /dead-letters": LIST | {"deadLetters": [], "matching": 0}})
    assert text in page.text


@pytest.mark.parametrize(
    ("situation", "sent", "button"),
    [
        (SITUATION, [], "Redrive: sends the command to Collate"),
        (OPEN, [], "Redrive: sends nothing, ends as already done"),
        (OPEN, [WRITE], "Redrive: sends the last write once more, unchanged"),
        (SITUATION | {"status": "processing"}, [], "Redrive: sends nothing, ends as rejected"),
        (problem(503, "collate-unavailable"), [], "Redrive: the result cannot be forecast now"),
    ],
)
async def test_the_button_says_the_forecast(page_of, situation, sent, button):
    page = await page_of(ONE, **{"GET /situation": situation, f"GET /{COMMAND}": DETAIL | {"sent": sent}})
    assert page.status_code == 200
    assert button in page.text
    assert "Discard: sends nothing, ends as discarded" in page.text


async def test_a_write_that_may_have_arrived_is_named(page_of):
    page = await page_of(ONE)
    assert "A write may have arrived at Collate" in page.text


async def test_a_decision_goes_to_the_api_with_the_number_that_was_seen(page_of):
    form = {"redrive": "0", "reason": "checked_by_hand", "ticket": "OPS-1", "why": "Looked."}
    gone = problem(404, "not-a-dead-letter")
    answer = await page_of(f"{ONE}/redrive", form, **{"POST /redrive": {"status": "finished"}, f"GET /{COMMAND}": gone})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ONE}?decided=redrive&number=0")
    (sent,) = answer.api.sent("/redrive")
    assert json.loads(sent.content) == {"reason": "checked_by_hand", "ticket": "OPS-1", "why": "Looked.", "redrive": 0}


async def test_a_refused_decision_keeps_what_was_typed(page_of):
    form = {"redrive": "0", "reason": "other", "ticket": "OPS-1", "why": "Looked <there>."}
    answer = await page_of(f"{ONE}/discard", form, **{"POST /discard": problem(409, "dead-letter-moved")})
    assert answer.status_code == 409
    assert "Looked &lt;there&gt;." in answer.text
    without = await page_of(f"{ONE}/discard", form | {"reason": ""})
    assert without.status_code == 422
    assert without.api.sent("/discard") == []


async def test_after_a_decision_the_page_says_what_became_of_the_command(page_of):
    ended = {"commandId": COMMAND, "status": "finished", "outcome": "already_done"}
    answers = {f"GET /dead-letters/{COMMAND}": problem(404, "not-a-dead-letter"), f"GET /commands/{COMMAND}": ended}
    page = await page_of(f"{ONE}?decided=redrive", **answers)
    assert "ended as already done" in page.text
    stranger = await page_of(ONE, **answers)
    assert (stranger.status_code, "not a dead letter (any more)" in stranger.text) == (404, True)


@pytest.mark.parametrize(("redrives", "reads"), [([0, 0], 2), ([1], 1)], ids=["not handled", "a dead letter again"])
async def test_a_decision_waits_once_for_its_end(page_of, redrives, reads):
    left = list(redrives)
    answers = {
        "POST /redrive": {"commandId": COMMAND, "status": "accepted"},
        f"GET /dead-letters/{COMMAND}": lambda _: httpx.Response(200, json=DETAIL | {"redrive": left.pop(0)}),
    }
    answer = await page_of(f"{ONE}/redrive", {"redrive": "0", "reason": "other"}, **answers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ONE}?decided=redrive&number=0")
    assert len(answer.api.sent(f"/dead-letters/{COMMAND}")) == reads


@pytest.mark.parametrize(
    ("decided", "number", "text"),
    [
        ("discard", 0, "Your decision was about number 0; number 1 is open."),
        ("discard", 1, "Your discard is accepted. The worker has not handled it yet."),
        ("redrive", 0, "Your redrive is accepted. The command became a dead letter again"),
        ("redrive", 1, "Your redrive is accepted. The worker has not handled it yet."),
    ],
)
async def test_a_page_after_a_decision_compares_its_number_with_the_open_one(page_of, decided, number, text):
    page = await page_of(f"{ONE}?decided={decided}&number={number}", **{f"GET /{COMMAND}": DETAIL | {"redrive": 1}})
    assert text in page.text


async def test_only_the_reveal_page_asks_for_the_original(page_of):
    page = await page_of(ONE)
    assert page.api.sent("/original") == []
    revealed = await page_of(
        f"{ONE}/reveal", **{"GET /original": {"commandId": COMMAND, "data": {"notes": "Ms <Doe>"}, "value": ""}}
    )
    assert "Ms &lt;Doe&gt;" in revealed.text
    assert len(revealed.api.sent("/original")) == 1


def without_nulls(body):
    given = {name: value for name, value in body.items() if value is not None}
    return {name: without_nulls(value) if isinstance(value, dict) else value for name, value in given.items()}


def hidden(text):
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text))


class TestAllThatMatch:
    async def test_the_page_counts_and_forecasts_by_verdict(self, page_of):
        page = await page_of("/dead-letters/all?cause=outcome_unknown")
        assert "45 dead letters" in page.text
        assert "sends the last write once more, unchanged" in page.text
        assert hidden(page.text) == {
            "cause": "outcome_unknown",
            "before": "2026-11-26T03:14:00Z",
            "count": "45",
            "digest": "0" * 32,
            "decided": "0",
            "leftOut": "0",
        }

    async def test_a_request_decides_what_was_seen_and_the_address_holds_the_rest(self, page_of):
        first = await page_of("/dead-letters/all?cause=outcome_unknown&since=24h")
        form = hidden(first.text) | {"verb": "redrive", "reason": "collate_recovered", "run": "yes", "why": "Ms Doe"}
        decided = {"decided": [COMMAND] * 19, "notDecided": [{}], "remaining": 25, "digest": "1" * 32, "next": "c_1"}
        answer = await page_of("/dead-letters/all", form, **{"POST /decisions": decided})
        (sent,) = answer.api.sent("/decisions")
        assert without_nulls(json.loads(sent.content)) == {
            "decision": "redrive",
            "reason": "collate_recovered",
            "selection": {
                "cause": "outcome_unknown",
                "since": "2026-11-25T03:14:00Z",
                "before": "2026-11-26T03:14:00Z",
            },
            "count": 45,
            "digest": "0" * 32,
        }
        location = urlsplit(answer.headers["location"])
        rest = {name: values[0] for name, values in parse_qs(location.query).items()}
        assert (rest["count"], rest["digest"], rest["after"], rest["decided"], rest["leftOut"]) == (
            "25",
            "1" * 32,
            "c_1",
            "19",
            "1",
        )
        assert "Doe" not in answer.headers["location"]
        following = await page_of(answer.headers["location"])
        form = hidden(following.text)
        assert (form["count"], form["after"], form["reason"], form["run"]) == ("25", "c_1", "collate_recovered", "yes")
        assert 'hx-trigger="load delay:4s"' in following.text
        (listed,) = following.api.sent("/dead-letters")
        assert (listed.url.params["cursor"], listed.url.params["before"]) == ("c_1", "2026-11-26T03:14:00Z")

    async def test_a_changed_set_is_shown_again_and_nothing_decided(self, page_of):
        form = hidden((await page_of("/dead-letters/all")).text) | {"verb": "discard", "reason": "other"}
        answer = await page_of("/dead-letters/all", form, **{"POST /decisions": problem(409, "dead-letters-changed")})
        assert answer.headers["location"] == "/dead-letters/all?changed=yes"
        assert "Nothing was decided: the dead letters have changed" in (await page_of(answer.headers["location"])).text

    async def test_the_last_request_ends_the_run(self, page_of):
        form = hidden((await page_of("/dead-letters/all")).text) | {"verb": "redrive", "reason": "other", "run": "yes"}
        decided = {"decided": [COMMAND], "notDecided": [], "remaining": 0, "digest": "2" * 32}
        answer = await page_of("/dead-letters/all", form, **{"POST /decisions": decided})
        assert "run=yes" not in answer.headers["location"]
        page = await page_of(answer.headers["location"])
        assert "All are decided" in page.text
        assert page.api.sent("/dead-letters") == []

    @pytest.mark.parametrize("changes", [{"verb": "delete"}, {"reason": "because"}, {"reason": ""}])
    async def test_an_incomplete_form_decides_nothing(self, page_of, changes):
        form = hidden((await page_of("/dead-letters/all")).text) | {"verb": "redrive", "reason": "other"} | changes
        answer = await page_of("/dead-letters/all", form)
        assert answer.status_code == 422
        assert answer.api.sent("/decisions") == []

    async def test_without_an_answer_the_result_is_unknown_and_the_list_is_read_again(self, page_of):
        def nothing(request):
            raise httpx.ReadTimeout("late")

        form = hidden((await page_of("/dead-letters/all")).text) | {"verb": "redrive", "reason": "other"}
        answer = await page_of("/dead-letters/all", form, **{"POST /decisions": nothing})
        assert answer.status_code == 502
        assert answer.api.sent("/dead-letters")[0].url.params["digest"] == "true"
