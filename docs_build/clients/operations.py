"""The operations of the Python client: a function for each operation of openapi.json, which returns its call.

Both halves of the client, the console and `gateway` send these calls, so a path and a query are told once.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs_build.clients.formatting import formatted
from docs_build.clients.models import component_names, type_of

PATH: Final = "clients/python/collate_gateway_client/operations.py"
_HEAD: Final = '''\
"""The operations of the API: each function returns the call of one operation, without sending it.

A query's or a body's member of None is left out. A POST has an Idempotency-Key: `key`, or a new one.
"""

# Made by `make docs` from schemas/published; don't edit.

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from collate_gateway_client import models
from collate_gateway_client.calls import Call, path_of, post, read


class OperatorQuery(TypedDict, total=False):
    operator: str | None


'''
# Its body is a CloudEvent: `calls.event` and `calls.batch`.
_BY_HAND: Final = frozenset({"sendCommand"})

Json = dict[str, Any]


def operations_module(openapi: Json) -> str:
    """Return the text of the module."""
    names = {name: f"models.{short}" for name, short in component_names(openapi["components"]["schemas"]).items()}
    written = [
        _function(path, method, operation, openapi, names)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"] not in _BY_HAND
    ]
    return formatted(_HEAD + "\n\n".join(written), PATH)


def _function(path: str, method: str, operation: Json, openapi: Json, names: Mapping[str, str]) -> str:
    identity = operation["operationId"]
    parameters = [_resolved(one, openapi) for one in operation.get("parameters", ())]
    taken = [f"{_snake(one)}: str" for one in re.findall(r"{(\w+)}", path)]
    arguments = [_path(path)]
    text = ""
    queries = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    if queries:
        kind = "OperatorQuery" if queries.keys() == {"operator"} else f"{identity[0].upper()}{identity[1:]}Query"
        if kind != "OperatorQuery":
            fields = "".join(f"    {name}: {_given(schema, names)} | None\n" for name, schema in queries.items())
            text = f"class {kind}(TypedDict, total=False):\n{fields}\n\n"
        taken.append(f"query: {kind} | None = None")
        arguments.append("query")
    if method == "post":
        body, is_required = operation["requestBody"], operation["requestBody"].get("required", False)
        kind = type_of(body["content"]["application/json"]["schema"], names)
        taken.append(f"body: {kind}" if is_required else f"body: {kind} | None = None")
        arguments.append("body")
        if any(one["name"] == "Idempotency-Key" for one in parameters):
            taken.append("key: str | None = None")
            arguments.append("key")
    answer = " | ".join(dict.fromkeys(_answers(operation, openapi, names)))
    call = f"{'post' if method == 'post' else 'read'}({', '.join(arguments)})"
    head = f"def {_snake(identity)}({', '.join(taken)}) -> Call[{answer}]:"
    return f'{text}{head}\n    """{operation["summary"]}"""\n    return {call}\n'


def _answers(operation: Json, openapi: Json, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the type of each 2xx; None for an answer that is no JSON."""
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            content = _resolved(response, openapi).get("content", {})
            yield type_of(content["application/json"]["schema"], names) if "application/json" in content else "None"


def _given(schema: Json, names: Mapping[str, str]) -> str:
    """Return the type of a query's member. The client only reads it."""
    return type_of(schema, names).replace("dict[", "Mapping[").replace("list[", "Sequence[")


def _resolved(found: Json, openapi: Json) -> Json:
    if "$ref" not in found:
        return found
    _, _, kind, name = found["$ref"].split("/")
    resolved: Json = openapi["components"][kind][name]
    return resolved


def _path(path: str) -> str:
    """Return the expression of a path. Only the paths of /v1 have parameters."""
    if not path.startswith("/v1/"):
        return json.dumps(path)
    segments = path.removeprefix("/v1/").split("/")
    return f"path_of({', '.join(_snake(one[1:-1]) if one.startswith('{') else json.dumps(one) for one in segments)})"


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()
