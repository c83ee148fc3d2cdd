"""`gateway check --for console` names what a console would miss."""

import secrets

import pytest

from cli.check.check_results import exit_code
from cli.check.console import check_console
from local.issuer import LocalIssuer
from tests.process.http_servers import QuietHandler, http_server
from tests.unit.console.app import console_settings


class Answer(QuietHandler):
    status, media_type = 401, "application/problem+json"

    def do_GET(self):  # noqa: N802 - the name of http.server
        self.send_response(self.status)
        self.send_header("content-type", self.media_type)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def api():
    handler = type("Handler", (Answer,), {})
    with http_server(handler) as server:
        handler.url = f"http://127.0.0.1:{server.server_port}"
        yield handler


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer() as issuer:
        yield issuer


def check(tmp_path, api_url, issuer_url, key=None):
    (file := tmp_path / "key").write_text(key or secrets.token_urlsafe(32))
    own = {"api_url": api_url, "cookie_key_file": file, "oidc_issuer": issuer_url, "oidc_client_id": "console"}
    results = list(check_console(console_settings(**own), offline=False))
    return {one.subject: one.state for one in results}, int(exit_code(results))


def test_an_installation_that_works_passes(tmp_path, api, issuer):
    states, code = check(tmp_path, api.url, issuer.url)
    assert code == 0
    assert {states[name] for name in ("cookie keys", "api", "issuer")} == {"ok"}


@pytest.mark.parametrize(("status", "media_type"), [(200, "text/html"), (401, "text/html"), (404, "application/json")])
def test_an_address_that_is_not_the_ingress_is_named(tmp_path, api, issuer, status, media_type):
    api.status, api.media_type = status, media_type
    states, code = check(tmp_path, api.url, issuer.url)
    assert (states["api"], code) == ("FAILED", 78)


def test_what_is_away_and_what_is_wrong_are_told_apart(tmp_path, api, issuer):
    states, code = check(tmp_path, "http://127.0.0.1:9", issuer.url)
    assert (states["api"], states["issuer"], code) == ("FAILED", "ok", 69)
    states, code = check(tmp_path, api.url, "http://127.0.0.1:9")
    assert (states["issuer"], code) == ("FAILED", 69)
    states, code = check(tmp_path, api.url, f"{issuer.url}/other")
    assert (states["issuer"], code) == ("FAILED", 78)
    states, code = check(tmp_path, api.url, issuer.url, "short")
    assert (states["cookie keys"], code) == ("FAILED", 78)
