"""The workbench: what it asks the API, what it shows, and where the link is."""

import base64
import json
import re
import secrets
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from console.person import SignInWay
from console.sign_in.sealing import Sealer
from console.sign_in.sessions import Sessions, new_session
from tests.unit.console.answers import TURNED_AWAY, overview
from tests.unit.console.app import NOW, STAFF, browser, console_app, console_settings, me

pytestmark = pytest.mark.virtual_time

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
LINK_EVENT = {"handoffId": "mhand_55", "operator": "jo.miller", "expiresAt": "2026-11-26T03:10:00Z"}


NOW_TEXT = "2026-11-26T03:14:00Z"


def live_of(record, at="2026-11-26T03:13:58Z", **changes):
    """Return what a live read shows of an authorization, as the record has it."""
    if not isinstance(record, dict):
        return problem(404, "authorization-not-found")
    only_ours = {"sequence", "watchedSince", "updatedAt", "actionRequiredAt", "activeHandoff", "lastHandoff"}
    live = {name: value for name, value in record.items() if name not in only_ours}
    active = record.get("activeHandoff")
    live |= {"at": at, "isHandoffOpen": active is not None}
    if active is not None:
        live["handoff"] = {name: value for name, value in active.items() if name not in {"claim", "openedAt"}}
        live["handoff"]["messageAvailable"] = False
    return live | changes


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
            "GET /overview": overview(at=NOW_TEXT, projector={"at": NOW_TEXT, "behind": 0}),
            "GET /active": lambda _: live_of(self.answers["GET /auth_1"]),
            "GET /mhand_55": lambda request: self.answered(self.answers["GET /active"], request),
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
        return self.answered(max(found, key=lambda each: each[0])[1] if found else problem(404, "not-found"), request)

    def answered(self, answer, request):
        if callable(answer) and not isinstance(answer, httpx.Response):
            answer = answer(request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def live_reads(self):
        """Return the handoff of each live read, and whether the read was with its message."""
        reads = [call for call in self.calls if "/handoffs/" in call.url.path and call.method == "GET"]
        return [(call.url.path.rpartition("/")[2], "message" not in call.url.params) for call in reads]

    def sent(self, end):
        return [call for call in self.calls if call.url.path.endswith(end)]


@pytest.fixture
def page_of():
    """Return what the console answers, with an API of these answers."""

    async def ask(
        path=HERE, form=None, *, api=None, permissions=STAFF, origins=(ORIGIN,), headers=None, follow=False, **answers
    ):
        api = api or ScriptedApi(**answers)
        api.answers["GET /me"] = lambda request: me(request, permissions)
        settings = console_settings(session_origins=origins)
        async with browser(console_app(api, settings=settings)) as client:
            if form is None:
                response = await client.get(path, headers=headers)
            else:
                response = await client.post(path, data=form, follow_redirects=follow)
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


@pytest.mark.parametrize(
    ("payer", "more", "is_said"),
    [
        ("payer_example", {}, True),
        ("payer_example", {"coversReviewSnapshotId": None}, True),
        ("payer_other", {}, False),
        (None, {}, False),
        ("payer_example", {"activeHandoff": ACTIVE}, False),
        ("payer_example", {"status": "processing", "nextAction": None}, False),
    ],
)
async def test_a_payer_that_turns_people_away_is_said_before_the_opening(page_of, payer, more, is_said):
    record = {name: value for name, value in (RECORD | {"payerId": payer} | more).items() if value is not None}
    dead = overview(
        at=NOW_TEXT,
        projector={"at": NOW_TEXT, "behind": 0},
        work=overview()["work"] | {"turnedAway": [TURNED_AWAY]},
    )
    page = await page_of(**{"GET /auth_1": record, "GET /overview": dead})
    assert ("People report that they do not get in" in page.text) is is_said
    assert len(page.api.sent("/overview")) == 1
    if is_said:
        assert page.text.index("People report") < page.text.index("pen the handoff</button>")
        part = {"path": f"{HERE}?mark=", "headers": {"hx-request": "true"}, "GET /auth_1": record}
        while_dead, after = await page_of(**part, **{"GET /overview": dead}), await page_of(**part)
        assert ("People report" in while_dead.text, "People report" in after.text) == (True, False)
        assert while_dead.headers["etag"] != after.headers["etag"], "an open page takes the end"


async def test_only_the_workbench_lets_a_form_lead_to_collate(page_of):
    page = await page_of(**with_handoff())
    assert f"form-action 'self' {ORIGIN};" in page.headers["content-security-policy"]
    other = await page_of("/developers")
    assert ORIGIN not in other.headers["content-security-policy"]


async def test_an_update_reads_no_snapshot(page_of):
    page = await page_of(f"{HERE}?mark=review.rev_90.", headers={"hx-request": "true"})
    assert page.text.lstrip().startswith("<section")
    assert "<form" not in page.text
    assert page.api.sent("/review-snapshot") == []


async def test_without_the_permission_no_snapshot_is_read(page_of):
    page = await page_of(permissions=("authorization:read",))
    assert page.api.sent("/review-snapshot") == []
    assert "You may not read review snapshots." in page.text


@pytest.mark.parametrize(
    ("mark", "reloads", "says_moved"),
    [("opening.rev_90.", True, True), ("review.rev_89.", False, True), ("review.rev_90.", False, False)],
)
async def test_an_update_leads_on_only_where_nothing_can_be_typed(page_of, mark, reloads, says_moved):
    page = await page_of(f"{HERE}?mark={mark}", headers={"hx-request": "true"})
    assert ("data-reload" in page.text) is reloads
    assert ("Show the present step" in page.text) is says_moved


AWAY = problem(503, "read-model-unavailable")
HANGS = problem(503, "overloaded")
NONE = problem(404, "no-read-model")
OLD = "2026-11-26T03:10:00Z"
LIVE_OPEN = live_of(RECORD | {"activeHandoff": ACTIVE})
OWN = f"GET /commands/{COMMAND}"
LATE = {"GET /overview": overview(at=NOW_TEXT, projector={"at": OLD, "behind": 0}), OWN: problem(404, "not-found")}
FAULTS = {
    "projector dead": LATE,
    "projector dead from the start": LATE | {"GET /auth_1": problem(404, "not-found")},
    "projector behind": LATE | {"GET /overview": overview(at=NOW_TEXT, projector={"at": NOW_TEXT, "behind": 5_000})},
    **{
        name: dict.fromkeys(("GET /auth_1", "GET /commands", "GET /timeline", "GET /overview", OWN), answer)
        for name, answer in {"PostgreSQL away": AWAY, "PostgreSQL hangs": HANGS, "no read model": NONE}.items()
    },
}


@pytest.fixture(params=FAULTS.values(), ids=FAULTS)
def fault(request):
    return request.param


class TestWithoutTheReadModel:
    """Optional means optional for people: each page, with each fault of the read model."""

    async def test_the_page_shows_collates_state_with_its_time_and_no_second_opening(self, page_of, fault):
        page = await page_of(**fault | {"GET /active": LIVE_OPEN})
        assert page.status_code == 200
        assert "2026-11-26 03:13:58 UTC" in page.text
        assert "from Collate" in page.text
        assert "Get into the session" in page.text
        assert "Report and end the handoff" in page.text
        assert "Withdraw the handoff" in page.text
        assert "Give it back to the team" in page.text
        assert "not known now" in page.text
        assert "Open the handoff" not in page.text
        assert "open the handoff</button>" not in page.text
        assert page.api.live_reads() == [("active", False), ("mhand_55", True)], "the state, then the message"

    async def test_a_handoff_can_be_opened_if_collate_shows_none(self, page_of, fault):
        page = await page_of(**fault | {"GET /active": live_of(RECORD)})
        assert "Accept rev_90 and open the handoff" in page.text
        opened = await page_of(
            f"{HERE}/open",
            {"key": "k-1", "snapshot": "rev_90", "accept": "yes"},
            **fault,
            **{"POST /handoffs": OPENED},
        )
        assert opened.status_code == 303

    async def test_an_accepted_report_is_confirmed_before_anything_is_read(self, page_of, fault):
        form = TestReporting.TYPED
        answer = await page_of(f"{HERE}/report", form, **fault, **{"POST /close": REPORTED})
        assert answer.status_code == 303
        assert [call.method for call in answer.api.calls if call.url.path != "/v1/me"] == ["POST"]
        assert "R-1" not in str(answer.headers)

    @pytest.mark.parametrize(
        "live", [LIVE_OPEN, problem(503, "collate-unavailable")], ids=["Collate", "not even Collate"]
    )
    async def test_no_failure_of_a_read_replaces_the_confirmation(self, page_of, fault, live):
        form = TestReporting.TYPED
        page = await page_of(
            f"{HERE}/report", form, follow=True, **fault, **{"POST /close": REPORTED, "GET /active": live}
        )
        assert "Your report was accepted at" in page.text
        assert f">{COMMAND}</a>" in page.text
        assert "Report and end the handoff" not in page.text or live is not LIVE_OPEN

    async def test_an_update_that_reads_nothing_keeps_the_content_and_one_that_reads_live_has_its_step(
        self, page_of, fault
    ):
        update = {"headers": {"hx-request": "true"}}
        path = f"{HERE}?mark=session.rev_90.mhand_55"
        page = await page_of(path, **update, **fault, **{"GET /active": LIVE_OPEN})
        assert (page.status_code, "has changed since" in page.text) == (200, False)
        if "GET /auth_1" in fault:
            page = await page_of(path, **update, **fault, **{"GET /active": problem(503, "collate-unavailable")})
            assert page.status_code in {404, 503}, "the status lets the browser keep what it shows"

    async def test_the_permission_for_a_live_read_is_named(self, page_of, fault):
        allowed = ("authorization:read", "handoff:close")
        page = await page_of(permissions=allowed, **fault | {"GET /active": LIVE_OPEN})
        assert page.api.sent("/handoffs/active") == []
        if "GET /auth_1" in fault:
            assert "You may not enter sessions." in page.text


async def test_a_page_that_offers_to_open_asks_collate_also_while_the_read_model_is_up_to_date(page_of):
    page = await page_of(**{"GET /active": LIVE_OPEN})
    assert "Get into the session" in page.text
    assert "open the handoff</button>" not in page.text
    update = await page_of(
        f"{HERE}?mark=session.rev_90.mhand_55", headers={"hx-request": "true"}, **{"GET /active": LIVE_OPEN}
    )
    assert "data-reload" not in update.text
    assert "has changed since" not in update.text


async def test_an_up_to_date_page_with_an_open_handoff_reads_no_state_of_collate(page_of):
    page = await page_of(**with_handoff())
    assert page.api.live_reads() == [("mhand_55", True)]
    assert "from the read model" in page.text
    assert "2026-11-26 03:14:00 UTC" in page.text


async def test_a_late_page_without_collate_says_both_and_keeps_the_record_with_its_time(page_of):
    page = await page_of(**LATE, **with_handoff(), **{"GET /active": problem(503, "collate-unavailable")})
    assert page.status_code == 200
    assert "Collate could not be read now" in page.text
    assert "This page may be old" in page.text
    assert ">4 min</time> behind" in page.text


async def test_a_handoff_without_a_readable_id_offers_no_second_one(page_of):
    page = await page_of(**{"GET /active": live_of(RECORD, isHandoffOpen=True)})
    assert "its id cannot be read" in page.text
    assert "<form" not in page.text.partition("<main")[2].partition("</main")[0]


def told(request):
    """Return the live read of a handoff with a message."""
    message = {} if request.url.params.get("message") == "omit" else {"message": "Ask <Pat>"}
    return LIVE_OPEN | {"handoff": ACTIVE | {"messageAvailable": True} | message}


TOLD = {"GET /active": told}


async def test_collates_message_is_shown_before_the_way_into_the_session(page_of):
    page = await page_of(**with_handoff(), **TOLD)
    assert page.api.live_reads() == [("mhand_55", True)], "the read is on record"
    before, button, _ = page.text.partition("Get into the session")
    assert button
    assert "Ask &lt;Pat&gt;" in before


@pytest.mark.parametrize(
    ("holder", "link", "kept"),
    [("jo.miller", True, True), ("jo.miller", False, False), ("sam.lee", True, False), (None, True, False)],
)
async def test_polls_keep_the_session_of_the_person_who_is_at_the_payer(tmp_path, holder, link, kept):
    key_file = tmp_path / "keys"
    key_file.write_text(secrets.token_urlsafe(32))
    settings = console_settings(trust_bearer=False, key_sign_in=True, cookie_key_file=key_file)
    sessions = Sessions(Sealer(key_file), settings.console)
    began = NOW - timedelta(minutes=14)
    person = new_session(SignInWay.link, "jo.miller", SecretStr("token"), frozenset(STAFF), began)
    name, _, value = sessions.write(person, {})[0].partition(";")[0].partition("=")
    granted = {"at": NOW_TEXT, "kind": "handoff.access_granted", "says": "", "data": LINK_EVENT}
    claim = {} if holder is None else {"claim": CLAIM | {"by": holder}}
    api = ScriptedApi(**with_handoff(**claim), **{"GET /timeline": {"entries": [granted] if link else []}})
    async with browser(console_app(api, settings=settings)) as client:
        client.cookies.set(name, value)
        update = await client.get(HERE, headers={"hx-request": "true"})
    assert update.status_code == 200
    assert ("set-cookie" in update.headers) is kept
    if kept:
        read = sessions.read({name: update.cookies[name]}, NOW + timedelta(minutes=14))
        assert (read.seen_at, read.held_at) == (began, NOW)


READ = "Read Collate\N{RIGHT SINGLE QUOTATION MARK}s message"


class TestAMessageThatComesLater:
    """The part that updates says that there is a message, and reads none."""

    PART = f"{HERE}?mark=session.rev_90.mhand_55"

    async def updated(self, page_of, etag="", **answers):
        headers = {"hx-request": "true", "if-none-match": etag}
        return await page_of(self.PART, headers=headers, **with_handoff() | answers)

    async def test_the_part_that_brings_the_button_brings_the_way_to_the_message(self, page_of):
        page = await page_of(**with_handoff(accessAvailable=False))
        known = page.text.partition('data-etag="')[2].partition('"')[0].replace("&#34;", '"')
        update = await self.updated(page_of, known, **TOLD)
        before, button, _ = update.text.partition("Get into the session")
        assert button
        assert f'formaction="{HERE}/message" formnovalidate>{READ}</button>' in before
        assert update.api.live_reads() == [("mhand_55", False)]
        assert "Pat" not in update.text
        again = await self.updated(page_of, update.headers["etag"], **TOLD)
        assert (again.status_code, again.api.live_reads()) == (304, []), "it is asked once for each state"

    async def test_a_page_that_showed_the_message_says_no_more_of_it(self, page_of):
        page = await page_of(**with_handoff(), **TOLD)
        known = page.text.partition('data-etag="')[2].partition('"')[0].replace("&#34;", '"')
        assert READ not in page.text
        update = await self.updated(page_of, known, **TOLD)
        assert update.api.live_reads() == []
        assert READ not in update.text

    async def test_one_click_shows_it_and_keeps_what_was_typed(self, page_of):
        page = await page_of(f"{HERE}/message", TestReporting.TYPED, **with_handoff(), **TOLD)
        assert page.status_code == 200
        assert "Ask &lt;Pat&gt;" in page.text.partition("Get into the session")[0]
        assert "Seen &lt;here&gt;." in page.text
        assert [call for call in page.api.calls if call.method == "POST"] == []

    async def test_an_update_without_an_answer_asks_again(self, page_of):
        update = await self.updated(page_of, **{"GET /active": problem(503, "collate-unavailable")})
        assert "message cannot be read now" in update.text
        again = await self.updated(page_of, update.headers["etag"], **TOLD)
        assert READ in again.text

    async def test_a_person_without_a_form_on_the_page_gets_a_link(self, page_of):
        for own in ({"permissions": STAFF[:-1]}, {"path": f"{HERE}?mark=review.rev_90."}):
            update = await page_of(
                **{"path": self.PART} | own, headers={"hx-request": "true"}, **with_handoff(), **TOLD
            )
            assert f'href="{HERE}">{READ}</a>' in update.text


async def test_a_live_read_is_newer_than_the_persons_own_command_and_than_the_record(page_of):
    form = {"key": "k-1", "snapshot": "rev_90", "accept": "yes"}
    api = ScriptedApi(**with_handoff(), **{"POST /handoffs": OPENED, OWN: OPENED | {"effect": "ours"}})
    await page_of(f"{HERE}/open", form, follow=True, api=api)
    page = await page_of(**with_handoff())
    reads = [calls[-1].url.params["since"] for calls in (api.sent("/mhand_55"), page.api.sent("/mhand_55"))]
    assert reads == [NOW_TEXT, RECORD["updatedAt"]]


@pytest.mark.parametrize("fault", ["kafka_away", "collate_away"])
async def test_no_page_leads_into_a_session_that_nobody_gets_into(page_of, fault):
    page = await page_of(**with_handoff(), **{"GET /overview": overview(at=NOW_TEXT, faults=[fault])})
    assert "nobody gets into its session now" in page.text
    assert "get into the session, then report" not in page.text


async def test_the_message_for_another_person_is_not_read(page_of):
    page = await page_of(**with_handoff(claim=CLAIM), **TOLD)
    assert page.api.live_reads() == []


async def test_a_message_that_cannot_be_read_stops_no_one(page_of):
    page = await page_of(**with_handoff(), **{"GET /active": problem(503, "audit-unavailable")})
    assert page.status_code == 200
    assert "message cannot be read now" in page.text
    assert "Get into the session" in page.text


REPORTED = {
    "commandId": COMMAND,
    "type": "collate-gateway.handoff.close.v1",
    "status": "accepted",
    "acceptedAt": "2026-11-26T03:13:59Z",
}
OPENED = {
    "commandId": COMMAND,
    "type": "collate-gateway.handoff.request.v1",
    "acceptedAt": "2026-11-26T03:13:59Z",
    "status": "finished",
    "outcome": "applied",
}


ACCEPTED = {"id": COMMAND, "kind": REPORTED["type"], "at": REPORTED["acceptedAt"], "seen_at": REPORTED["acceptedAt"]}


def cookie_of(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


class TestConfirmation:
    async def test_a_live_read_that_is_older_than_the_opening_offers_nothing_twice(self, page_of):
        form = {"key": "k-1", "snapshot": "rev_90", "accept": "yes"}
        older = {"GET /active": live_of(RECORD), "POST /handoffs": OPENED, OWN: AWAY}
        page = await page_of(f"{HERE}/open", form, follow=True, **FAULTS["PostgreSQL away"] | older)
        assert "The handoff was opened after this state was read" in page.text
        assert f"&amp;command={COMMAND}" in page.text, "its updates know the command too"
        assert "<form" not in page.text.partition("<main")[2].partition("</main")[0]
        newer = older | {"GET /active": live_of(RECORD, at=NOW_TEXT)}
        page = await page_of(f"{HERE}/open", form, follow=True, **FAULTS["PostgreSQL away"] | newer)
        assert "Accept rev_90 and open the handoff" in page.text

    @pytest.mark.parametrize(("follows_at", "live_reads"), [(2, 0), (3, 1)], ids=["in a moment", "later"])
    async def test_the_page_waits_once_for_the_read_model_and_then_reads_collate(self, page_of, follows_at, live_reads):
        api = ScriptedApi(**{"POST /handoffs": OPENED, **with_handoff()})
        looks = []

        def later(request):
            looks.append(request)
            return problem(404, "not-found") if len(looks) < follows_at else OPENED | {"effect": "ours"}

        api.answers[OWN] = later
        form = {"key": "k-1", "snapshot": "rev_90", "accept": "yes"}
        page = await page_of(f"{HERE}/open", form, follow=True, api=api)
        assert len(looks) == 2
        assert "Opening the handoff: done" in page.text
        reads = [("active", False)] * live_reads + [("mhand_55", True)]
        assert api.live_reads() == reads, "the state if it is needed, then the message"

    @pytest.mark.parametrize(
        "cookie",
        [
            "",
            "x",
            *(cookie_of(content) for content in ({}, None, [1], {"id": 1, "kind": 2})),
            *(cookie_of(ACCEPTED | {name: [1]}) for name in (*ACCEPTED, "status", "outcome", "reason", "handoff_id")),
        ],
    )
    async def test_a_link_or_a_strange_cookie_confirms_nothing(self, page_of, cookie):
        page = await page_of(f"{HERE}?command={COMMAND}", headers={"cookie": f"accepted={cookie}"})
        assert page.status_code == 200
        assert "was accepted at" not in page.text

    async def test_the_cookie_is_of_one_workbench_and_has_no_text_of_the_person(self, page_of):
        answer = await page_of(f"{HERE}/report", TestReporting.TYPED, **{"POST /close": REPORTED})
        cookie = answer.headers["set-cookie"]
        assert f"Path={HERE}" in cookie
        assert "HttpOnly" in cookie
        assert b"Seen" not in base64.urlsafe_b64decode(cookie.partition("=")[2].partition(";")[0].strip('"'))


class TestOpening:
    async def test_an_acceptance_opens_the_handoff_once(self, page_of):
        form = {"key": "k-1", "snapshot": "rev_90", "accept": "yes"}
        answer = await page_of(f"{HERE}/open", form, **{"POST /handoffs": OPENED})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?command={COMMAND}")
        (sent,) = answer.api.sent("/handoffs")
        assert sent.headers["idempotency-key"] == '"k-1.open.rev_90"'
        assert sent.content == b'{"acceptedReviewSnapshotId": "rev_90"}'

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
        assert answer.status_code == 502
        assert 'value="k-77"' in answer.text
        assert "unknown" in answer.text

    async def test_a_report_after_an_opening_without_an_answer_is_another_command(self, page_of):
        """The opening worked, so the page that keeps its key has the form of the report."""
        unknown = problem(503, "kafka-unavailable")
        opening = await page_of(f"{HERE}/open", FORM, **with_handoff(), **{"POST /handoffs": unknown})
        key = re.search(r'id="report".*?name="key" value="([^"]+)"', opening.text, re.DOTALL)[1]
        reported = await page_of(
            f"{HERE}/report", FORM | {"key": key, "result": "submitted"}, **with_handoff(), **{"POST /close": REPORTED}
        )
        opened, closed = (answer.api.sent(end)[0] for answer, end in ((opening, "/handoffs"), (reported, "/close")))
        assert opened.headers["idempotency-key"] != closed.headers["idempotency-key"]

    async def test_a_newer_review_after_an_opening_without_an_answer_is_another_command(self, page_of):
        """The page keeps its key, and shows the review that Collate has now."""
        unknown = problem(503, "kafka-unavailable")
        keys = []
        for snapshot in ("rev_90", "rev_90", "rev_91"):
            form = {"key": "k-1", "snapshot": snapshot, "accept": "yes"}
            answer = await page_of(f"{HERE}/open", form, **{"POST /handoffs": unknown})
            keys.append(answer.api.sent("/handoffs")[0].headers["idempotency-key"])
        assert keys[0] == keys[1] != keys[2]

    async def test_a_snapshot_that_is_no_id_is_not_sent(self, page_of):
        answer = await page_of(f"{HERE}/open", {"key": "k-1", "snapshot": "rev\n90", "accept": "yes"})
        assert (answer.status_code, answer.api.sent("/handoffs")) == (400, [])


class TestReporting:
    TYPED = FORM | {"result": "submitted", "reference": "R-1", "notes": "Seen <here>."}

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
        assert plain.api.sent("/access-grants")[0].content == b'{"claimCheck": "required"}'
        assert taken.api.sent("/access-grants")[0].content == b'{"takeOver": true}'

    async def test_the_first_click_requires_the_claim_check_and_the_second_one_does_not(self, page_of):
        unknown = problem(503, "claim-unknown")
        first = await page_of(f"{HERE}/session", FORM, **{"POST /access-grants": unknown})
        assert first.status_code == 503
        assert "not known now whether another person has this handoff in hand" in first.text
        assert first.api.sent("/access-grants")[0].content == b'{"claimCheck": "required"}'
        assert 'name="unchecked" value="yes"' in first.text
        second = await page_of(f"{HERE}/session", FORM | {"unchecked": "yes"}, **{"POST /access-grants": GRANTED})
        assert second.status_code == 303
        assert second.api.sent("/access-grants")[0].content == b"{}"

    async def test_a_link_of_another_origin_is_refused_without_showing_it(self, page_of):
        answer = await page_of(f"{HERE}/session", FORM, origins=(), **{"POST /access-grants": GRANTED})
        assert answer.status_code == 500
        assert "location" not in answer.headers
        assert "s3cret" not in answer.text
        assert "An administrator must allow this address" in answer.text

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
        before, _, form = page.text.partition("<summary>Report in place of sam.lee</summary>")
        assert before.rstrip().endswith('<details id="in-place">')
        assert 'name="take_over" value="yes"' in form

    async def test_a_report_stands_behind_a_click_also_if_another_person_takes_over_later(self, page_of):
        """The part that updates says so, and the form may not send `take_over` unseen."""
        page = (await page_of(**with_handoff())).text
        assert "<summary>Report in place of another person</summary>" in page
        assert 'name="take_over"' not in page

    @pytest.mark.parametrize(("asked", "sent"), [({}, False), ({"take_over": "yes"}, True)])
    async def test_a_report_in_anothers_place_is_sent_only_by_the_form_that_says_so(self, page_of, asked, sent):
        answer = await page_of(f"{HERE}/report", TestReporting.TYPED | asked, **{"POST /close": REPORTED})
        (close,) = answer.api.sent("/close")
        assert ("takeOver" in json.loads(close.content)) is sent
        refusal = problem(409, "handoff-claimed", claimedBy="sam.lee", claimedSince=CLAIM["since"])
        page = await page_of(
            f"{HERE}/report", TestReporting.TYPED | asked, **with_handoff(claim=CLAIM), **{"POST /close": refusal}
        )
        assert (page.status_code, '<details id="in-place" open>' in page.text) == (409, True)
        assert 'value="R-1"' in page.text

    async def test_ones_own_handoff_can_be_given_back(self, page_of):
        own = CLAIM | {"by": "jo.miller", "caller": "people:jo.miller"}
        page = await page_of(**with_handoff(claim=own))
        assert "Give it back" in page.text
        accepted = httpx.Response(202, json={"authorizationId": "auth_1", "handoffId": "mhand_55"})
        released = await page_of(f"{HERE}/release", FORM, **{"POST /release": accepted})
        assert (released.status_code, released.headers["location"]) == (303, f"{HERE}?release=mhand_55")


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


@pytest.mark.parametrize(
    ("age", "more", "overview_has", "said"),
    [
        (10, {}, {"faults": ["no_worker"]}, "The handoff is being opened"),
        (11, {}, {"faults": ["no_worker"]}, "is not open after 11 s. No worker runs: commands are accepted, and wait"),
        (11, {"status": "waiting", "waiting": {"reason": "breaker"}}, {}, "after 11 s: Collate does not answer"),
        (11, {}, {}, "after 11 s: the gateway has not said why yet"),
    ],
)
async def test_an_opening_says_after_ten_seconds_why_it_waits(page_of, age, more, overview_has, said):
    at = (NOW - timedelta(seconds=age)).isoformat()
    sent = {"type": "collate-gateway.handoff.request.v1", "status": "accepted", "acceptedAt": at, "commandId": COMMAND}
    known = overview(at=NOW_TEXT, projector={"at": NOW_TEXT, "behind": 0}) | overview_has
    answers = {"GET /commands": {"commands": [sent | more]}, "GET /overview": known}
    page = (await page_of(**answers)).text
    assert said in " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert page.count("No worker runs") == bool(overview_has), "once"
    assert ("This takes a few seconds" in page) == (age <= 10)
