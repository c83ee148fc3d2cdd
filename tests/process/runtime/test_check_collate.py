"""`gateway check` of Collate, with the simulated Collate and a real proxy."""

from email.utils import formatdate

import httpx
import pytest

from cli.check.check_results import exit_code
from cli.check.collate import _clock, check_collate
from runtime.exits import Exit
from runtime.settings import CollateSettings


@pytest.fixture
def look(collate, tmp_path):
    key = tmp_path / "key"

    async def look(with_key="local-collate-key", url=None, **changes):
        key.write_text(with_key)
        settings = CollateSettings(base_url=url or collate.url, api_key_file=key, allow_plain_http=True, **changes)
        findings = [finding async for finding in check_collate(settings)]
        return {finding.subject: (finding.state, finding.detail) for finding in findings}, exit_code(findings)

    return look


async def test_a_collate_that_takes_our_key(look, collate):
    found, code = await look()
    assert code == Exit.OK
    assert {what: state for what, (state, _) in found.items()} == {
        "collate": "ok",
        "collate key": "ok",
        "clock": "skipped",
    }
    assert not collate.ledger.effects


async def test_a_refused_key_is_told_apart_from_a_collate_that_is_away(look, collate):
    collate.fault("answer", path=".*gateway-check", status=401, code="unauthorized")
    found, code = await look()
    assert code == Exit.DENIED
    assert found["collate key"][0] == "FAILED"
    _, code = await look(url="http://127.0.0.1:1")
    assert code == Exit.UNAVAILABLE


async def test_a_key_that_is_none_is_never_sent(look):
    found, code = await look(with_key="two\nlines")
    assert code == Exit.CONFIG
    assert "not one printable line" in found["collate key"][1]
    assert "lines" not in found["collate key"][1].replace("printable line", "")


@pytest.mark.parametrize(
    ("ahead", "state", "code"), [(0, "ok", Exit.OK), (10, "differs", Exit.OK), (-90, "FAILED", Exit.CONFIG)]
)
def test_a_clock_that_is_off(ahead, state, code):
    theirs = 1_790_000_000
    health = httpx.Response(200, headers={"date": formatdate(theirs, usegmt=True)})
    found = _clock(health, theirs + 0.5 + ahead)
    assert (found.state, found.code) == (state, code)


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_without_a_date_the_clock_is_not_judged(date):
    assert _clock(httpx.Response(200, headers=date), 0.0).state == "skipped"


async def test_the_check_goes_through_the_proxy_and_says_so(look, proxy):
    running = proxy()
    found, code = await look(proxy=running.url)
    assert code == Exit.OK
    assert f"through proxy {running.url}" in found["collate"][1]
    assert found["collate key"][0] == "ok"


@pytest.mark.parametrize(
    ("behaviour", "message", "expected"),
    [
        (["relay", "a:b"], "refuses the credentials", Exit.DENIED),
        (["403"], "refuses to connect to Collate (403)", Exit.DENIED),
        (["close"], "closed the connection", Exit.UNAVAILABLE),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(look, proxy, behaviour, message, expected):
    running = proxy(*behaviour)
    found, code = await look(proxy=running.url)
    assert code == expected
    assert found["collate"][1].startswith(f"proxy {running.url}: ")
    assert message in found["collate"][1]


async def test_a_proxy_that_is_away_and_unreadable_credentials_are_told_apart(look, proxy, tmp_path):
    found, code = await look(proxy="http://127.0.0.1:1")
    assert (code, found["collate"][1]) == (Exit.UNAVAILABLE, "proxy http://127.0.0.1:1: no connection")
    found, code = await look(proxy=proxy().url, proxy_credentials_file=tmp_path / "absent")
    assert code == Exit.CONFIG
    assert "PROXY_CREDENTIALS_FILE" in found["collate"][1]
