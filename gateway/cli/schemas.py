"""`gateway schemas`: prints the published JSON Schemas, and registers them at a Confluent-compatible registry."""

import base64
import json
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import httpx
import typer

from gateway.cli.terminal import AsJson, fail, print_json
from runtime.exits import Exit
from runtime.http_client import HttpClient, reason_of
from runtime.settings import read_secret
from schemas.enums import PREFIX
from schemas.topics import catalogue

_SECONDS = 15.0
_MAX_BYTES = 1 << 20
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_AUTHORIZATION = f"{PREFIX}authorization.v1"


Naming = Literal["record", "topic-record"]
"""Confluent's RecordNameStrategy or TopicRecordNameStrategy."""


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True, help="Print the published JSON Schemas, and register them elsewhere.")
    group.command()(show)
    group.command()(upload)
    app.add_typer(group, name="schemas", rich_help_panel="Installation")


def show(type_: Annotated[str, typer.Argument(metavar="TYPE", help="A CloudEvents type, or a dataschema.")]) -> None:
    """Print the JSON Schema of an event or of the record on `authorizations`.

    gateway schemas show collate-gateway.handoff.opened.v1
    gateway schemas show urn:collate-gateway:handoff:opened:v1
    """
    name = type_.removeprefix("urn:").replace(":", ".") if type_.startswith("urn:") else type_
    published = _published()
    if name not in published:
        fail(Exit.USAGE, f"There is no such type. Known types: {', '.join(published)}")
    typer.echo(published[name], nl=False)


def upload(
    *,
    registry: Annotated[
        str, typer.Option(help="URL of the registry's Confluent API, for example https://registry.example.com.")
    ],
    naming: Annotated[Naming, typer.Option(help="Subjects: the type alone, or the topic and the type.")] = "record",
    prefix: Annotated[str, typer.Option(help="Prefix of the topics, for --naming topic-record.")] = PREFIX,
    credentials_file: Annotated[
        Path | None,
        typer.Option(help="File with one line `user:password`, for basic authentication."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register the schemas of all events and of the record on `authorizations`. Safe to repeat.

      gateway schemas upload --registry https://registry.example.com

    A schema that the registry has keeps its id. Exit codes:

      0   the registry has all schemas
      1   the registry rejected a schema, for example because its compatibility rule forbids the change
      69  the registry does not answer
      77  the registry rejects the credentials
    """
    if urlsplit(registry).scheme not in {"http", "https"} or not urlsplit(registry).hostname:
        fail(Exit.USAGE, "--registry: expected a URL like https://registry.example.com")
    headers = {"Content-Type": _MEDIA_TYPE, "Accept": _MEDIA_TYPE}
    if credentials_file is not None:
        pair = read_secret(credentials_file).get_secret_value().encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    client = HttpClient(registry, seconds=_SECONDS, max_bytes=_MAX_BYTES)
    rejected = 0
    for type_, schema in _published().items():
        subject = _subject(type_, naming, prefix)
        found = _register(client, registry, headers, subject, schema)
        is_rejected = isinstance(found, str)
        rejected += is_rejected
        if as_json:
            print_json({"subject": subject, "problem" if is_rejected else "id": found})
        else:
            typer.echo(f"{subject}: {found if is_rejected else f'id {found}'}")
    raise typer.Exit(Exit.FAILED if rejected else Exit.OK)


def _published() -> dict[str, str]:
    """Return the JSON Schemas of the events and of the record on `authorizations`, by type."""
    # Help of other verbs does not load the models.
    from schemas.events import EVENTS  # noqa: PLC0415
    from schemas.published import read  # noqa: PLC0415

    paths = {type_: f"events/{type_.removeprefix(PREFIX)}.json" for type_ in EVENTS}
    paths[_AUTHORIZATION] = f"records/{_AUTHORIZATION.removeprefix(PREFIX)}.json"
    return {type_: read(path).decode() for type_, path in sorted(paths.items())}


def _subject(type_: str, naming: Naming, prefix: str) -> str:
    if naming == "record":
        return type_
    topics = catalogue(prefix)
    return f"{(topics.authorizations if type_ == _AUTHORIZATION else topics.events).name}-{type_}"


def _register(client: HttpClient, registry: str, headers: dict[str, str], subject: str, schema: str) -> int | str:
    """Return the id of the schema, or the registry's problem with it."""
    url = f"{registry.rstrip('/')}/subjects/{quote(subject, safe='')}/versions"
    registration = {"schemaType": "JSON", "schema": schema}
    body = json.dumps(registration).encode()
    try:
        answer = client.send("POST", url, headers=headers, content=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(Exit.UNAVAILABLE, f"{registry}: {reason_of(error)}")
    if answer.status in {401, 403}:
        fail(Exit.DENIED, f"The registry rejects the credentials ({answer.status}).")
    if answer.status >= 500 or answer.status in {408, 429}:
        fail(Exit.UNAVAILABLE, f"{subject}: the registry answered {answer.status}; repeat the command later.")
    try:
        if answer.status == 200:
            registered: dict[str, int] = json.loads(answer.body)
            return int(registered["id"])
        problem: dict[str, str] = json.loads(answer.body)
        return f"{answer.status} {problem['message']}"
    except (ValueError, KeyError, TypeError):
        fail(Exit.FAILED, f"{subject}: the answer ({answer.status}) is not one of a Confluent-compatible registry.")
