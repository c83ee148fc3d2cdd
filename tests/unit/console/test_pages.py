"""The pages over a scripted API: their four states, updates, actions and bounds."""

import re
from urllib.parse import parse_qsl

import httpx
import pytest

from console.page import TEMPLATES
from console.updates import FRESH_SECONDS, KEPT_SECONDS, OverviewReader
from console.views.lists.command_list import filters_of
from console.views.lists.work_list import ROWS
from docs_build.faults import FAULTS
from schemas.commands import TURNING_AWAY
from tests.unit.console import answers
from tests.unit.console.answers import COMMAND, ago, problem, scripted, unavailable
from tests.unit.console.app import browser, console_app, console_settings

FORM = {"content-type": "application/x-www-form-urlencoded"}
UPDATE = {"hx-request": "true"}
BUSY = scripted(
    {
        "/v1/overview": answers.overview_in_trouble(),
        "/v1/authorizations": answers.work(),
        "/v1/handoffs": answers.closed(),
        "/v1/authorizations/auth_7Q2M": answers.record_in_hand(),
        "/v1/authorizations/auth_7Q2M/timeline": answers.timeline(),
        f"/v1/commands/{COMMAND}": answers.command(1, waiting=answers.BREAKER, metadata={"case": "case-0042"}),
        "/v1/commands": {"commands": [answers.command(1), answers.command(2)]},
    }
)
QUIET = scripted(
    {
        "/v1/authorizations": {"authorizations": []},
        "/v1/handoffs": {"handoffs": []},
        "/v1/commands": {"commands": []},
        "/v1/authorizations/auth_7Q2M/timeline": {"authorizationId": "auth_7Q2M", "entries": []},
    }
)
RATES = ("accepted", "finished", "events", "attempts")
LATE = {"projector": {"at": ago(minutes=14), "behind": 12}}
PAGES = [
    "/",
    "/work",
    "/work?tab=open",
    "/work?tab=closed",
    "/authorizations/auth_7Q2M",
    f"/commands/{COMMAND}",
    "/commands",
    "/search?q=case=case-0042",
    "/developers",
]
UPDATING = PAGES[:7]
CASE = answers.item(answers.LONG_ID, metadata={"case": "c-7"}, dueAt=ago(hours=2), payerId="payer_example")
IN_HAND = {
    "claim": answers.claim("sam.okafor", minutes=25),
    "lastGrant": {"operator": "sam.okafor", "expiresAt": ago(minutes=-4)},
}


async def get(api, path, **headers):
    async with browser(console_app(api)) as client:
        return await client.get(path, headers=headers)


# States
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_with_content_is_whole_and_has_no_inline_script_or_style(path):
    page = await get(BUSY, path)
    assert page.status_code == 200
    assert page.text.startswith("<!doctype html>")
    assert "</html>" in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page.text)
    assert len(page.content) <= 150 << 10


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "Nothing is stuck."),
        ("/work", "No authorization waits for a person."),
        ("/work?tab=mine", "You have no handoff in hand."),
        ("/work?tab=open", "No handoff is open."),
        ("/work?tab=at_risk", "No open handoff is at risk."),
        ("/work?tab=overdue", "Nothing that needs a person is overdue."),
        ("/work?tab=closed", "No handoff has ended since 00:00 UTC."),
        ("/work?tab=contradicted", "No report contradicts a payer."),
        ("/work?payer=p1", "Nothing has this."),
        ("/authorizations/auth_7Q2M", "Check the id, or watch it"),
        ("/commands", "There is no command yet."),
        ("/commands?status=waiting", "No command matches."),
        ("/search", "What do you look for?"),
        ("/search?q=auth_none", "Nothing was found."),
        ("/search?q=two%20words", "No id has this form."),
    ],
)
async def test_an_empty_page_says_why(path, text):
    page = await get(QUIET, path)
    assert page.status_code == 200
    assert text in page.text


async def test_one_part_that_fails_does_not_take_the_others():
    def no_timeline(request: httpx.Request) -> httpx.Response:
        return unavailable(request)

    api = scripted(
        {"/v1/authorizations/auth_7Q2M": answers.record(), "/v1/authorizations/auth_7Q2M/timeline": no_timeline}
    )
    page = await get(api, "/authorizations/auth_7Q2M")
    assert "Needs a person" in page.text
    assert "The gateway&#39;s lists are not available now" in page.text


@pytest.mark.parametrize(
    ("action", "answer", "says"),
    [
        ("watch", {"commandId": COMMAND, "status": "accepted"}, "The watch command is accepted"),
        ("release", {"authorizationId": "auth_7Q2M", "handoffId": "mhand_1"}, "You have given the handoff back"),
    ],
)
async def test_an_accepted_command_is_confirmed_although_the_read_model_is_away(action, answer, says):
    def api(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, json=answer) if request.method == "POST" else unavailable(request)

    async with browser(console_app(api)) as client:
        form = {"key": "k-1", "handoff": "mhand_1"}
        page = await client.post(f"/authorizations/auth_7Q2M/{action}", data=form, follow_redirects=True)
    assert page.status_code == 503
    assert says in page.text


LISTED = {"deadLetters": [], "matching": 0, "leftOut": 0, "at": ago(), "digest": "0" * 32}


@pytest.mark.parametrize(("slug", "status"), [("no-read-model", 404), ("read-model-unavailable", 503)])
@pytest.mark.parametrize(
    "path",
    [
        *PAGES[:8],
        "/authorizations/auth_7Q2M/work",
        "/authorizations/auth_7Q2M/work/evidence",
        "/dead-letters",
        "/dead-letters/all",
        f"/dead-letters/{COMMAND}",
        f"/dead-letters/{COMMAND}/reveal",
    ],
)
@pytest.mark.virtual_time
async def test_a_page_says_what_does_not_work_also_without_the_read_model(path, slug, status):
    refused = problem(status, slug, "T", "D", faults=["no_worker", "no_deliverer"])

    def api(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/me":
            return answers.who(request, [*answers.STAFF, "authorization:evidence", "operate"])
        return httpx.Response(200, json=LISTED) if request.url.path == "/v1/dead-letters" else refused

    page = await get(api, path)
    assert page.text.count("No worker runs: commands are accepted, and wait.") == 1, page.text
    for updates in (UPDATE,) * (path in {*UPDATING, "/dead-letters"}):
        part = await get(api, path, **updates)
        assert "No worker runs: commands are accepted, and wait." in part.text


async def test_the_page_of_an_authorization_that_is_not_watched_says_what_does_not_work():
    api = scripted({"/v1/overview": answers.overview(faults=["kafka_away"])})
    page = await get(api, "/authorizations/auth_new/work")
    assert page.text.index("Kafka is away") < page.text.index("The gateway does not watch this authorization yet")


# Escaping and permissions
async def test_a_text_of_the_api_cannot_become_markup():
    evil = "<img src=x onerror=alert(1)>"
    api = scripted({"/v1/overview": answers.overview(oldest=[answers.command(1, caller=evil)])})
    page = await get(api, "/")
    assert evil not in page.text
    assert "&lt;img" in page.text


async def test_what_a_person_may_not_do_is_disabled_and_no_page_is_offered_that_they_may_not_open():
    api = scripted({"/v1/authorizations/auth_7Q2M/timeline": answers.timeline()}, ["authorization:read"])
    page = await get(api, "/authorizations/auth_7Q2M")
    assert '<button type="button" disabled>Watch this authorization</button>' in page.text
    assert "You may not let the gateway watch authorizations. Your administrator can allow it." in page.text
    assert "Dead letters" not in page.text
    assert 'href="/dead-letters"' not in page.text


# Cases
async def test_chosen_metadata_is_a_column_and_a_filter_and_a_payer_has_its_name():
    asked = []

    def api(request):
        asked.append(request.url)
        return scripted({"/v1/authorizations": {"authorizations": [CASE], "next": "c1"}})(request)

    settings = console_settings(case_columns="case=Case number,team=Team", payer_names="payer_example=Example Health")
    async with browser(console_app(api, settings=settings)) as client:
        page = await client.get("/work?metadata.case=c-7&payer=payer_example")
    (url,) = (one for one in asked if one.path == "/v1/authorizations" and "payer" in one.params)
    assert dict(url.params) == {
        "needs": "person",
        "order": "urgent",
        "payer": "payer_example",
        "metadata.case": "c-7",
        "limit": "25",
    }
    for part in (
        '<th scope="col">Case number</th><th scope="col">Team</th>',
        '<td data-label="Case number" class="nowrap">c-7</td><td data-label="Team" class="none"></td>',
        '<input name="metadata.case" value="c-7"',
        '<option value="payer_example">Example Health</option>',
        '<span title="payer_example">Example Health</span>',
        "/work?payer=payer_example&amp;metadata.case=c-7&amp;cursor=c1",
    ):
        assert part in page.text, part


async def test_a_case_is_recognised_without_any_setting():
    items = [answers.item(f"auth_{n}", metadata=pairs) for n, pairs in enumerate([{"a": "1"}, CASE["metadata"], {}])]
    items[2]["metadata"] = {"case": "c-8"}
    answered = {
        "/v1/authorizations": {"authorizations": items},
        "/v1/authorizations/auth_7Q2M": answers.record_in_hand() | {"metadata": {"case": "c-7"}},
        "/v1/authorizations/auth_7Q2M/timeline": answers.timeline(),
    }
    page = await get(scripted(answered), "/work")
    assert re.findall(r'<td data-label="Case"[^>]*>(.*?)</td>', page.text) == ["", "c-7", "c-8"]
    assert '<input name="metadata.case" value=""' in page.text
    for path in ("/authorizations/auth_7Q2M", "/authorizations/auth_7Q2M/work"):
        head = re.search(r'<div class="title">.*?</div>', (await get(scripted(answered), path)).text, re.DOTALL)[0]
        assert '<span class="soft">case</span> <span class="id">c-7</span>' in head, path


# Commands
async def test_the_list_of_commands_asks_by_its_filter_and_a_page_keeps_it():
    asked = []

    def api(request):
        asked.append(request.url)
        listed = [answers.command(1, waiting=answers.BREAKER), answers.command(2, status="dead_lettered")]
        return scripted({"/v1/commands": {"commands": listed, "next": "c1"}}, ["operate"])(request)

    filters = "order=oldest&reason=breaker&metadata=case%3Dc-7+team%3Dx"
    page = await get(api, f"/commands?{filters}&cursor=c0&caller=&status=other")
    (url,) = (one for one in asked if one.path == "/v1/commands")
    assert dict(url.params) == {
        "order": "oldest",
        "reason": "breaker",
        "limit": "50",
        "cursor": "c0",
        "metadata.case": "c-7",
        "metadata.team": "x",
    }
    assert "/commands?order=oldest&amp;reason=breaker&amp;metadata=case%3Dc-7+team%3Dx&amp;cursor=c1" in page.text
    for number, room in ((1, "commands"), (2, "dead-letters")):
        assert f'href="/{room}/{answers.command(number)["commandId"]}"' in page.text, "an operator decides on its page"


async def test_an_old_overview_claims_nothing_about_the_last_minute():
    page = await get(scripted({"/v1/overview": answers.overview(**LATE, lastMinute=dict.fromkeys(RATES, 0))}), "/")
    assert "No reason to wait is known." in page.text
    assert "No command waits" not in page.text
    card = re.sub(r"<[^>]+>", "", page.text.partition('data-key="c-rate">')[2].partition("</li>")[0])
    assert re.findall(r"[0-9?]+", card) == ["?"] * 3


@pytest.mark.parametrize(("attempts", "said"), [(1, "1 call to Collate"), (2, "2 calls to Collate")])
async def test_an_overview_of_collates_silence_counts_its_calls_and_promises_no_session(attempts, said):
    rates = dict.fromkeys(RATES, 0) | {"attempts": attempts}
    page = (
        await get(scripted({"/v1/overview": answers.overview(faults=["collate_away"], lastMinute=rates)}), "/")
    ).text
    assert said in page
    assert "Collate does not answer: commands wait, and nobody gets into a session." in page
    assert "Operations guide: Collate is down" in page


async def test_each_number_of_the_overview_leads_to_its_commands():
    page = await get(BUSY, "/")
    for query in (
        "status=waiting&order=oldest",
        "status=accepted&order=oldest",
        "status=finished",
        "age=last-1-min",
        "status=waiting&reason=breaker&order=oldest",
        "reason=too_many_commands&caller=scheduling&authorizationId=auth_busy",
    ):
        address = f"/commands?{query}"
        assert f'href="{address.replace("&", "&amp;")}"' in page.text
        asked = filters_of(dict(parse_qsl(query)))
        assert asked == dict(parse_qsl(query)), "no word of a link is dropped"
    for tab, text in (("at_risk", "Show it"), ("at_risk", "1 at risk"), ("overdue", "3 overdue")):
        assert re.search(rf'href="/work\?tab={tab}"[^>]*>{text}<', page.text), text


async def test_rows_by_payer_have_a_heading_for_each_payer_and_the_next_page_keeps_the_order():
    payers = ["p1", "p1", "p2", None]
    items = [answers.item(f"auth_{n}", payerId=payer) for n, payer in enumerate(payers)]
    items = [{name: value for name, value in one.items() if value is not None} for one in items]
    page = await get(scripted({"/v1/authorizations": {"authorizations": items, "next": "c"}}), "/work?order=payer")
    headings = re.findall(r'<tr class="group"><th[^>]*>(.*?)</th>', page.text)
    assert headings == ["p1", "p2", "Payer not shown by Collate"]
    assert 'href="/work?order=payer&amp;cursor=c"' in page.text


# Numbers and people
async def test_the_numbers_of_the_lists_are_on_the_tabs_in_the_title_and_in_each_update():
    page = await get(BUSY, "/work")
    assert "<title>(12) Work ·" in page.text
    numbers = dict(re.findall(r'data-count="(\w+)">(\d+)<', page.text))
    assert numbers == {
        "todo": "12",
        "mine": "2",
        "at_risk": "1",
        "overdue": "3",
        "open": "7",
        "closed": "9",
        "contradicted": "1",
        "agreed": "5",
    }
    part = await get(BUSY, "/work?tab=mine", **UPDATE)
    assert dict(parse_qsl(part.headers["x-counts"])) == numbers
    line = re.sub("<[^>]*>", "", re.search(r'<p class="small">(.*?)</p>', page.text)[1])
    assert line.startswith(
        "12 waiting, 3 overdue, 1 at risk. Today since 00:00 UTC: 9 closed, and the payer agrees with 5"
    )
    alone = await get(scripted({"/v1/authorizations": {"authorizations": []}}, []), "/work")
    assert "data-count" not in alone.text, "the overview of another person is not shown without the permission"
    assert "sam.ng" not in alone.text


async def test_a_persons_own_handoffs_in_trouble_are_on_top():
    asked = []
    troubles = [
        {"kind": "at_risk", "authorizationId": "auth_risk", "reason": "not_entered", "at": ago(minutes=-3)},
        {"kind": "ended", "authorizationId": "auth_lost", "reason": "loss", "at": ago(minutes=1)},
        {"kind": "contradicted", "authorizationId": "auth_wrong", "reason": "submitted"},
    ]

    def api(request):
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"troubles": troubles})

    page = await get(scripted({"/v1/troubles": api}), "/work/own")
    assert asked == [{"since": "2026-11-25T00:00:00Z"}]
    said = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page.text))
    for text in ("at risk: no operator has entered, ends in 3 min", "the session was lost", "contradicts your report"):
        assert text in said
    assert re.findall(r'data-key="(\w+)-auth_([\w.]+)"', page.text) == [
        ("at_risk", "risk"),
        ("ended", "lost"),
        ("contradicted", "wrong"),
    ]


async def test_a_payer_that_turns_people_away_is_above_the_list_until_it_ends():
    outage = {"payerId": "p9", "reason": "channel_outage", "handoffs": 3, "since": ago(minutes=9)}
    work = answers.overview()["work"] | {"turnedAway": [answers.TURNED_AWAY, outage]}
    etags = []
    for path in ("/work", "/work/own"):
        page = await get(scripted({"/v1/overview": answers.overview(work=work)}), path)
        etags.append(page.headers.get("etag"))
        said = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page.text))
        assert (
            "People report that they do not get in at payer_example: the last 4 handoffs there could not be completed "
            "because of a login or second factor, the first at"
        ) in said
        assert "The last reported submission there: 00:14:00." in said
        assert "at p9: the last 3 handoffs there could not be completed because the portal is down" in said
        assert "No submission there is on record." in said
        assert "The gateway has not checked it, and blocks nothing" in said
    page = await get(scripted({"/v1/overview": answers.overview()}), "/work/own")
    assert "People report" not in page.text
    assert page.headers["etag"] != etags[1], "an open page takes the end"
    for slug in ("no-read-model", "read-model-unavailable"):
        api = scripted({"/v1/overview": lambda _, slug=slug: answers.problem(503, slug, "-", "-")})
        assert "People report" not in (await get(api, "/work")).text


def test_each_reason_that_turns_people_away_has_its_words():
    words = (TEMPLATES / "reasons.html").read_text().partition("TURNING_AWAY = {")[2].partition("}")[0]
    assert tuple(re.findall(r'"(\w+)": "', words)) == TURNING_AWAY


@pytest.mark.parametrize(("slug", "is_said"), [("read-model-unavailable", True), ("no-read-model", False)])
async def test_troubles_that_cannot_be_read_are_not_taken_for_none(slug, is_said):
    api = scripted({"/v1/troubles": lambda _: answers.problem(503, slug, "-", "-")})
    for path in ("/work", "/work/own"):
        page = await get(api, path)
        assert ("cannot be read now" in page.text) is is_said


# Updates
@pytest.mark.parametrize("path", UPDATING)
async def test_an_update_is_the_part_that_the_page_has_too(path):
    part = await get(BUSY, path, **UPDATE)
    assert part.status_code == 200
    assert "<html" not in part.text
    assert part.headers["x-now"] == "2026-11-26T03:14:00+00:00"
    [id_] = re.findall(r'<\w+ [^>]*id="(\w+)"[^>]*data-poll="', part.text)
    assert f'id="{id_}"' in (await get(BUSY, path)).text
    assert len(part.content) <= 20 << 10


async def test_an_update_without_change_is_304_until_the_read_model_falls_behind_or_a_part_fails():
    overview = answers.overview()

    def list_(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"v1"':
            return httpx.Response(304, headers={"etag": '"v1"'})
        return httpx.Response(200, json=answers.work(), headers={"etag": '"v1"'})

    app = console_app(
        scripted({"/v1/authorizations": list_, "/v1/overview": lambda _: httpx.Response(200, json=overview)})
    )
    async with browser(app) as client:
        etag = (await client.get("/work")).headers["etag"]
        same = await client.get("/work", headers=UPDATE | {"if-none-match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        assert same.headers["x-now"]
        overview |= LATE
        app.state.overview = OverviewReader()
        late = await client.get("/work", headers=UPDATE | {"if-none-match": etag})
        assert late.status_code == 200
        assert "This page may be old." in late.text
        assert "Commands are accepted as usual." in late.text
        assert late.headers["etag"] != etag
        overview |= {"faults": ["kafka_away"]}
        app.state.overview = OverviewReader()
        away = await client.get("/work", headers=UPDATE | {"if-none-match": late.headers["etag"]})
        assert "Kafka is away: commands and sessions are refused, and accepted commands wait." in away.text
        assert "accepted as usual" not in away.text


def slow(*numbers):
    return answers.overview(oldest=[answers.command(n, status="accepted", acceptedAt=ago(minutes=5)) for n in numbers])


WITHOUT_DRILL = {
    "ingress-degraded": answers.overview(),
    "one-key-late": slow(1),
    "several-keys-late": slow(1, 2),
    "token-ends": answers.overview(),
}


def test_each_fault_without_a_drill_has_its_sentence_here():
    assert WITHOUT_DRILL.keys() == {fault.name for fault in FAULTS if fault.no_drill}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.no_drill], ids=lambda fault: fault.name)
async def test_the_overview_says_what_the_table_of_faults_promises(fault):
    assert fault.says in (await get(scripted({"/v1/overview": WITHOUT_DRILL[fault.name]}), "/")).text


@pytest.mark.parametrize("path", ["/", "/commands"])
async def test_a_page_names_the_part_that_fails_also_without_a_read_model(path):
    away = lambda _: problem(503, "read-model-unavailable", "-", "-", faults=["no_worker"])  # noqa: E731
    api = scripted({"/v1/overview": away, "/v1/commands": {"commands": []}})
    assert "No worker runs: commands are accepted, and wait." in (await get(api, path)).text


async def test_an_authorization_has_one_stream_unless_it_is_settled_or_the_page_shows_the_past():
    def page(**record):
        return scripted(
            {
                "/v1/authorizations/auth_7Q2M": answers.record(**record),
                "/v1/authorizations/auth_7Q2M/timeline": answers.timeline(),
            }
        )

    live = (await get(page(), "/authorizations/auth_7Q2M")).text
    assert live.count('hx-sse:connect="/events/stream?authorizationId=auth_7Q2M"') == 1
    assert 'data-every="15"' in live
    for api, path in (
        (page(settledAt=ago(minutes=1)), "/authorizations/auth_7Q2M"),
        (page(), "/authorizations/auth_7Q2M?cursor=older"),
    ):
        still = (await get(api, path)).text
        assert "hx-sse" not in still
        assert 'data-every="5"' in still


async def test_the_freshness_is_read_once_in_five_seconds_for_all_people():
    seconds, calls = 0.0, 0

    def overview(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(200, json=answers.overview())

    app = console_app(scripted({"/v1/overview": overview, "/v1/authorizations": answers.work()}))
    app.state.overview = OverviewReader(lambda: seconds)
    async with browser(app) as client:
        for _ in range(3):
            await client.get("/work")
        assert calls == 1
        seconds = FRESH_SECONDS
        await client.get("/work")
    assert calls == 2


async def test_a_failed_call_of_one_person_hides_the_overview_from_no_other():
    seconds, failing = 0.0, {"Bearer jo": 429}

    def overview(request: httpx.Request) -> httpx.Response:
        status = failing.get(request.headers["authorization"])
        return problem(status, "-", "-", "-") if status else httpx.Response(200, json=answers.overview())

    app = console_app(scripted({"/v1/overview": overview, "/v1/commands": {"commands": []}}))
    app.state.overview = OverviewReader(lambda: seconds)
    async with browser(app) as client:

        async def is_known(name: str) -> bool:
            page = await client.get("/commands", headers={"authorization": f"Bearer {name}"})
            return "Age of the data unknown" not in page.text

        assert [await is_known(name) for name in ("jo", "sam", "jo")] == [False, True, True]
        failing = {"Bearer jo": 403, "Bearer sam": 503}
        seconds = FRESH_SECONDS
        assert [await is_known(name) for name in ("jo", "sam")] == [True, True]
        seconds = KEPT_SECONDS
        assert [await is_known(name) for name in ("sam", "jo")] == [False, False]


async def test_the_overview_is_asked_for_only_as_a_person_who_may_read_it():
    asked = []

    def api(request: httpx.Request) -> httpx.Response:
        credential = request.headers["authorization"]
        if request.url.path == "/v1/overview":
            asked.append(credential)
        return (for_operators if credential == "Bearer operator" else for_readers)(request)

    known = {"/v1/commands": {"commands": []}}
    for_readers, for_operators = scripted(known), scripted(known, ["operate"])
    async with browser(console_app(api)) as client:
        ages = []
        for name in ("operator", "reader", "operator"):
            page = await client.get("/commands", headers={"authorization": f"Bearer {name}"})
            ages.append("Age of the data unknown" in page.text)
    assert (ages, asked) == ([True, False, False], ["Bearer reader"])


async def test_an_update_of_a_full_list_has_at_most_20_kb():
    full = [answers.open_item(f"auth_01J9ZQ7M3V8W{n:02}", **IN_HAND) for n in range(ROWS)]
    part = await get(scripted({"/v1/authorizations": {"authorizations": full, "next": "c"}}), "/work", **UPDATE)
    assert part.text.count("data-key=") == ROWS
    assert 'href="/work?cursor=c"' in part.text
    assert len(part.content) <= 20_000


# Actions
def recording(sent: list[httpx.Request], status: int = 202):
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if status >= 400:
            return problem(status, "names-another-person", "The request names another person", "Sign in yourself.")
        return httpx.Response(status, json={"commandId": COMMAND, "authorizationId": "auth_7Q2M"})

    return answer


async def test_a_watch_is_one_command_and_leads_back_to_the_page():
    sent: list[httpx.Request] = []
    api = scripted({"/v1/authorizations/auth_7Q2M/watch": recording(sent)})
    async with browser(console_app(api)) as client:
        page = await client.get("/authorizations/auth_7Q2M")
        [key] = re.findall(r'name="key" value="([0-9a-f-]{36})"', page.text)
        first, second = [
            await client.post("/authorizations/auth_7Q2M/watch", content=f"key={key}", headers=FORM) for _ in range(2)
        ]
        assert first.status_code == second.status_code == 303
        assert first.headers["location"] == f"/authorizations/auth_7Q2M?notice=watch&command={COMMAND}"
        shown = await client.get(first.headers["location"])
    assert [request.headers["idempotency-key"] for request in sent] == [f'"{key}"'] * 2
    assert "The watch command is accepted." in shown.text
    assert f'href="/commands/{COMMAND}"' in shown.text


async def test_a_refused_action_shows_the_problem_above_the_page():
    api = scripted({"/v1/authorizations/auth_7Q2M/watch": recording([], 422)})
    async with browser(console_app(api)) as client:
        page = await client.post("/authorizations/auth_7Q2M/watch", content="key=k", headers=FORM)
    assert page.status_code == 422
    assert "You can act for yourself only" in page.text
