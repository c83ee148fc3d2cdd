"""The workbench: what it asks the API, what it shows, and where the link is."""

import httpx
import pytest
from pydantic import SecretStr

from gateway.console.pages.workbench.reading import named, operator_query
from gateway.console.person import SignedInPerson, SignInWay
from tests.unit.console.app import STAFF, browser, console_app, console_settings, me

ORIGIN = "https://sessions.example"
LINK = f"{ORIGIN}/runtime/access/s3cret-grant"
HERE = "/authorizations/auth_1/work"
COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
RECORD = {
    "authorizationId": "auth_1",
    "sequence": 5,
    "version": 23,
    "status": "requires_action",
    "nextAction": "complete_payer_interaction",
    "resolution": "manual_handoff",
    "coversReviewSnapshotId": "rev_90",
    "actionRequiredAt": "2026-11-26T03:00:00Z",
    "payerId": "payer_example",
    "receiptSeen": False,
    "decisionSeen": False,
    "watchedSince": "2026-11-26T02:00:00Z",
    "updatedAt": "2026-11-26T03:00:00Z",
}
CLAIM = {"by": "sam.lee", "caller": "people:sam.lee", "since": "2026-11-26T03:05:00Z"}
ACTIVE = {"id": "mhand_55", "state": "active", "accessAvailable": True, "finalSubmitCapable": True}
SNAPSHOT = {
    "id": "rev_90",
    "status": "current",
    "summary": {"service": "MRI <b>brain</b>"},
    "warnings": ["Not verified."],
    "extra": {"deep": {"er": [1]}},
}
FORM = {"key": "k-1", "handoff": "mhand_55"}


def problem(status, slug, **members):
    body = {"type": f"urn:collate-gateway:problem:{slug}", "title": "T.", "status": status, "detail": "D."}
    return httpx.Response(status, json=body | {"requestId": "r1"} | members)


class ScriptedApi:
    """The API: answers by method and the end of the path, the longest one that fits."""

    def __init__(self, **answers):
        self.calls = []
        self.answers = {
            "GET /me": me,
            "GET /auth_1": RECORD,
            "GET /commands": {"commands": []},
            "GET /timeline": {"entries": []},
            "GET /overview": problem(404, "no-read-model"),
            "GET /review-snapshot": {
                "authorizationId": "auth_1",
                "version": 23,
                "coversReviewSnapshotId": "rev_90",
                "reviewSnapshot": SNAPSHOT,
            },
            f"GET /commands/{COMMAND}": {"commandId": COMMAND, "status": "finished", "outcome": "applied"},
        } | answers

    def __call__(self, request):
        self.calls.append(request)
        wanted = f"{request.method} {request.url.path}"
        found = [
            (len(name), answer)
            for name, answer in self.answers.items()
            if wanted.startswith(name.partition(" ")[0]) and wanted.endswith(name.partition(" ")[2])
        ]
        answer = max(found, key=lambda each: each[0])[1] if found else problem(404, "not-found")
        if callable(answer) and not isinstance(answer, httpx.Response):
            answer = answer(request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def sent(self, end):
        return [call for call in self.calls if call.url.path.endswith(end)]


@pytest.fixture
def page_of():
    """Return what the console answers, with an API of these answers."""

    async def ask(path=HERE, form=None, *, api=None, permissions=STAFF, origins=(ORIGIN,), headers=None, **answers):
        api = api or ScriptedApi(**answers)
        api.answers["GET /me"] = lambda request: me(request, permissions)
        settings = console_settings(session_origins=origins)
        async with browser(console_app(api, settings=settings)) as client:
            if form is None:
                response = await client.get(path, headers=headers)
            else:
                response = await client.post(path, data=form)
        response.api = api
        return response

    return ask


def with_handoff(**changes):
    return {"GET /auth_1": RECORD | {"activeHandoff": ACTIVE | changes}}


async def test_a_review_shows_the_snapshot_whole_and_escaped(page_of):
    page = await page_of()
    assert page.status_code == 200
    assert "MRI &lt;b&gt;brain&lt;/b&gt;" in page.text
    assert page.text.index("Not verified.") < page.text.index("MRI")
    assert "deep" in page.text
    assert "Accept rev_90 and open the handoff" in page.text


async def test_a_number_is_shown_as_collate_wrote_it(page_of):
    body = (
        b'{"authorizationId": "auth_1", "version": 23, "reviewSnapshot": {"id": "rev_90", "summary": {"dose": 1.10}}}'
    )
    answer = httpx.Response(200, content=body, headers={"content-type": "application/json"})
    assert ">1.10<" in (await page_of(**{"GET /review-snapshot": answer})).text


async def test_only_the_workbench_lets_a_form_lead_to_collate(page_of):
    page = await page_of(**with_handoff())
    assert f"form-action 'self' {ORIGIN};" in page.headers["content-security-policy"]
    other = await page_of("/events")
    assert ORIGIN not in other.headers["content-security-policy"]


async def test_an_update_reads_no_snapshot(page_of):
    page = await page_of(f"{HERE}?mark=review.rev_90.", headers={"hx-request": "true"})
    assert page.text.lstrip().startswith("<section")
    assert "<form" not in page.text
    assert page.api.sent("/review-snapshot") == []


async def test_without_the_permission_no_snapshot_is_read(page_of):
    page = await page_of(permissions=("authorization:read",))
    assert page.api.sent("/review-snapshot") == []
    assert "authorization:review" in page.text


@pytest.mark.parametrize(
    ("mark", "reloads", "says_moved"),
    [("opening.rev_90.", True, True), ("review.rev_89.", False, True), ("review.rev_90.", False, False)],
)
async def test_an_update_leads_on_only_where_nothing_can_be_typed(page_of, mark, reloads, says_moved):
    page = await page_of(f"{HERE}?mark={mark}", headers={"hx-request": "true"})
    assert ("data-reload" in page.text) is reloads
    assert ("Show the present step" in page.text) is says_moved


async def test_an_unwatched_authorization_can_be_watched(page_of):
    page = await page_of(permissions=(*STAFF, "authorization:watch"), **{"GET /auth_1": problem(404, "not-found")})
    assert "Watch it" in page.text
    assert "/work/watch" in page.text


@pytest.mark.parametrize("slug", ["no-read-model", "read-model-unavailable"])
async def test_without_the_read_model_the_page_says_so(page_of, slug):
    page = await page_of(**{"GET /auth_1": problem(503, slug)})
    assert page.status_code == 503
    assert "D." in page.text
    assert "Try again" in page.text


ACCEPTED = {"commandId": COMMAND, "status": "finished", "outcome": "applied"}


class TestOpening:
    async def test_an_acceptance_opens_the_handoff_once(self, page_of):
        form = {"key": "k-1", "snapshot": "rev_90", "accept": "yes"}
        answer = await page_of(f"{HERE}/open", form, **{"POST /handoffs": ACCEPTED})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?command={COMMAND}")
        (sent,) = answer.api.sent("/handoffs")
        assert sent.headers["idempotency-key"] == "k-1"
        assert sent.content == b'{"acceptedReviewSnapshotId":"rev_90"}'

    async def test_without_the_tick_nothing_is_sent(self, page_of):
        answer = await page_of(f"{HERE}/open", {"key": "k-1", "snapshot": "rev_90"})
        assert answer.status_code == 422
        assert answer.api.sent("/handoffs") == []
        assert "tick this first" in answer.text

    async def test_a_changed_snapshot_is_refused_and_the_new_one_shown(self, page_of):
        refused = {"commandId": COMMAND, "type": "collate-gateway.handoff.request.v1", "status": "finished"}
        refused |= {"outcome": "rejected", "reason": "review_snapshot_stale"}
        newer = SNAPSHOT | {"id": "rev_91"}
        answers = {
            "GET /auth_1": RECORD | {"coversReviewSnapshotId": "rev_91"},
            "GET /review-snapshot": {"authorizationId": "auth_1", "version": 24, "reviewSnapshot": newer},
            f"GET /commands/{COMMAND}": refused,
        }
        page = await page_of(f"{HERE}?command={COMMAND}", **answers)
        assert "Nothing was opened" in page.text
        assert "Accept rev_91 and open the handoff" in page.text

    async def test_an_unknown_result_keeps_the_key(self, page_of):
        def nothing(request):
            raise httpx.ConnectError("down")

        form = {"key": "k-77", "snapshot": "rev_90", "accept": "yes"}
        answer = await page_of(f"{HERE}/open", form, **{"POST /handoffs": nothing})
        assert answer.status_code == 503
        assert 'value="k-77"' in answer.text
        assert "unknown" in answer.text


class TestReporting:
    TYPED = FORM | {"result": "submitted", "reference": "R-1", "notes": "Seen <here>."}

    async def test_a_report_closes_the_handoff(self, page_of):
        accepted = {"commandId": COMMAND, "status": "accepted"}
        answer = await page_of(f"{HERE}/report", self.TYPED, **with_handoff(), **{"POST /close": accepted})
        assert answer.status_code == 303
        assert "R-1" not in answer.headers["location"]
        (sent,) = answer.api.sent("/mhand_55/close")
        assert b'"observedReferenceNumber":"R-1"' in sent.content

    async def test_a_refused_report_keeps_what_was_typed_under_a_new_key(self, page_of):
        refusal = problem(422, "invalid-command", errors=[{"pointer": "/result/operatorNotes", "detail": "a text"}])
        answer = await page_of(f"{HERE}/report", self.TYPED, **with_handoff(), **{"POST /close": refusal})
        assert answer.status_code == 422
        assert "Seen &lt;here&gt;." in answer.text
        assert 'value="R-1"' in answer.text
        assert 'value="k-1"' not in answer.text

    async def test_a_report_without_its_reason_is_not_sent(self, page_of):
        answer = await page_of(f"{HERE}/report", FORM | {"result": "unable_to_complete"}, **with_handoff())
        assert answer.status_code == 422
        assert answer.api.sent("/close") == []
        assert "Choose why" in answer.text


GRANT = {"handoffId": "mhand_55", "id": "g", "url": LINK, "expiresAt": "2026-11-26T04:00:00Z"}
GRANTED = httpx.Response(201, json=GRANT)


class TestTheLink:
    async def test_the_link_is_only_in_the_location_of_an_empty_303(self, page_of):
        answer = await page_of(f"{HERE}/session", FORM, **{"POST /access-grants": GRANTED})
        assert (answer.status_code, answer.headers["location"], answer.content) == (303, LINK, b"")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        others = [value for name, value in answer.headers.items() if name != "location"]
        assert "s3cret" not in " ".join(others)

    async def test_the_button_is_a_plain_form_in_a_new_tab(self, page_of):
        page = await page_of(**with_handoff())
        (form,) = [line for line in page.text.splitlines() if f'action="{HERE}/session"' in line]
        assert 'target="_blank" rel="noopener"' in form
        assert "hx-ignore" in form
        assert "hx-post" not in page.text

    async def test_no_link_is_made_without_a_click(self, page_of):
        page = await page_of(**with_handoff())
        assert page.api.sent("/access-grants") == []

    async def test_another_persons_handoff_is_not_entered_unknowingly(self, page_of):
        refusal = problem(409, "handoff-claimed", claimedBy="sam.lee", claimedSince=CLAIM["since"])
        answer = await page_of(f"{HERE}/session", FORM, **{"POST /access-grants": refusal})
        assert answer.status_code == 409
        assert "Take over from sam.lee" in answer.text
        assert f"form-action 'self' {ORIGIN};" in answer.headers["content-security-policy"]

    async def test_a_take_over_is_sent_only_if_it_was_clicked(self, page_of):
        plain = await page_of(f"{HERE}/session", FORM, **{"POST /access-grants": GRANTED})
        taken = await page_of(f"{HERE}/session", FORM | {"take_over": "yes"}, **{"POST /access-grants": GRANTED})
        assert plain.api.sent("/access-grants")[0].content == b"{}"
        assert taken.api.sent("/access-grants")[0].content == b'{"takeOver":true}'

    async def test_a_link_of_another_origin_is_refused_without_showing_it(self, page_of):
        answer = await page_of(f"{HERE}/session", FORM, origins=(), **{"POST /access-grants": GRANTED})
        assert answer.status_code == 500
        assert "location" not in answer.headers
        assert "s3cret" not in answer.text
        assert "console.session_origins" in answer.text

    async def test_an_old_pages_button_gets_a_new_link(self, page_of):
        api = ScriptedApi()
        old = problem(409, "access-unavailable", reason="grants_too_short")
        api.answers["POST /access-grants"] = lambda _: GRANTED if len(api.sent("/access-grants")) > 1 else old
        answer = await page_of(f"{HERE}/session", FORM, api=api)
        first, second = api.sent("/access-grants")
        assert answer.status_code == 303
        assert first.headers["idempotency-key"] != second.headers["idempotency-key"]

    async def test_collates_message_is_shown_with_a_refusal(self, page_of):
        refusal = problem(409, "access-unavailable", reason="access_not_available", message="<i>MFA</i>")
        answer = await page_of(f"{HERE}/session", FORM, **{"POST /access-grants": refusal})
        assert "&lt;i&gt;MFA&lt;/i&gt;" in answer.text


class TestInHand:
    async def test_a_claim_of_another_person_is_the_first_thing_seen(self, page_of):
        page = await page_of(**with_handoff(claim=CLAIM))
        assert "sam.lee has this handoff in hand" in page.text
        assert "Take over from sam.lee" in page.text
        assert "Give it back" not in page.text

    async def test_ones_own_handoff_can_be_given_back(self, page_of):
        own = CLAIM | {"by": "jo.miller", "caller": "people:jo.miller"}
        page = await page_of(**with_handoff(claim=own))
        assert "Give it back" in page.text
        released = await page_of(f"{HERE}/release", FORM, **{"POST /release": httpx.Response(202, json={})})
        assert released.status_code == 303

    async def test_a_link_counts_down(self, page_of):
        entry = {"at": "2026-11-26T03:13:00Z", "kind": "handoff.access_granted", "says": "…"}
        entry["data"] = {"handoffId": "mhand_55", "operator": "jo.miller", "expiresAt": "2026-11-26T03:15:00Z"}
        page = await page_of(**with_handoff(), **{"GET /timeline": {"entries": [entry]}})
        assert "data-left>60 s" in page.text
        assert "New link into the session" in page.text


@pytest.mark.parametrize(
    ("agreement", "text"),
    [
        ("agrees", "agrees with the report: submitted"),
        ("contradicts", "contradicts the report: jo.miller reported submitted"),
        ("undetermined", "neither agrees"),
        ("no_report", "ended without a report"),
    ],
)
async def test_the_payers_truth_is_beside_the_report(page_of, agreement, text):
    last = {"id": "mhand_55", "result": "completed_reported", "reported": "submitted", "reportedBy": "jo.miller"}
    page = await page_of(
        **{"GET /auth_1": RECORD | {"status": "processing", "lastHandoff": last | {"agreement": agreement}}}
    )
    assert text in page.text


@pytest.mark.parametrize("action", ["open", "report", "watch", "session", "release"])
async def test_a_form_without_its_key_is_refused(page_of, action):
    form = {"handoff": "/../x", "result": "submitted"}
    answer = await page_of(f"{HERE}/{action}", form)
    assert answer.status_code == 400
    assert not [call for call in answer.api.calls if call.method == "POST"]


async def test_a_key_that_signs_in_names_the_person_in_each_body(page_of):
    """A service's key does not say who the person is, so the console does."""
    person = SignedInPerson("jo.miller", frozenset(), SecretStr("k"), SignInWay.key)
    assert named(person, "requestedBy", "acceptedBy") == {"requestedBy": "jo.miller", "acceptedBy": "jo.miller"}
    assert operator_query(person) == {"operator": "jo.miller"}


async def test_what_the_payer_said_is_a_page_of_its_own(page_of):
    evidence = {"authorizationId": "auth_1", "version": 27, "status": "completed", "payerReceipt": {"no": "R<1>"}}
    allowed = (*STAFF, "authorization:evidence")
    page = await page_of(f"{HERE}/evidence", permissions=allowed, **{"GET /payer-evidence": evidence})
    assert "R&lt;1&gt;" in page.text
    assert (await page_of(f"{HERE}/evidence")).status_code == 403


async def test_a_session_that_ended_keeps_a_report_and_leads_an_entry_back_to_the_workbench():
    typed = TestReporting.TYPED
    async with browser(console_app(ScriptedApi())) as client:
        del client.headers["authorization"]
        report = await client.post(f"{HERE}/report", data=typed)
        entry = await client.post(f"{HERE}/session", data=FORM)
    assert (report.status_code, entry.status_code) == (401, 401)
    assert 'name="notes" value="Seen &lt;here&gt;."' in report.text
    assert f'action="{HERE}/report"' in report.text
    assert "<form" not in entry.text.partition("<main")[2].partition("</main")[0]
    assert f'href="{HERE}"' in entry.text
