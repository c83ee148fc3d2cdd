"""The console in front of the real ingress: people sign in at an issuer over HTTP and act with their own tokens."""

import asyncio
import secrets
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from console.api import Answer, Api, operations
from console.app import create_app
from console.middleware import page_recorder
from console.page import console_of, person_of
from local.issuer import LocalIssuer
from runtime.metrics import Metrics
from tests.unit.console.app import ORIGIN, STAFF, console_settings

JO = "jo.miller"
OPENED = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", "accept": "text/html"}


async def open_handoff(request: Request) -> Response:
    person = person_of(request)
    call = operations.request_handoff("auth_1", {"requestedBy": person.name_for_api}, "form-1")
    outcome = await console_of(request).api.send(person, call)
    if isinstance(outcome, Answer):
        return JSONResponse({"person": person.name, "status": outcome.status, "may": sorted(person.permissions)})
    return JSONResponse({"refused": str(outcome)}, 502)


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer(["staff"]) as issuer:
        yield issuer


@pytest.fixture
async def console(ingress, issuer, tmp_path):
    entry = issuer.callers_file_entry({"staff": STAFF})
    ingress.callers_file.write_text(ingress.callers_file.read_text() + entry)
    assert ingress.components.callers.reread_if_changed()
    (key_file := tmp_path / "cookie-key").write_text(secrets.token_urlsafe(32))
    settings = console_settings(
        api_url=f"http://127.0.0.1:{ingress.port}",
        trust_bearer=False,
        cookie_key_file=key_file,
        oidc_issuer=issuer.url,
        oidc_client_id="console",
        key_sign_in=True,
    )
    async with Api(settings.console) as api:
        app = create_app(settings, api, page_recorder(Metrics(CollectorRegistry()).console))
        app.router.routes.append(Route("/open", open_handoff, methods=["POST"]))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=OPENED) as browser:
            yield browser


async def sign_in(console, issuer, name=JO, groups=("staff",)):
    started = await console.get("/sign-in/start")
    query = dict(parse_qsl(urlsplit(started.headers["location"]).query))
    return await console.get(issuer.authorize(query, name, groups))


async def test_a_person_acts_under_their_own_name_with_their_own_permissions(lines, console, issuer, ingress, kafka):
    assert (await sign_in(console, issuer)).headers["location"] == "/"
    opened = await console.post("/open", headers={"x-request-id": "page-7"})
    assert opened.json() == {"person": JO, "status": 202, "may": sorted(STAFF)}
    (command,) = kafka.read()
    assert (command.caller, command.data.requested_by) == (f"people:{JO}", JO)
    await asyncio.sleep(0)  # lines are written at the end of a pass of the event loop
    written = [line for line in lines() if line.get("request_id") == "page-7"]
    assert {(line["event"], line.get("person"), line.get("caller")) for line in written} == {
        ("console.page_completed", JO, None),
        ("ingress.request_completed", None, f"people:{JO}"),
    }


async def test_a_form_that_is_sent_twice_is_one_command(console, issuer, kafka):
    await sign_in(console, issuer)
    assert [(await console.post("/open")).status_code for _ in range(2)] == [200, 200]
    assert len(kafka.commands) == 1


async def test_a_person_in_no_group_signs_in_and_may_do_nothing(console, issuer, kafka):
    assert (await sign_in(console, issuer, "sam.lee", ())).status_code == 303
    refused = await console.post("/open")
    assert (refused.status_code, kafka.read()) == (502, [])
    assert "permission" in refused.text


async def test_a_token_of_an_issuer_that_the_api_does_not_know_signs_nobody_in(console, issuer, ingress):
    kept = ingress.callers_file.read_text().partition("[[issuer]]")[0]
    ingress.callers_file.write_text(kept)
    assert ingress.components.callers.reread_if_changed()
    refused = await sign_in(console, issuer)
    assert refused.status_code == 403
    assert "callers file" in refused.text


async def test_with_a_key_the_service_vouches_for_the_name(console, ingress, kafka):
    body = {"name": "Kim Roe", "key": ingress.key}
    assert (await console.post("/sign-in/key", data=body)).status_code == 303
    assert (await console.post("/open")).json()["person"] == "Kim Roe"
    (command,) = kafka.read()
    assert (command.caller, command.data.requested_by) == ("desk", "Kim Roe")


async def test_a_wrong_key_signs_nobody_in(console):
    refused = await console.post("/sign-in/key", data={"name": "Kim Roe", "key": "cgk_00000000_wrong"})
    assert refused.status_code == 403


@pytest.mark.parametrize("path", ["/", "/work", "/developers", "/search", "/authorizations/auth_1", "/commands/c"])
async def test_every_page_says_so_when_there_is_no_read_model(console, issuer, path):
    await sign_in(console, issuer)
    page = await console.get(path)
    assert page.status_code in {200, 404, 503}
    assert "The page failed" not in page.text
    assert datetime.now(UTC).strftime("%Y") in page.text or path == "/search"
