"""Client credentials (RFC 6749, 4.4) against a token endpoint over real TLS."""

import asyncio
import base64
import json
from urllib.parse import parse_qs

import pytest

from adapters.kafka import credentials
from adapters.kafka.credentials import CredentialUnavailable, TokenEndpoint
from tests.process.http_servers import QuietHandler, https_server


@pytest.fixture
def issuer(tmp_path, monkeypatch):
    """A token endpoint: it sends `issuer.responses` in order and collects `issuer.requests`."""

    class Handler(QuietHandler):
        def do_POST(self):  # noqa: N802 - the name of http.server
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.server.requests.append((self.headers["Authorization"], form))
            status, content = self.server.responses.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode())

    with https_server(tmp_path, monkeypatch, Handler) as server:
        server.requests, server.responses = [], []
        yield server


@pytest.fixture
def endpoint(issuer, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s:e c\n")
    return TokenEndpoint(f"https://127.0.0.1:{issuer.server_port}/token", "gate/way", secret, "kafka")


async def test_a_token_is_requested_once_and_used_for_most_of_its_lifetime(issuer, endpoint, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(credentials.time, "monotonic", lambda: now)
    issuer.responses = [(200, {"access_token": "first", "expires_in": 100}), (200, {"access_token": "second"})]
    assert set(await asyncio.gather(*(endpoint.token() for _ in range(5)))) == {"first"}
    now = 1079.0
    assert await endpoint.token() == "first"
    now = 1081.0
    assert await endpoint.token() == "second"
    (credential, form), _ = issuer.requests
    assert base64.b64decode(credential.removeprefix("Basic ")) == b"gate%2Fway:s%3Ae%20c"
    assert form == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ((401, {"error": "invalid_client"}), "the token endpoint responded 401"),
        ((200, b"<html>"), "the response of the token endpoint has no access_token"),
        ((200, ["not an object"]), "the response of the token endpoint has no access_token"),
    ],
)
async def test_a_refusal_fails_one_login_and_the_next_login_retries(issuer, endpoint, response, message):
    issuer.responses = [response, (200, {"access_token": "good"})]
    with pytest.raises(CredentialUnavailable, match=message):
        await endpoint.token()
    assert await endpoint.token() == "good"


async def test_an_untrusted_endpoint_never_gets_the_secret(issuer, endpoint, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(CredentialUnavailable, match="did not respond"):
        await endpoint.token()
    assert issuer.requests == []
