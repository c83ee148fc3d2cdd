import asyncio
import gzip

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from console.api import Api, GatewayProblem, NotAnswered, operations
from console.assets import Assets
from console.forms import read_form
from console.page import console_of, open_templates, person_of, render
from tests.unit.console.app import ORIGIN, browser, console_app, console_settings, me

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def show_name(request: Request) -> Response:
    return PlainTextResponse(f"{person_of(request).name} {person_of(request).may('operate')}")


async def echo(request: Request) -> Response:
    return PlainTextResponse((await read_form(request))["name"])


PAGES = [Route("/name", show_name), Route("/echo", echo, methods=["POST"])]


async def test_every_response_has_the_security_headers():
    async with browser(console_app(routes=PAGES)) as client:
        for path in ("/name", "/nowhere"):
            headers = (await client.get(path)).headers
            assert headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
            assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": ORIGIN}, 403),
        ({"origin": ORIGIN}, 200),
        ({"origin": "https://other.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_an_unsafe_request_must_come_from_the_consoles_own_pages(headers, status):
    async with browser(console_app(routes=PAGES)) as client:
        del client.headers["sec-fetch-site"]
        response = await client.post("/echo", content="name=jo", headers=FORM | headers)
        assert response.status_code == status


async def test_two_different_statements_about_the_site_are_refused():
    async with browser(console_app(routes=PAGES)) as client:
        del client.headers["sec-fetch-site"]
        headers = [*FORM.items(), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]
        assert (await client.post("/echo", content="name=jo", headers=headers)).status_code == 403


async def test_a_body_above_64_kib_is_refused_announced_or_not():
    async def pieces():
        for _ in range(70):
            yield b"n" * 1_024

    async with browser(console_app(routes=PAGES)) as client:
        fits = await client.post("/echo", content=b"name=" + b"n" * ((64 << 10) - 5), headers=FORM)
        announced = await client.post("/echo", content=b"name=" + b"n" * (64 << 10), headers=FORM)
        chunked = await client.post("/echo", content=pieces(), headers=FORM)
    assert [one.status_code for one in (fits, announced, chunked)] == [200, 413, 413]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"name=%C3%A4", FORM, 200),
        (b"name=%FF", FORM, 400),
        (b"&".join([b"a=1"] * 201), FORM, 400),
        (b'{"name": "jo"}', {"content-type": "application/json"}, 415),
    ],
)
async def test_only_a_readable_form_with_a_bounded_number_of_fields_is_read(content, headers, status):
    async with browser(console_app(routes=PAGES)) as client:
        assert (await client.post("/echo", content=content, headers=headers)).status_code == status


async def test_a_person_has_at_most_eight_pages_in_flight_and_others_are_not_affected():
    held = asyncio.Event()

    async def wait(_: Request) -> Response:
        await held.wait()
        return PlainTextResponse("")

    def two_people(request: httpx.Request) -> httpx.Response:
        return me(request, name=request.headers["authorization"].removeprefix("Bearer "))

    app = console_app(two_people, [Route("/wait", wait)])
    async with browser(app) as client:
        jo, kim = {"authorization": "Bearer jo"}, {"authorization": "Bearer kim"}
        waiting = [asyncio.create_task(client.get("/wait", headers=jo)) for _ in range(8)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert (await client.get("/nowhere", headers=jo)).status_code == 429
        assert (await client.get("/nowhere", headers=kim)).status_code == 404
        held.set()
        assert {(await one).status_code for one in waiting} == {200}
        assert (await client.get("/nowhere", headers=jo)).status_code == 404


async def test_an_unexpected_exception_becomes_a_page_without_its_text():
    async def fail(_: Request) -> Response:
        raise RuntimeError("secret text")

    async with browser(console_app(routes=[Route("/fail", fail)])) as client:
        with capture_logs() as lines:
            response = await client.get("/fail", headers={"x-request-id": "abc"})
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("console.page_failed", "abc"),
        ("console.page_completed", "abc"),
    ]
    assert response.status_code == 500
    assert "abc" in response.text
    assert "secret text" not in response.text


async def test_texts_are_escaped_and_an_undefined_name_is_an_error(tmp_path):
    (tmp_path / "page.html").write_text("<p>{{ view }}</p>")
    (tmp_path / "broken.html").write_text("{{ nothing }}")

    async def page(request: Request) -> Response:
        return render(request, "page.html", "<script>")

    async def broken(request: Request) -> Response:
        return render(request, "broken.html")

    app = console_app(routes=[Route("/page", page), Route("/broken", broken)])
    app.state.console = type(app.state.console)(
        **{name: getattr(app.state.console, name) for name in ("api", "settings", "environment", "now")},
        templates=open_templates(Assets(), [tmp_path, *app.state.console.templates.loader.searchpath]),
    )
    async with browser(app) as client:
        assert (await client.get("/page")).text == "<p>&lt;script&gt;</p>"
        assert (await client.get("/broken")).status_code == 500


async def test_an_asset_is_immutable_at_its_hash_and_not_cached_at_an_old_one(tmp_path):
    (tmp_path / "console.css").write_text("p { color: red }\n" * 50)
    (tmp_path / "notes.md").write_text("not served")
    assets = Assets(tmp_path)
    app = console_app()
    app.router.routes[0] = Route("/static/{digest}/{name:path}", assets.serve)
    async with browser(app) as client:
        current = await client.get(assets.url("console.css"))
        plain = await client.get(assets.url("console.css"), headers={"accept-encoding": "identity"})
        old = await client.get("/static/000000000000/console.css")
        hidden = await client.get("/static/000000000000/notes.md")
        outside = await client.get("/static/0/..%2f..%2fapp.py")
    assert current.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert current.headers["content-encoding"] == "gzip"
    assert current.text == plain.text == old.text
    assert len(gzip.compress(plain.content)) < len(plain.content)
    assert old.headers["cache-control"] == "no-store"
    assert (hidden.status_code, outside.status_code) == (404, 404)


OVERVIEW = operations.read_overview({"history": "1h"})
WATCH = operations.watch_authorization("auth_1", key="k")


async def ask(answers, call=OVERVIEW, etag=None):
    outcome = "not asked"

    async def page(request: Request) -> Response:
        nonlocal outcome
        api, person = console_of(request).api, person_of(request)
        outcome = await (api.send(person, call) if etag is None else api.read_if_changed(person, call, etag))
        return PlainTextResponse("")

    def api(request: httpx.Request) -> httpx.Response:
        return me(request) if request.url.path == "/v1/me" else answers(request)

    async with browser(console_app(api, [Route("/ask", page)])) as client:
        assert (await client.get("/ask", headers={"x-request-id": "page-7"})).status_code == 200
    return outcome


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>bad gateway"),
        httpx.Response(200, text="<html>a page"),
        httpx.Response(302, headers={"location": "https://login.example"}),
        httpx.Response(200, content=b"{", headers={"content-type": "application/json"}),
        httpx.Response(200, content=b"[" * 9_000_000, headers={"content-type": "application/json"}),
    ],
)
async def test_an_answer_that_is_not_the_apis_counts_as_not_reached(response):
    assert isinstance(await ask(lambda _: response), NotAnswered)


async def test_a_credential_that_no_header_can_have_is_refused_and_sends_nothing():
    api = Api(
        console_settings().console, httpx.AsyncClient(transport=httpx.MockTransport(lambda _: pytest.fail("sent")))
    )
    outcome = await api.send_as(SecretStr("a key"), OVERVIEW)
    assert isinstance(outcome, GatewayProblem)
    assert outcome.status == 401


async def test_a_call_ends_in_time():
    async def answers(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx.AsyncClient(transport=httpx.MockTransport(answers))
    outcome = await Api(console_settings().console, http, seconds=0.05).send_as(SecretStr("k"), WATCH)
    assert isinstance(outcome, NotAnswered)
    assert outcome.reason == "no answer within 0.05 s"


async def test_an_outcome_keeps_no_frame_that_has_the_credential():
    problem = {"type": "urn:collate-gateway:problem:not-found", "title": "T"}
    for answer in (httpx.Response(404, json=problem), httpx.Response(200, text="<html>")):
        assert (await ask(lambda _, answer=answer: answer)).__traceback__ is None
