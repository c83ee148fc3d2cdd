"""Both clients have a method for each operation that services and their staff need, and the same version."""

import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

from collate_gateway_client import VERSION as CLIENT_VERSION
from collate_gateway_client import AsyncGateway, Gateway, operations
from runtime.version import VERSION

ROOT = Path(__file__).parents[3]
TYPESCRIPT = ROOT / "clients" / "typescript"
METHODS = {
    "requestHandoff": "requestHandoff",
    "closeHandoff": "closeHandoff",
    "watchAuthorization": "watch",
    "sendCommand": "sendEvent",
    "createAccessGrant": "accessGrant",
    "releaseHandoff": "releaseHandoff",
    "readReviewSnapshot": "reviewSnapshot",
    "readHandoff": "liveHandoff",
    "readPayerEvidence": "payerEvidence",
    "readCommand": "command",
    "readAuthorization": "authorization",
    "readTimeline": "timeline",
    "readOverview": "overview",
    "readMe": "me",
    "listAuthorizations": "authorizations",
    "listCommands": "commands",
    "listHandoffs": "handoffs",
    "streamEvents": "events",
}
# These send the call of any operation.
ANY_CALL = {"send", "send_if_changed", "send_events", "stream"}
# The documents need no method. The console shows a person's troubles, and there or with `gateway` an operator decides.
LEFT_OUT = {
    "findIds",
    "listTroubles",
    "openApi",
    "asyncApi",
    "emptyRecentCommands",
    "lowerVersionFloor",
    "listDeadLetters",
    "decideDeadLetters",
    "readDeadLetter",
    "readDeadLetterOriginal",
    "readDeadLetterSituation",
    "redriveDeadLetter",
    "discardDeadLetter",
}


def snake(name):
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def public(client):
    return {name for name, _ in inspect.getmembers(client, inspect.isfunction) if not name.startswith("_")}


def test_every_operation_has_a_method_or_is_left_out():
    document = json.loads((ROOT / "schemas/published/openapi.json").read_text())
    operations = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert operations == METHODS.keys() | LEFT_OUT
    methods = {snake(name) for name in METHODS.values()}
    assert public(Gateway) == methods | ANY_CALL | {"close"}
    assert public(AsyncGateway) == methods | ANY_CALL | {"aclose"}
    source = (TYPESCRIPT / "src/gateway.ts").read_text()
    assert set(re.findall(r"^  (?:async )?(\w+)\(", source, re.MULTILINE)) - {"constructor"} == set(METHODS.values())


def test_every_operation_has_a_function_that_returns_its_call():
    document = json.loads((ROOT / "schemas/published/openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] == "sendCommand":
                continue
            function = getattr(operations, snake(operation["operationId"]))
            words = re.findall(r"{(\w+)}", path)
            call = function(*[f"the {word}/" for word in words], **({"body": {"a": None}} if method == "post" else {}))
            expected = re.sub(r"{(\w+)}", lambda found: f"the%20{found[1]}%2F", path)
            assert (call.method, call.path, call.query) == (method.upper(), expected, ())
            assert call.body == (b"{}" if method == "post" else None)
            assert (call.idempotency_key is None) == (method == "get")


@pytest.mark.parametrize("name", sorted(snake(name) for name in METHODS.values()))
def test_both_halves_have_the_same_parameters(name):
    ours, theirs = inspect.signature(getattr(Gateway, name)), inspect.signature(getattr(AsyncGateway, name))
    assert ours.parameters == theirs.parameters


def test_every_query_parameter_of_a_list_has_an_argument():
    document = json.loads((ROOT / "schemas/published/openapi.json").read_text())
    for path in document["paths"].values():
        operation = path.get("get", {})
        if operation.get("operationId") not in METHODS:
            continue
        query = {one["name"] for one in operation["parameters"] if one.get("in") == "query"} - {"cursor", "at"}
        taken = set(inspect.signature(getattr(Gateway, snake(METHODS[operation["operationId"]]))).parameters)
        named = (
            {"type": "types", "authorizationId": "authorization_ids"} if path is document["paths"]["/v1/events"] else {}
        )
        assert {named.get(name, snake(name)) for name in query} <= taken, operation["operationId"]


def test_the_clients_have_the_version_of_the_gateway():
    package = json.loads((TYPESCRIPT / "package.json").read_text())
    lock = json.loads((TYPESCRIPT / "package-lock.json").read_text())
    (version,) = re.findall(r'VERSION = "([^"]+)"', (TYPESCRIPT / "src/version.ts").read_text())
    assert {CLIENT_VERSION, package["version"], lock["version"], version} == {VERSION}
    gateway = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"collate-gateway-client=={VERSION}" in gateway["dependencies"]
