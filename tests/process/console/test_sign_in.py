"""Signing in at the local issuer, with a key and with a link; the API is scripted."""

import asyncio
import json
import secrets
import threading
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.oidc.code_flow import CodeFlow, FlowFailed, FlowFault, OidcClient
from console.forms import read_form
from console.page import person_of
from console.sign_in.sign_in_pages import MOST_CALLBACKS
from local.issuer import LocalIssuer
from local.sign_in_link import one_time_link
from runtime.http_client import Fetched
from tests.unit.console.app import NOW, ORIGIN, STAFF, console_app, console_settings

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
OPENED = {"sec-fetch-mode": "navigate", "accept": "text/html"}


async def who(request: Request) -> Response:
    return PlainTextResponse(f"{person_of(request).name} {person_of(request).credential.get_secret_value()}")


async def note(request: Request) -> Response:
    return PlainTextResponse((await read_form(request))["note"])


class Scene:
    """A console, its API, a clock, and one browser."""

    def __init__(self, key_file, **own):
        self.now = NOW
        self.refused = set()
        self.is_unchecked = False
        self.person = True
        self.calls = 0
        self.settings = console_settings(trust_bearer=False, cookie_key_file=key_file, **own)
        self.app = console_app(self.api, [Route("/who", who), Route("/note", note, methods=["POST"])], self.settings)
        console = self.app.state.console
        self.app.state.console = type(console)(
            console.api, console.settings, console.environment, console.templates, lambda: self.now
        )
        self.browser = self.open_browser()

    def open_browser(self, peer="127.0.0.1"):
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(peer, 1)), base_url=ORIGIN, headers=OPENED
        )

    def api(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        token = request.headers["authorization"].removeprefix("Bearer ")
        if self.is_unchecked:
            problem = {"type": "urn:collate-gateway:problem:credentials-unchecked", "title": "Unchecked", "detail": ""}
            return httpx.Response(503, json=problem)
        if token in self.refused:
            problem = {"type": "urn:collate-gateway:problem:unauthenticated", "title": "Unauthorized", "detail": ""}
            return httpx.Response(401, json=problem)
        name = "jo.miller" if self.person else None
        return httpx.Response(200, json={"caller": "scheduling", "person": name, "permissions": list(STAFF)})

    async def begin(self, path="/who", browser=None):
        """Open a page, follow to the sign-in, begin; return the address at the issuer."""
        browser = browser or self.browser
        first = await browser.get(path)
        assert first.status_code == 303
        await browser.get(first.headers["location"])
        query = urlsplit(first.headers["location"]).query
        started = await browser.get(f"/sign-in/start?{query}")
        return started.headers.get("location"), started

    async def sign_in(self, issuer, path="/who"):
        address, _ = await self.begin(path)
        back = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", ["staff"])
        return await self.browser.get(back)


@pytest.fixture
def key_file(tmp_path):
    (file := tmp_path / "keys").write_text(secrets.token_urlsafe(32))
    return file


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer(["staff"]) as issuer:
        yield issuer


@pytest.fixture(autouse=True)
def long_tokens(issuer):
    yield
    issuer.token_seconds = 3600


@pytest.fixture
async def scene(key_file, issuer):
    scene = Scene(key_file, oidc_issuer=issuer.url, oidc_client_id="console")
    async with scene.browser:
        yield scene


async def test_a_person_signs_in_at_the_issuer_and_comes_back_to_the_page(scene, issuer):
    back = await scene.sign_in(issuer, "/who?tab=mine")
    assert (back.status_code, back.headers["location"]) == (303, "/who?tab=mine")
    page = await scene.browser.get("/who")
    name, token = page.text.split()
    assert name == "jo.miller"
    assert token not in str(back.headers) + str(dict(scene.browser.cookies))
    assert [name for name in scene.browser.cookies if name.startswith("sign-in")] == []


async def test_the_request_to_the_issuer_has_a_challenge_a_state_and_a_nonce_of_its_own(scene, issuer):
    requests = [parse_qs(urlsplit((await scene.begin())[0]).query) for _ in range(2)]
    for query in requests:
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [f"{ORIGIN}/sign-in/callback"]
        assert query["response_type"] == ["code"]
    for name in ("state", "nonce", "code_challenge"):
        assert requests[0][name] != requests[1][name]


async def test_a_session_that_was_planted_before_the_sign_in_is_replaced(scene, issuer):
    await scene.sign_in(issuer)
    planted = dict(scene.browser.cookies)
    scene.browser.cookies.clear()
    address, _ = await scene.begin()
    scene.browser.cookies.set("session", planted["session"], domain="127.0.0.1", path="/")
    back = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", ["staff"])
    assert (await scene.browser.get(back)).status_code == 303
    assert scene.browser.cookies["session"] != planted["session"]
    assert (await scene.browser.get("/who")).text.split()[1] not in planted["session"]


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query | {"state": "other"},
        lambda query: {name: value for name, value in query.items() if name != "state"},
        lambda query: query | {"iss": "https://other.example"},
        lambda query: {name: value for name, value in query.items() if name != "iss"},
        lambda query: query | {"code": "other"},
        lambda query: query | {"error": "access_denied"},
    ],
    ids=["other state", "no state", "other iss", "no iss", "other code", "error"],
)
async def test_a_response_of_another_sign_in_or_issuer_or_an_error_signs_nobody_in(scene, issuer, change):
    address, _ = await scene.begin()
    back = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", [])
    changed = change(dict(parse_qsl(urlsplit(back).query)))
    response = await scene.browser.get("/sign-in/callback", params=changed)
    assert response.status_code in {400, 403, 502}
    assert "session" not in scene.browser.cookies


async def test_a_spent_state_is_refused_even_with_the_cookie_of_its_sign_in(scene, issuer, monkeypatch):
    address, _ = await scene.begin()
    back = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", [])
    begun = dict(scene.browser.cookies)
    assert (await scene.browser.get(back)).status_code == 303
    asked = len(calls := [])
    monkeypatch.setattr(issuer, "token_response", calls.append)
    scene.browser.cookies.update(begun)
    assert (await scene.browser.get(back)).status_code == 400
    assert len(calls) == asked, "the issuer is not asked again"


async def test_a_sign_in_whose_issuer_was_away_can_be_finished_later(scene, issuer, monkeypatch):
    address, _ = await scene.begin()
    back = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", [])
    with monkeypatch.context() as away:
        away.setattr(issuer, "token_response", lambda _: (503, {}))
        assert (await scene.browser.get(back)).status_code == 503
    assert (await scene.browser.get(back)).status_code == 303


async def test_callbacks_beyond_the_bound_are_refused_at_once(scene, issuer, monkeypatch, eventually):
    waiting, go_on = [], threading.Event()
    redeem = issuer.token_response

    def slow(form):
        waiting.append(form)
        go_on.wait(60)
        return redeem(form)

    monkeypatch.setattr(issuer, "token_response", slow)
    browsers = [scene.open_browser() for _ in range(MOST_CALLBACKS + 1)]
    backs = []
    for browser in browsers:
        address, _ = await scene.begin(browser=browser)
        backs.append(issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", []))
    *first, last = zip(browsers, backs, strict=True)
    tasks = [asyncio.create_task(browser.get(back)) for browser, back in first]
    await eventually(lambda: len(waiting) == MOST_CALLBACKS)
    refused = await last[0].get(last[1])
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    go_on.set()
    assert {(await task).status_code for task in tasks} == {303}
    assert (await last[0].get(last[1])).status_code == 303, "the page loads again"


@pytest.mark.parametrize("endpoint", ["http://", "javascript:alert(1)//", 7])
async def test_a_sign_out_address_of_the_issuer_is_checked_like_the_others(endpoint):
    document = {
        "issuer": "https://login.example",
        "authorization_endpoint": "https://login.example/authorize",
        "token_endpoint": "https://login.example/token",
        "jwks_uri": "https://login.example/keys",
    }
    client = OidcClient("https://login.example", "console", f"{ORIGIN}/sign-in/callback", ("openid",))

    def flow(**more):
        return CodeFlow(client, lambda *_: Fetched(200, httpx.Headers(), json.dumps(document | more).encode()))

    assert await flow().end_session_url(ORIGIN) is None
    signs_out = flow(end_session_endpoint="https://login.example/out")
    assert (await signs_out.end_session_url(ORIGIN)).startswith("https://login.example/out?")
    bad = flow(end_session_endpoint=f"{endpoint}login.example/out" if isinstance(endpoint, str) else endpoint)
    assert await bad.end_session_url(ORIGIN) is None
    assert await bad.begin() == FlowFailed(FlowFault.issuer_mismatch)


async def test_a_response_counts_only_in_the_browser_that_began_once_and_for_ten_minutes(scene, issuer):
    address, _ = await scene.begin()
    query = dict(parse_qsl(urlsplit(address).query))
    back = issuer.authorize(query, "jo.miller", [])
    async with scene.open_browser() as other:
        assert (await other.get(back)).status_code == 400
    assert (await scene.browser.get(back)).status_code == 303
    assert (await scene.browser.get(back)).status_code == 400
    scene.browser.cookies.clear()
    address, _ = await scene.begin()
    scene.now += timedelta(seconds=600)
    late = issuer.authorize(dict(parse_qsl(urlsplit(address).query)), "jo.miller", [])
    assert (await scene.browser.get(late)).status_code == 400


@pytest.mark.parametrize(
    "claims", [{"nonce": "other"}, {"nonce": None}, {"aud": "other"}, {"azp": "other"}, {"exp": 1}]
)
async def test_an_id_token_for_another_sign_in_or_client_is_refused(scene, issuer, claims, monkeypatch):
    make = issuer.token

    def changed(name, groups=(), **given):
        return make(name, groups, **(given | claims if "nonce" in given else given))

    monkeypatch.setattr(issuer, "token", changed)
    response = await scene.sign_in(issuer)
    assert response.status_code == 502
    assert "session" not in scene.browser.cookies


async def test_an_id_token_of_another_key_is_refused(scene, issuer, monkeypatch):
    make = issuer.token
    with LocalIssuer() as other:

        def forged(name, groups=(), **given):
            return (
                other.token(name, groups, iss=issuer.url, **given) if "nonce" in given else make(name, groups, **given)
            )

        monkeypatch.setattr(issuer, "token", forged)
        assert (await scene.sign_in(issuer)).status_code == 502


async def test_a_token_that_the_api_refuses_or_that_is_no_persons_makes_no_session(scene, issuer, monkeypatch):
    scene.person = False
    assert (await scene.sign_in(issuer)).status_code == 403
    monkeypatch.setattr(scene, "refused", type("All", (), {"__contains__": lambda *_: True})())
    assert (await scene.sign_in(issuer)).status_code == 403
    assert "session" not in scene.browser.cookies


async def test_without_an_issuer_the_page_says_so(key_file):
    scene = Scene(key_file, oidc_issuer="http://127.0.0.1:9", oidc_client_id="console")
    async with scene.browser:
        response = await scene.browser.get("/sign-in/start")
    assert response.status_code == 503
    assert "identity provider" in response.text


async def test_a_token_is_renewed_once_for_all_pages_that_load_and_the_session_goes_on(scene, issuer, monkeypatch):
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    first = (await scene.browser.get("/who")).text
    renewals = []
    answer = issuer.token_response
    monkeypatch.setattr(issuer, "token_response", lambda form: renewals.append(form) or answer(form))
    scene.now += timedelta(seconds=45)
    pages = await asyncio.gather(*(scene.browser.get("/who") for _ in range(4)))
    assert len(renewals) == 1
    assert {page.status_code for page in pages} == {200}
    assert {page.text for page in pages} != {first}
    scene.now += timedelta(seconds=45)
    assert (await scene.browser.get("/who")).status_code == 200
    assert len(renewals) == 2


async def test_a_slow_renewal_is_never_given_up_and_ends_no_session(scene, issuer, monkeypatch, eventually):
    """The issuer accepts a refresh token once: a second call for it would be refused."""
    monkeypatch.setattr("console.sign_in.renewal.PAGE_WAITS_SECONDS", 0.05)
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    first = (await scene.browser.get("/who")).text
    answer, may_answer, renewals = issuer.token_response, threading.Event(), []

    def slow(form):
        renewals.append(form)
        may_answer.wait(60)
        return answer(form)

    monkeypatch.setattr(issuer, "token_response", slow)
    scene.now += timedelta(seconds=45)
    assert (await scene.browser.get("/who")).text == first
    scene.now += timedelta(seconds=45)
    assert (await scene.browser.get("/who")).status_code == 503
    may_answer.set()

    async def is_renewed():
        page = await scene.browser.get("/who")
        return page.status_code == 200 and page.text != first

    await eventually(is_renewed)
    assert len(renewals) == 1


async def test_a_session_whose_new_token_does_not_fit_into_cookies_ends(scene, issuer, monkeypatch):
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    answer = issuer.token_response
    monkeypatch.setattr(issuer, "token_response", lambda form: (200, answer(form)[1] | {"access_token": "t" * 20_000}))
    scene.now += timedelta(seconds=45)
    assert (await scene.browser.get("/who")).status_code == 303
    assert "session" not in scene.browser.cookies
    refused = await scene.sign_in(issuer)
    assert (refused.status_code, "too large" in refused.text) == (502, True)


async def test_a_stream_without_a_session_is_refused_and_not_redirected(scene):
    stream = {"accept": "text/event-stream", "sec-fetch-mode": "cors"}
    assert (await scene.browser.get("/who", headers=stream)).status_code == 401


async def test_a_session_whose_renewal_is_refused_ends(scene, issuer, monkeypatch):
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    monkeypatch.setattr(issuer, "token_response", lambda _: (400, {"error": "invalid_grant"}))
    scene.now += timedelta(seconds=45)
    assert (await scene.browser.get("/who")).status_code == 303
    assert "session" not in scene.browser.cookies


async def test_a_session_that_the_api_refuses_ends(scene, issuer, monkeypatch):
    monkeypatch.setattr("console.sign_in.people.FRESH_SECONDS", 0.0)
    await scene.sign_in(issuer)
    scene.refused.add((await scene.browser.get("/who")).text.split()[1])
    assert (await scene.browser.get("/who")).status_code == 303
    assert "session" not in scene.browser.cookies


async def test_polls_do_not_keep_a_session_and_actions_do(scene, issuer):
    await scene.sign_in(issuer)
    poll = {"hx-request": "true", "sec-fetch-mode": "cors", "accept": "*/*"}
    for _ in range(2):
        scene.now += timedelta(minutes=7)
        assert (await scene.browser.get("/who", headers=poll)).status_code == 200
    scene.now += timedelta(seconds=50)
    assert (await scene.browser.get("/who")).status_code == 200
    scene.now += timedelta(minutes=14)
    assert (await scene.browser.get("/who", headers=poll)).status_code == 200
    scene.now += timedelta(minutes=1)
    assert (await scene.browser.get("/who", headers=poll)).status_code == 401
    assert (await scene.browser.get("/who")).status_code == 303


async def test_a_form_of_an_ended_session_keeps_what_was_typed(scene, issuer):
    await scene.sign_in(issuer)
    scene.now += timedelta(hours=1)
    body = "note=line+1%0D%0A%3Cb%3E&note_2=%22"
    response = await scene.browser.post("/note", content=body, headers=FORM)
    assert response.status_code == 401
    assert 'action="/note"' in response.text
    assert "line 1\r\n&lt;b&gt;" in response.text
    assert 'value="&#34;"' in response.text


async def test_signing_out_removes_the_session(scene, issuer):
    await scene.sign_in(issuer)
    out = await scene.browser.post("/sign-out", headers={"sec-fetch-site": "same-origin"})
    assert out.headers["location"] == "/signed-out"
    assert list(scene.browser.cookies) == []
    assert (await scene.browser.get("/signed-out")).status_code == 200


async def test_signing_out_needs_a_page_of_the_console(scene, issuer):
    await scene.sign_in(issuer)
    assert (await scene.browser.post("/sign-out", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await scene.browser.get("/who")).status_code == 200


async def test_a_key_signs_in_with_the_persons_name(key_file):
    scene = Scene(key_file, key_sign_in=True)
    scene.person = False
    async with scene.browser as browser:
        body = {"name": "Jo Miller", "key": "cgk_1_secret", "return": "//evil.example"}
        response = await browser.post("/sign-in/key", data=body, headers=FORM)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        assert (await browser.get("/who")).text == "Jo Miller cgk_1_secret"
        for wrong in ({"name": ""}, {"name": "a" * 96}, {"name": "jo\u202emiller"}, {"key": "k\u00f6y"}):
            assert (await browser.post("/sign-in/key", data=body | wrong, headers=FORM)).status_code == 400
        scene.refused.add("wrong")
        assert (await browser.post("/sign-in/key", data=body | {"key": "wrong"}, headers=FORM)).status_code == 403


async def test_a_way_to_sign_in_that_is_off_does_not_exist(scene):
    for path in ("/sign-in/key", "/sign-in/link"):
        assert (await scene.browser.post(path, headers=FORM)).status_code == 404


async def test_a_one_time_link_signs_in_once_on_this_machine(key_file, tmp_path):
    scene = Scene(key_file, link_directory=tmp_path)
    link = one_time_link(tmp_path, ORIGIN, "persons-token", NOW)
    async with scene.open_browser("192.0.2.7") as elsewhere:
        assert (await elsewhere.get(link)).status_code == 403
    async with scene.browser as browser:
        assert (await browser.get(link)).headers["location"] == "/"
        assert (await browser.get("/who")).text == "jo.miller persons-token"
    async with scene.open_browser() as again:
        assert (await again.get(link)).status_code == 403


async def cannot_check(scene, issuer, monkeypatch, how):
    """Make the sign-in uncheckable: the API cannot read the issuer's keys, or the issuer renews no ended token."""
    if how == "the API":
        scene.is_unchecked = True
    else:
        monkeypatch.setattr(issuer, "token_response", lambda _: (503, {}))
        scene.now += timedelta(seconds=90)


@pytest.mark.parametrize("how", ["the API", "the issuer"])
async def test_a_session_that_cannot_be_checked_stays_and_each_page_says_so(scene, issuer, monkeypatch, how):
    monkeypatch.setattr("console.sign_in.people.FRESH_SECONDS", 0.0)
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    before = (await scene.browser.get("/who")).text
    with monkeypatch.context() as while_away:
        await cannot_check(scene, issuer, while_away, how)
        page = await scene.browser.get("/who")
        assert page.status_code == 503
        assert "The sign-in cannot be checked now" in page.text
        assert "You stay signed in" in page.text
        assert page.headers["retry-after"] == "10"
        for headers in ({"accept": "text/event-stream", "sec-fetch-mode": "cors"}, {"hx-request": "true"}):
            assert (await scene.browser.get("/who", headers=headers)).status_code == 503
        form = await scene.browser.post("/note", content="note=typed+text", headers=FORM)
        assert form.status_code == 503
        assert "The form was not sent" in form.text
        assert 'value="typed text"' in form.text
        work = await scene.browser.post("/authorizations/a/work/session", content="", headers=FORM)
        assert 'href="/authorizations/a/work"' in work.text
        assert "Send the form" not in work.text
    scene.is_unchecked = False
    after = await scene.browser.get("/who")
    assert after.status_code == 200
    assert after.text.split()[0] == before.split()[0]


async def test_a_token_that_is_renewed_while_the_api_cannot_check_it_is_kept(scene, issuer, monkeypatch):
    monkeypatch.setattr("console.sign_in.renewal.REMEMBERED_SECONDS", 0.0)
    issuer.token_seconds = 60
    await scene.sign_in(issuer)
    scene.now += timedelta(seconds=45)
    scene.is_unchecked = True
    assert (await scene.browser.get("/who")).status_code == 503
    scene.is_unchecked = False
    renewed = []
    monkeypatch.setattr(issuer, "token_response", renewed.append)
    assert (await scene.browser.get("/who")).status_code == 200
    assert renewed == []


async def test_a_new_sign_in_that_cannot_be_checked_makes_no_session_and_says_so(scene, issuer):
    scene.is_unchecked = True
    response = await scene.sign_in(issuer)
    assert (response.status_code, "cannot be checked now" in response.text) == (503, True)
    assert "session" not in scene.browser.cookies


async def test_a_new_sign_in_waits_for_the_issuers_keys(scene, issuer, monkeypatch):
    document = issuer.document
    monkeypatch.setattr(issuer, "document", lambda path: None if path == "/jwks.json" else document(path))
    response = await scene.sign_in(issuer)
    assert (response.status_code, "does not answer" in response.text) == (503, True)


async def test_a_proxys_token_that_cannot_be_checked_is_not_refused(scene):
    scene.is_unchecked = True
    app = console_app(scene.api, [Route("/who", who)], console_settings(trust_bearer=True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, headers=OPENED) as browser:
        page = await browser.get("/who", headers={"authorization": "Bearer token"})
    assert (page.status_code, "cannot be checked now" in page.text) == (503, True)
