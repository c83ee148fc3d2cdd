"""The client and the proxy of the environment: `direct` never uses it, because it would see a person's token."""

import pytest
from pydantic import SecretStr

from collate_gateway_client import Gateway, GatewayProblem, RetryPolicy, operations
from console.api import Api
from console.person import SignedInPerson, SignInWay
from tests.process.http_servers import QuietHandler, http_server
from tests.unit.console.app import console_settings


class Recorder(QuietHandler):
    """Answers each request with 404 and records its target: a proxy is asked for a whole URL."""

    def do_GET(self):  # noqa: N802 - the name of http.server
        self.server.targets.append(self.path)
        self.send_error(404)


@pytest.fixture
def servers():
    """A gateway and a proxy."""
    with http_server(Recorder) as gateway, http_server(Recorder) as proxy:
        gateway.targets, proxy.targets = [], []
        yield [gateway, proxy]


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
