"""The console in front of the real ingress: people sign in at an issuer over HTTP and act with their own tokens."""

import asyncio
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from console.api import Answer, operations
from console.page import console_of as page_console
from console.page import person_of
from tests.process.ingress.conftest import console_of
from tests.unit.console.app import STAFF

JO = "jo.miller"


async def open_handoff(request: Request) -> Response:
    person = person_of(request)
    call = operations.request_handoff("auth_1", {"requestedBy": person.name_for_api}, "form-1")
    outcome = await page_console(request).api.send(person, call)
    if isinstance(outcome, Answer):
        return JSONResponse({"person": person.name, "status": outcome.status, "may": sorted(person.permissions)})
    return JSONResponse({"refused": str(outcome)}, 502)


@pytest.fixture
async def console(ingress, issuer, tmp_path):
    entry = issuer.callers_file_entry({"staff": STAFF})
    ingress.add_callers(entry)
    open_route = Route("/open", open_handoff, methods=["POST"])
    async with console_of(ingress, issuer, tmp_path, open_route, key_sign_in=True) as browser:
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


async def test_a_person_in_no_group_signs_in_and_may_do_nothing(console, issuer, kafka):
    assert (await sign_in(console, issuer, "sam.lee", ())).status_code == 303
    refused = await console.post("/open")
    assert (refused.status_code, kafka.read()) == (502, [])
    assert "permission" in refused.text


async def test_a_token_of_an_issuer_that_the_api_does_not_know_signs_nobody_in(console, issuer, ingress):
    kept = ingress.callers_file.read_text().partition("[[issuer]]")[0]
    ingress.use_callers(kept)
    refused = await sign_in(console, issuer)
    assert refused.status_code == 403
    assert "callers file" in refused.text


async def test_with_a_key_the_service_vouches_for_the_name(console, ingress, kafka):
    body = {"name": "Kim Roe", "key": ingress.key}
    assert (await console.post("/sign-in/key", data=body)).status_code == 303
    assert (await console.post("/open")).json()["person"] == "Kim Roe"
    (command,) = kafka.read()
    assert (command.caller, command.data.requested_by) == ("desk", "Kim Roe")
