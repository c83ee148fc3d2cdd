"""An operation as code to paste: a curl command, and programs with the Python and the TypeScript client. Pure.

A value that the page does not have is a variable of the environment, such as AUTHORIZATION_ID. So is the caller's key:
no page shows a credential.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from gateway.console.views.documents import OperationPage
from gateway.console.views.json_values import JsonObject, is_list, is_object, object_of

KEY: Final = "COLLATE_GATEWAY_KEY"
_EVENT: Final = "sendCommand"
# A service must send it, a person need not.
_READER: Final = "operator"
# The fields of a body that the clients take as arguments.
_OF_BODIES: Final = ("type", "subject", "data", "source", _READER)


class Variable(str):
    """The name of a variable of the environment that holds a value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Language:
    """How a program is written. `own` has the operations for which the client has a better call than `send`."""

    program: str
    environ: str
    single: Callable[[object], str]
    own: Mapping[str, str]

    def literal(self, value: object) -> str:
        if isinstance(value, Variable):
            return self.environ % value
        if is_object(value):
            return "{" + ", ".join(f"{json.dumps(key)}: {self.literal(one)}" for key, one in value.items()) + "}"
        if is_list(value):
            return "[" + ", ".join(map(self.literal, value)) + "]"
        return json.dumps(value) if isinstance(value, str) else self.single(value)

    def literals(self, *values: object) -> str:
        return ", ".join(map(self.literal, values))


def _json(value: object) -> str:
    return json.dumps(value)


_PYTHON: Final = _Language(
    """\
import os

from collate_gateway_client import Gateway, operations

with Gateway({base}, os.environ["COLLATE_GATEWAY_KEY"]) as gateway:
    {code}
""",
    'os.environ["%s"]',
    repr,
    {
        "streamEvents": "with gateway.events() as events:\n        for event in events:\n            print(event)",
        _EVENT: "print(gateway.send_event({type}, {subject}, {data}, source={source}))",
        "createAccessGrant": "print(gateway.access_grant({path}, operator={operator}))  # grant.url.reveal(): the link",
    },
)
_TYPESCRIPT: Final = _Language(
    """\
import {{ Gateway, pathOf, post, read, type components }} from "collate-gateway-client";

const gateway = new Gateway({base}, process.env.COLLATE_GATEWAY_KEY ?? "");
{code}
""",
    'process.env.%s ?? ""',
    _json,
    {
        "streamEvents": "for await (const event of gateway.events()) console.log(event);",
        _EVENT: "console.log(await gateway.sendEvent({type}, {subject}, {data}, {{ source: {source} }}));",
        "createAccessGrant": "console.log(await gateway.accessGrant({path}, {{ operator: {operator} }})); "
        "// grant.url.reveal(): the link",
    },
)


def code_of(
    page: OperationPage, base: str, body: object = None, given: Mapping[str, object] | None = None
) -> Mapping[str, str]:
    """Return the code by its language. `base` is the API's address, `body` an example; `given` has parameters."""
    base, given, example = base.rstrip("/"), given or {}, object_of(body)
    path = {name: given.get(name) or _variable(name) for name in page.places}
    query = {
        row.name: given.get(row.name) or _variable(row.name)
        for row in page.parameters
        if row.place == "query" and (row.is_required or row.name == _READER or given.get(row.name))
    }
    arguments = (*path.values(), *([query] if query else []), *([example] if page.line.method != "GET" else []))
    call = f"operations.{snake(page.line.id)}({_PYTHON.literals(*arguments)})"
    sent = f"const call = {_sent(page, path, query, example)};\nconsole.log(await gateway.send{_answers(page)}(call));"
    codes = {
        "Python": (_PYTHON, f"call = {call}\n    print(gateway.send(call).body)"),
        "TypeScript": (_TYPESCRIPT, sent),
    }
    return {"curl": _curl(page, base, path, query, example)} | {
        name: language.program.format(base=language.literal(base), code=_own(language, page, path, example) or code)
        for name, (language, code) in codes.items()
    }


def snake(name: str) -> str:
    """Return the name of an operation or a parameter in the Python client: `list_commands` for `listCommands`."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def _variable(name: str) -> Variable:
    return Variable(snake(name).upper())


def _own(language: _Language, page: OperationPage, path: Mapping[str, object], example: JsonObject) -> str:
    values = {name: language.literal(example.get(name, _variable(name))) for name in _OF_BODIES}
    return language.own.get(page.line.id, "").format(path=language.literals(*path.values()), **values)


def _answers(page: OperationPage) -> str:
    """Return the type argument of the answer's body in TypeScript."""
    types = " | ".join(f'components["schemas"]["{name}"]' for name in page.answers)
    return f"<{types}>" if types else ""


def _sent(page: OperationPage, path: Mapping[str, object], query: Mapping[str, object], example: JsonObject) -> str:
    """Return the call in TypeScript."""
    _, version, *segments = page.line.path.split("/")
    places = [path[one[1:-1]] if one.startswith("{") else one for one in segments]
    address = f"pathOf({_TYPESCRIPT.literals(*places)})" if version == "v1" else json.dumps(page.line.path)
    if page.line.method != "GET":
        return f"post({address}, {_TYPESCRIPT.literal(example)})"
    metadata = object_of(query.get("metadata"))
    own = {name: value for name, value in query.items() if name != "metadata"}
    more = _TYPESCRIPT.literals(own, *([metadata] if metadata else [])) if query else ""
    return f"read({address}{', ' if more else ''}{more})"


def _curl(
    page: OperationPage, base: str, path: Mapping[str, object], query: Mapping[str, object], example: JsonObject
) -> str:
    parts = (_in_address(path[one[1:-1]]) if one.startswith("{") else one for one in page.line.path.split("/"))
    metadata = {f"metadata.{key}": value for key, value in object_of(query.get("metadata")).items()}
    pairs = {name: value for name, value in query.items() if name != "metadata"} | metadata
    text = "&".join(f"{name}={_in_address(value)}" for name, value in pairs.items())
    lines = [f'curl --silent --show-error "{base}{"/".join(parts)}{"?" if text else ""}{text}"']
    if not page.is_public:
        lines.append(f'--header "Authorization: Bearer ${KEY}"')
    if page.line.method != "GET":
        if any(row.name == "Idempotency-Key" for row in page.parameters):
            lines.append('--header "Idempotency-Key: $(uuidgen)"')
        if page.line.id == _EVENT:
            lines.append('--header "Content-Type: application/cloudevents+json"')
        lines.append("--json '" + json.dumps(example).replace("'", "'\\''") + "'")
    return " \\\n  ".join(lines)


def _in_address(value: object) -> str:
    return f"${value}" if isinstance(value, Variable) else quote(str(value), safe="")
