"""The client and the proxy of the environment: `direct` never uses it, because it would see a person's token."""

import http.server
import threading

import pytest
from pydantic import SecretStr

from collate_gateway_client import Gateway, GatewayProblem, RetryPolicy, operations
from console.api import Api
from console.person import SignedInPerson, SignInWay
from tests.unit.console.app import console_settings


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers each request with 404 and records its target: a proxy is asked for a whole URL."""

    def do_GET(self):
        self.server.targets.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def servers():
    """A gateway and a proxy."""
    found = [http.server.HTTPServer(("127.0.0.1", 0), Recorder) for _ in range(2)]
    threads = [threading.Thread(target=one.serve_forever, args=(0.02,)) for one in found]
    for one, thread in zip(found, threads, strict=True):
        one.targets = []
        thread.start()
    yield found
    for one, thread in zip(found, threads, strict=True):
        one.shutdown()
        thread.join()
        one.server_close()


@pytest.fixture
def url(servers, monkeypatch):
    gateway, proxy = servers
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    return f"http://127.0.0.1:{gateway.server_port}"


@pytest.mark.parametrize("direct", [False, True])
def test_only_a_client_that_is_not_direct_uses_the_proxy(servers, url, direct):
    with Gateway(url, "k", retries=RetryPolicy.none(5), direct=direct) as client, pytest.raises(GatewayProblem):
        client.send(operations.read_me())
    assert [one.targets for one in servers] == ([["/v1/me"], []] if direct else [[], [f"{url}/v1/me"]])


async def test_the_console_never_uses_a_proxy(servers, url):
    settings = console_settings(api_url=url).console
    person = SignedInPerson("jo", frozenset(), SecretStr("token"), SignInWay.oidc)
    async with Api(settings) as api:
        await api.send(person, operations.read_me())
    assert [one.targets for one in servers] == [["/v1/me"], []]
