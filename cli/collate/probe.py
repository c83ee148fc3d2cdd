"""`gateway collate probe`: its options, and the report by section of docs/collate-contract.md."""

import asyncio
from contextlib import aclosing
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.table import Table
from rich.text import Text

from adapters.collate.open_client import open_transport
from cli.collate.caller import CollateUnreachable, ProbeCaller
from cli.collate.findings import PREFIX, Findings
from cli.collate.reading import read_once
from cli.collate.walk import Walk
from cli.config import load_for
from cli.formatting import console
from cli.terminal import AsOneJson, fail, print_json
from runtime.exits import Exit
from runtime.settings import CollateSettings, Settings, read_secret
from schemas.collate.authorization import PriorAuthorization, Status, requires_handoff
from schemas.fields.scalars import is_id

_PRODUCTION: Final = "api.trycollate.ai"


def probe(
    *,
    authorization: Annotated[str, typer.Option("--authorization", metavar="ID", help="The authorization to read.")],
    walk: Annotated[
        bool, typer.Option("--walk", help="Also open, grant and close one handoff. Only in Collate's test environment.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="ID", help="The same id again, for --walk: the walk writes.")
    ] = None,
    accepted: Annotated[
        str | None,
        typer.Option(
            "--accepted-review-snapshot", metavar="ID", help="The snapshot that a reviewer accepted, for --walk."
        ),
    ] = None,
    as_json: AsOneJson = False,
) -> None:
    """Show which reading of docs/collate-contract.md Collate follows, and the settings for it.

    It reads one authorization. With --walk and --confirm it opens one handoff of
    that authorization in Collate's test environment, and closes it again. It
    shows names of fields, codes and times, never content, and opens no link.

      gateway collate probe --authorization ID
      gateway collate probe --authorization ID --walk --confirm ID

    Exit codes:

      0   the gateway can work with every answer
      1   the gateway cannot work with an answer; the report marks it
      3   a setting should have another value
      69  Collate is unreachable
    """
    settings = load_for(None)
    assert isinstance(settings, Settings)  # noqa: S101 - load_for without a process loads all settings
    if not is_id(authorization):
        fail(Exit.USAGE, "--authorization: expected an id as Collate shows it")
    if walk and confirm != authorization:
        fail(Exit.USAGE, "--walk writes at Collate: give --confirm with the same id")
    if walk and (urlsplit(settings.collate.base_url).hostname or "").rstrip(".") == _PRODUCTION:
        fail(Exit.USAGE, "--walk: this is Collate's production; use its test environment")
    if walk and settings.collate.writes == "off":
        fail(Exit.USAGE, "--walk writes at Collate: GATEWAY_COLLATE__WRITES is off")
    findings = Findings()
    try:
        asyncio.run(run_probe(settings.collate, authorization, findings, walk=walk, accepted=accepted))
    except CollateUnreachable as error:
        _report(findings, settings.collate, as_json=as_json)
        fail(Exit.UNAVAILABLE, f"{settings.collate.base_url}: {error}")
    differing = _report(findings, settings.collate, as_json=as_json)
    if findings.has_problems:
        raise typer.Exit(Exit.FAILED)
    if differing:
        raise typer.Exit(Exit.CHANGES)


async def run_probe(
    settings: CollateSettings, authorization_id: str, findings: Findings, *, walk: bool, accepted: str | None = None
) -> None:
    """Read, and walk if wanted. Raises CollateUnreachable."""
    async with aclosing(open_transport(settings)) as transport:
        collate = ProbeCaller(transport, read_secret(settings.api_key_file).get_secret_value())
        authorization = await read_once(collate, authorization_id, findings)
        if not walk or authorization is None:
            return
        if (obstacle := _obstacle(authorization, accepted)) is not None:
            findings.add("5.1", "walk", obstacle, is_problem=True)
            return
        await Walk(collate, authorization, findings, accepted).run()


def _obstacle(authorization: PriorAuthorization, accepted: str | None) -> str | None:
    """Return why no handoff can be walked."""
    action = authorization.next_action
    is_handoff = action is not None and requires_handoff(action.type, authorization.resolution)
    if authorization.status != Status.REQUIRES_ACTION or not is_handoff:
        return "not done: the authorization does not wait for a handoff"
    if authorization.active_manual_handoff is not None:
        return "not done: a handoff is open already"
    if authorization.covers_review_snapshot_id != accepted:
        return "not done: --accepted-review-snapshot must name the snapshot that the action covers, and only that"
    return None


def _report(findings: Findings, settings: CollateSettings, *, as_json: bool) -> list[str]:
    """Print the findings; return the settings that should change."""
    current = {name: _shown(settings, name) for name in findings.settings}
    differing = [name for name, value in findings.settings.items() if current[name] != value]
    if as_json:
        shown = [
            {"section": row.section, "question": row.question, "reading": row.reading, "problem": row.is_problem}
            for row in findings.found
        ]
        settings_shown = {
            name: {"choose": value, "current": current[name]} for name, value in findings.settings.items()
        }
        print_json({"findings": shown, "settings": settings_shown})
        return differing
    table = Table("§", "question", "reading", box=None, pad_edge=False, header_style="bold")
    for row in findings.found:
        reading = Text(f"{row.reading}  ← the gateway cannot work with this" if row.is_problem else row.reading)
        table.add_row(row.section, row.question, reading, style="red" if row.is_problem else "")
    out = console()
    out.print(table)
    for name, value in findings.settings.items():
        out.print(Text(f"{name}={value}" + (f"   (now: {current[name]})" if name in differing else "   (as it is)")))
    return differing


def _shown(settings: CollateSettings, name: str) -> str:
    value: object = getattr(settings, name.removeprefix(PREFIX).lower())
    return str(value).lower() if isinstance(value, bool) else str(value)
