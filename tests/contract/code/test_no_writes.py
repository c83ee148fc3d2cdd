"""A shadow can send no write: its client has no method for one, and sends GET alone (decision 0026)."""

import ast

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.client import CollateClient
from adapters.collate.open_client import open_client
from adapters.collate.operations import Operation
from adapters.collate.reader import CollateReader
from runtime.metrics import Metrics
from runtime.settings import CollateSettings
from tests.contract.code.product import nodes

WRITES = {"create_handoff", "close_handoff", "mint_grant"}


def methods(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


@pytest.fixture
def shadow(tmp_path):
    key = tmp_path / "key"
    key.write_text("sk_1")
    settings = CollateSettings(base_url="https://collate.test", api_key_file=key, writes="off")
    return open_client(settings, Metrics(CollectorRegistry()).collate)


def test_the_client_of_a_shadow_has_no_method_that_writes(shadow):
    assert type(shadow) is CollateReader
    assert methods(CollateClient) == WRITES, "each method that writes is in the client, and only those are"
    assert not WRITES & set(dir(CollateReader))


@pytest.mark.parametrize("operation", Operation)
async def test_the_client_of_a_shadow_sends_get_without_a_body_whatever_it_is_asked(shadow, operation):
    sent = []

    class Transport:
        async def call(self, method, path, headers=(), content=None):
            sent.append((method, content))
            raise ConnectionError

        async def aclose(self):
            pass

    shadow._transport = Transport()
    with pytest.raises(ConnectionError):
        await shadow._send(operation, "/v1/x", (), b"{}")
    assert sent == [("GET", None)]


def test_only_the_client_sends_another_method_than_get():
    found = {
        (path, call.args[0].value)
        for path, tree in nodes().items()
        if not path.startswith("cli/")  # tools of an operator
        for call in tree
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "call"
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert found == {("adapters/collate/reader.py", "GET"), ("adapters/collate/client.py", "POST")}


def test_only_open_client_makes_a_client():
    made = {
        path
        for path, tree in nodes().items()
        for call in tree
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "CollateClient"
    }
    assert made == {"adapters/collate/open_client.py"}
