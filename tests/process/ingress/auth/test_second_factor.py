"""A second factor for links and patients' data (RFC 9470): the API's challenge, and the console's way to the issuer."""

import html
import re
import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from docs_build.documents.openapi.document import openapi
from gateway.ingress.auth.callers_file import read_callers
from runtime.toml_file import TomlInvalid
from schemas.api.operations import OPERATIONS
from schemas.api.situations import AuthorizationNow, LiveHandoff
from schemas.commands import RecordAccess, RecordRead
from schemas.model import is_confidential
from tests.process.ingress.conftest import console_of
from tests.unit.console.app import STAFF

MAY = [*STAFF, "authorization:evidence", "operate"]
DEMAND = 'acr = ["urn:example:mfa", "phr"]\nmax_age = 600\n'
JO = "jo.miller"
CALLS = {
    "grant": ("POST", "/v1/authorizations/{}/handoffs/active/access-grants"),
    "review": ("GET", "/v1/authorizations/{}/review-snapshot"),
    "evidence": ("GET", "/v1/authorizations/{}/payer-evidence"),
    "reveal": ("GET", "/v1/dead-letters/2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10/original"),
    "message": ("GET", "/v1/authorizations/{}/handoffs/active"),
}


WITH_PHI = {
    "readHandoff",
    "createAccessGrant",
    "readReviewSnapshot",
    "readPayerEvidence",
    "readDeadLetterOriginal",
}


@pytest.fixture
def ingress(ingress, issuer):
    entry = issuer.callers_file_entry({"staff": MAY}).replace("[people.permissions]", f"{DEMAND}[people.permissions]")
    ingress.add_callers(entry)
    return ingress


@pytest.fixture
def authorization(collate):
    (authorization,) = collate.create("handoff_active", review_backed=True)
    return authorization


async def call(ingress, authorization, name):
    method, path = CALLS[name]
    return await ingress.call(method, path.format(authorization), {} if method == "POST" else b"")


SIGN_INS = [{}, {"acr": "pwd"}, {"acr": "phr"}, {"acr": ["phr"], "auth_time": "now"}, {"acr": "phr", "auth_time": 601}]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("sign_in", SIGN_INS, ids=str)
async def test_a_sign_in_that_does_not_suffice_gets_the_challenge(
    ingress, issuer, kafka, authorization, *, name, sign_in
):
    claims = sign_in | ({"auth_time": time.time() - sign_in["auth_time"]} if sign_in.get("auth_time") == 601 else {})
    ingress.key = issuer.token(JO, ["staff"], **claims)
    reply = await call(ingress, authorization, name)
    assert (reply.status, reply.json["type"]) == (401, "urn:collate-gateway:problem:step-up-required")
    assert (reply.json["acrValues"], reply.json["maxAge"]) == ("urn:example:mfa phr", 600)
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication", ')
    assert challenge.endswith(', acr_values="urn:example:mfa phr", max_age="600"')
    assert kafka.commands == []


@pytest.mark.parametrize("name", CALLS)
async def test_a_sign_in_that_suffices_and_a_service_are_served(ingress, issuer, authorization, name):
    service, ingress.key = ingress.key, issuer.token(JO, ["staff"], acr="phr", auth_time=time.time() - 590)
    assert (await call(ingress, authorization, name)).status != 401
    ingress.key = service
    assert (await call(ingress, authorization, name)).status != 401


async def test_a_call_without_the_permission_needs_the_permission_first(ingress, issuer, authorization):
    ingress.key = issuer.token(JO, [])
    assert (await call(ingress, authorization, "evidence")).status == 403


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_the_answers_that_show_phi_or_a_link_demand_the_factor_and_no_others(
    ingress, issuer, authorization, operation
):
    ingress.key = issuer.token(JO, ["staff"], acr="pwd", auth_time=time.time())
    path = operation.path.replace("{authorizationId}", authorization).replace("{handoffId}", "active")
    path = path.replace("{commandId}", "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10")
    is_stream = operation.media_type == "text/event-stream"  # it does not end

    async def is_refused(query=""):
        method = "HEAD" if is_stream else operation.method
        reply = await ingress.call(method, path + query, {} if method == "POST" else b"")
        return reply.status == 401 and (is_stream or reply.json["type"].endswith(":step-up-required"))

    assert await is_refused() is (operation.id in WITH_PHI)
    described = openapi()["paths"][operation.path][operation.method.lower()].get("description", "")
    assert ("A person needs the sign-in" in described) is (operation.id in WITH_PHI)
    if operation.id == "readHandoff":
        assert "except with `message=omit`" in described
        assert [await is_refused(f"?message={value}") for value in ("omit", "", "omit&message=x")] == [
            False,
            True,
            False,
        ]
        assert (await ingress.get(f"{path}?message=omit")).json["handoff"]["state"] == "active"
        assert (await ingress.get(f"{path}?message=omit&message=x")).status == 400


def test_a_message_in_an_answer_is_found_at_any_depth():
    assert {operation.id for operation in OPERATIONS if operation.needs_second_factor} == WITH_PHI
    assert not is_confidential(AuthorizationNow)
    assert is_confidential(LiveHandoff)


@pytest.mark.parametrize("wrong", ['acr = ["a b"]', "acr = ['\"']", "max_age = 5", 'acr = "phr"'])
def test_a_wrong_demand_is_refused_by_its_field(issuer, wrong):
    entry = issuer.callers_file_entry({"staff": MAY}).replace("[people.permissions]", f"{wrong}\n[people.permissions]")
    with pytest.raises(TomlInvalid, match=r"people\.0\.(acr|max_age)"):
        read_callers(entry.encode())


@pytest.fixture
async def console(ingress, issuer, tmp_path, collate):
    async with console_of(ingress, issuer, tmp_path, session_origins=(collate.url,)) as browser:
        yield browser


async def sign_in(console, issuer, address="/sign-in/start"):
    """Go to the issuer and back; return what the issuer was asked, and the page that the browser comes back to."""
    at_issuer = (await console.get(address)).headers["location"]
    asked = dict(parse_qsl(urlsplit(at_issuer).query))
    back = await console.get(issuer.authorize(asked, JO, ["staff"]))
    return asked, back.headers["location"]


async def test_a_page_leads_to_the_issuer_and_back(console, issuer, authorization):
    await sign_in(console, issuer)
    page = f"/authorizations/{authorization}/work/evidence"
    refused = await console.get(page)
    address = refused.headers["location"]
    assert (refused.status_code, parse_qs(urlsplit(address).query)["return"]) == (303, [page])
    assert (await console.get("/developers")).status_code == 200, "the session stays"
    asked, back = await sign_in(console, issuer, address)
    assert (asked["acr_values"], asked["max_age"], back) == ("urn:example:mfa phr", "600", page)
    assert (await console.get(page)).status_code != 303
    fragment = await console.get(page, headers={"hx-request": "true"})
    assert fragment.status_code != 401


async def test_an_issuer_that_ignores_the_demand_ends_no_page_in_a_loop(console, issuer, authorization):
    await sign_in(console, issuer)
    page = f"/authorizations/{authorization}/work/evidence"
    at_issuer = (await console.get((await console.get(page)).headers["location"])).headers["location"]
    asked = dict(parse_qsl(urlsplit(at_issuer).query))
    del asked["acr_values"]
    back = await console.get(issuer.authorize(asked, JO, ["staff"]))
    again = await console.get(back.headers["location"])
    assert (again.status_code, "did not ask for your second factor" in again.text) == (502, True)
    assert (await console.get("/developers")).status_code == 200, "the session stays"


async def test_the_workbench_shows_collates_message_only_with_the_factor_and_asks_for_it(console, issuer, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": "Ask Pat"})
    work = f"/authorizations/{authorization}/work"
    await sign_in(console, issuer)
    without = await console.get(work)
    assert (without.status_code, "Ask Pat" in without.text) == (200, False)
    assert "Report" in without.text, "the person can report"
    (address,) = re.findall(r'href="(/sign-in/start[^"]*)"', without.text)
    asked, back = await sign_in(console, issuer, html.unescape(address))
    assert (asked["acr_values"], back) == ("urn:example:mfa phr", work)
    assert "Ask Pat" in (await console.get(work)).text


async def test_a_click_into_the_session_keeps_the_form_and_shows_the_way(console, issuer, kafka, authorization):
    await sign_in(console, issuer)
    work, form = f"/authorizations/{authorization}/work", {"key": "k-1", "handoff": "active", "unchecked": "yes"}
    own = {"sec-fetch-site": "same-origin"}
    refused = await console.post(f"{work}/session", data=form, headers=own)
    assert (refused.status_code, kafka.commands) == (401, [])
    (address,) = re.findall(r'href="(/sign-in/start[^"]*)"', refused.text)
    asked, back = await sign_in(console, issuer, html.unescape(address))
    assert (asked["acr_values"], back) == ("urn:example:mfa phr", work)
    assert (await console.post(f"{work}/session", data=form, headers=own)).status_code == 303, "the same form"
    assert [type(one.data) for one in kafka.read() if not isinstance(one.data, RecordRead)] == [RecordAccess]


async def test_a_fragment_of_a_page_is_told_to_load_the_page(console, issuer, authorization):
    await sign_in(console, issuer)
    page = f"/authorizations/{authorization}/work/evidence"
    assert (await console.get(page, headers={"hx-request": "true"})).status_code == 401


@pytest.mark.parametrize("query", ["acr_values=a%0Ab&max_age=x", 'acr_values="&max_age=-1'])
async def test_only_usable_demands_reach_the_issuer(console, query):
    address = (await console.get(f"/sign-in/start?{query}")).headers["location"]
    assert {"acr_values", "max_age"}.isdisjoint(parse_qs(urlsplit(address).query))
