"""Reading an issuer's key set over real TLS: directly, through a proxy, and within its bounds."""

import asyncio
import json

import httpx
import pytest
from joserfc import jwk

from adapters.oidc import jwks
from adapters.oidc.jwks import KeySet, KeysUnavailable, fetch
from runtime.http_client import HttpProxy
from tests.process.http_servers import QuietHandler, https_server

KEY = jwk.ECKey.generate_key("P-256", {"kid": "ec-1"})
KEYS = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()


@pytest.fixture
def issuer(tmp_path, monkeypatch):
    """An issuer of the name localhost. It responds with `issuer.response`; `issuer.paths` are the requests."""

    class Handler(QuietHandler):
        def do_GET(self):  # noqa: N802 - the name of http.server
            self.server.paths.append(self.path)
            status, headers, body = self.server.response
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with https_server(tmp_path, monkeypatch, Handler) as server:
        server.paths, server.response = [], (200, {}, KEYS)
        server.url = f"https://127.0.0.1:{server.server_port}/jwks.json"
        yield server


async def key_of(issuer, proxy=None):
    """Return the key, or None if the key set was not read."""
    found = await KeySet(issuer.url, lambda place: fetch(place, proxy)).key("ec-1")
    return None if isinstance(found, KeysUnavailable) else found


async def test_a_key_set_is_read_from_its_issuer(issuer):
    assert await key_of(issuer) is not None


async def test_a_key_set_is_read_through_the_proxy_by_a_tunnel(issuer, proxy, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text("gateway:s3:cret\n")
    running = proxy("relay", "gateway:s3:cret")
    assert await key_of(issuer, HttpProxy(running.url, credentials)) is not None
    assert [line["target"] for line in running.stop()] == [f"127.0.0.1:{issuer.server_port}"]


@pytest.mark.parametrize("written", ["gateway:wrong", None])
async def test_refused_or_missing_credentials_read_no_key_set(issuer, proxy, tmp_path, written):
    credentials = tmp_path / "credentials"
    if written:
        credentials.write_text(written)
    assert await key_of(issuer, HttpProxy(proxy("relay", "gateway:right").url, credentials)) is None
    assert issuer.paths == []


@pytest.mark.parametrize("behaviour", ["403", "502", "close", "garbage", "surplus"])
async def test_a_proxy_that_opens_no_tunnel_reads_no_key_set(issuer, proxy, behaviour):
    assert await key_of(issuer, HttpProxy(proxy(behaviour).url)) is None
    assert issuer.paths == []


async def test_the_issuers_certificate_is_checked_behind_the_proxy(issuer, proxy, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        await asyncio.to_thread(fetch, issuer.url, HttpProxy(proxy().url))
    assert issuer.paths == []


async def test_a_local_issuer_is_reached_without_the_environments_proxy(issuer, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await key_of(issuer) is not None


@pytest.mark.parametrize("status", [204, 301, 302, 307, 401, 404, 500])
async def test_a_response_that_is_not_200_holds_no_keys_and_no_redirect_is_followed(issuer, status):
    issuer.response = (status, {"Location": "/elsewhere"}, b"" if status == 204 else KEYS)
    assert await key_of(issuer) is None
    assert issuer.paths == ["/jwks.json"]


async def test_a_key_set_over_its_size_is_not_read(issuer, monkeypatch):
    monkeypatch.setattr(jwks, "MOST_BYTES", len(KEYS) - 1)
    assert await key_of(issuer) is None
    monkeypatch.setattr(jwks, "MOST_BYTES", len(KEYS))
    assert await key_of(issuer) is not None
