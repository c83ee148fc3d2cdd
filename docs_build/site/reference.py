"""The reference of the HTTP API, made from openapi.json: operations by tag, headers, credentials, statuses, schemas."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from docs_build.markdown import table
from docs_build.site.navigation import tree
from docs_build.site.shapes import Document, Json, fenced

_SCHEMAS: Final = "/reference/schemas.md"
_SHARED: Final = "/reference/headers.md"
_JSON: Final = "application/json"
_KEY: Final = '-H "Authorization: Bearer $COLLATE_GATEWAY_KEY"'


def pages(text: str) -> dict[str, str]:
    """Return the pages of the reference by path."""
    document = Document(text, _SCHEMAS)
    tags = document.content["tags"]
    found = {f"reference/{tag['name']}.md": _tag(document, tag) for tag in tags}
    found["reference/index.md"] = _index(document, [path.removesuffix(".md") for path in found])
    found["reference/headers.md"] = _shared(document)
    found["reference/schemas.md"] = f"# Schemas of the HTTP API\n\n{document.schemas()}"
    return found


def operations(document: Document, tag: str) -> Iterator[tuple[str, str, Json]]:
    """Yield method, path and content of each operation of a tag."""
    for path, item in document.content["paths"].items():
        for method, operation in item.items():
            if tag in operation.get("tags", ()):
                yield method.upper(), path, operation


def curl(document: Document, method: str, path: str, operation: Json) -> str:
    """Return a command to paste. Its values are the document's examples, else variables such as $AUTHORIZATION_ID."""
    parameters = [document.resolve(one) for one in operation.get("parameters", ())]
    query = "&".join(
        f"{one['name']}=${_variable(one['name'])}"
        for one in parameters
        if one["in"] == "query" and (one.get("required") or one["name"] == "operator")
    )
    address = re.sub(r"{(\w+)}", lambda found: f"${_variable(found[1])}", path) + (query and f"?{query}")
    lines = [f'curl -sS {"-N " if path == "/v1/events" else ""}"$COLLATE_GATEWAY_URL{address}"']
    lines += [] if operation.get("security") == [] else [_KEY]
    lines += [
        '-H "Idempotency-Key: $(uuidgen)"'
        for one in parameters
        if one["name"] == "Idempotency-Key" and one.get("required")
    ]
    media_type, body = _body(document, operation.get("requestBody"))
    if method == "POST":
        lines += [f"-H 'Content-Type: {media_type}'", f"-d {shlex.quote(json.dumps(body or {}, indent=2))}"]
    return " \\\n  ".join(lines)


def _index(document: Document, tags: list[str]) -> str:
    info = document.content["info"]
    text = (
        f"# API reference\n\n{info['description']}\n\n"
        f"The document: [openapi.json](/schemas/published/openapi.json), version {info['version']}.\n"
    )
    for tag in document.content["tags"]:
        rows = [
            (f"[{_title(operation)}](#{operation['operationId']})", f"`{method} {path}`")
            for method, path, operation in operations(document, tag["name"])
        ]
        text += f"\n## {_name(tag)}\n\n{tag['description']}\n\n{table(('operation', 'request'), rows)}"
    return text + tree([*tags, "reference/headers", "reference/schemas"], ":hidden:")


def _tag(document: Document, tag: Json) -> str:
    parts = [_operation(document, *one) for one in operations(document, tag["name"])]
    return f"# API: {_name(tag).lower()}\n\n{tag['description']}\n\n" + "\n".join(parts)


def _operation(document: Document, method: str, path: str, operation: Json) -> str:
    parts = [
        f"({operation['operationId']})=\n## {_title(operation)}\n",
        f"**{method}** `{path}`\n",
        operation.get("description", ""),
        fenced(curl(document, method, path, operation), "sh"),
    ]
    if rows := [_parameter(document, document.resolve(one)) for one in operation.get("parameters", ())]:
        parts += ["### Parameters\n", table(("name", "in", "type", "required", "meaning"), rows)]
    for media_type, media in document.resolve(operation.get("requestBody")).get("content", {}).items():
        type_ = document.type_of(media["schema"])
        parts += [f"### Body: `{media_type}`\n", f"{type_}\n", document.fields(media["schema"])]
        parts += map(fenced, filter(None, [document.example(media)]))
    responses = [(status, document.resolve(one)) for status, one in sorted(operation["responses"].items())]
    rows = [_response(document, *one) for one in responses]
    parts += ["### Answers\n", table(("status", "meaning", "body", "headers"), rows)]
    for status, response in responses:
        example = _body(document, response)[1]
        if status < "4" and example:
            parts += [f"An answer {status}:\n", fenced(example)]
    return "\n".join(parts)


def _parameter(document: Document, one: Json) -> tuple[str, ...]:
    required = "yes" if one.get("required") else ""
    return f"`{one['name']}`", one["in"], document.type_of(one["schema"]), required, one.get("description", "")


def _response(document: Document, status: str, response: Json) -> tuple[str, ...]:
    bodies = [document.type_of(media["schema"]) for media in response.get("content", {}).values() if "schema" in media]
    headers = [f"[{name}]({_SHARED}#{name.lower()})" for name in response.get("headers", ())]
    return status, response["description"], " or ".join(bodies), ", ".join(headers)


def _body(document: Document, holder: Json | None) -> tuple[str, Any]:
    """Return the media type of a body and its example, JSON first."""
    content = document.resolve(holder).get("content", {})
    media_type = next(iter(sorted(content, key=lambda one: one != _JSON)), _JSON)
    return media_type, document.example(content.get(media_type, {}))


def _shared(document: Document) -> str:
    headers, statuses = {}, defaultdict[str, dict[str, None]](dict)
    for tag in document.content["tags"]:
        for _, _, operation in operations(document, tag["name"]):
            for status, one in operation["responses"].items():
                response = document.resolve(one)
                statuses[status][response["description"]] = None
                for name, header in response.get("headers", {}).items():
                    headers[name] = document.resolve(header)["description"]
    schemes = {name: one["description"] for name, one in document.content["components"]["securitySchemes"].items()}
    told = [*sorted(headers.items()), *schemes.items(), *((one, " ".join(statuses[one])) for one in sorted(statuses))]
    return "# Headers, credentials and statuses\n\n" + "\n".join(f"## {name}\n\n{said}\n" for name, said in told)


def _title(operation: Json) -> str:
    return str(operation["summary"]).removesuffix(".")


def _name(tag: Json) -> str:
    return str(tag["name"]).replace("-", " ").capitalize()


def _variable(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).upper()
