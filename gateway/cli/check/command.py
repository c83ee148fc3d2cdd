"""`gateway check`: would a process run here? Settings, files, Kafka, topics, permissions, Collate, clock, database."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

import typer

from gateway.cli.check.check_results import CheckResult, ok, skipped, verdict
from runtime.exits import Exit
from runtime.settings import (
    ClusterSettings,
    ProcessSettings,
    Settings,
    load_cluster_settings,
    load_process_settings,
    load_settings,
)

_COLOURS = {"ok": typer.colors.GREEN, "FAILED": typer.colors.RED}


class Subject(StrEnum):
    """Whose needs are checked."""

    ingress = "ingress"
    worker = "worker"
    projector = "projector"
    topics = "topics"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="Installation")(check)


def check(
    subject: Annotated[
        Subject | None, typer.Option("--for", help="Check what this process needs, its permissions included.")
    ] = None,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Look at settings and files; ask nobody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check all that a process needs, with the settings in force, a line for each. Changes nothing anywhere.

    Exits 0 if it would run, 69 if Kafka, Collate or the database can't be reached, 77 if one of them is there and does
    not let us in or not do what we must (a wrong password, key or permission), 78 if settings, files, topics, tables
    or the clock are wrong. Where several are so, the last of these wins.
    """
    process = None if subject is None else subject.value
    settings = _load(process)
    from gateway.cli.check.files import look_at_files  # noqa: PLC0415 - rooms are imported by the verb that needs them

    findings = [ok("settings", f"environment {settings.environment}"), *look_at_files(settings, process)]
    if not offline:
        findings += asyncio.run(_ask(settings, subject))
    code = verdict(findings)
    if as_json:
        checks = [{"check": one.what, "state": one.state.lower(), "detail": one.detail} for one in findings]
        typer.echo(json.dumps({"ok": code == Exit.OK, "code": int(code), "checks": checks}, indent=2))
    else:
        for finding in findings:
            _tell(finding)
    raise typer.Exit(code)


def _load(process: str | None) -> ClusterSettings:
    match process:
        case "topics":
            return load_cluster_settings(os.environ)
        case "projector":
            return load_process_settings(os.environ, process)
        case "ingress" | "worker":
            return load_settings(os.environ, process)
        case _:
            return load_settings(os.environ, None)


async def _ask(settings: ClusterSettings, subject: Subject | None) -> list[CheckResult]:
    # Side by side: each may take its whole time-out.
    found = await asyncio.gather(_kafka(settings, subject), _collate(settings, subject), _database(settings, subject))
    return [finding for part in found for finding in part]


async def _kafka(settings: ClusterSettings, subject: Subject | None) -> list[CheckResult]:
    from gateway.cli.check.kafka import look_at_kafka  # noqa: PLC0415 - as above

    return await _all(look_at_kafka(settings, None if subject is None else subject.value))


async def _collate(settings: ClusterSettings, subject: Subject | None) -> list[CheckResult]:
    from gateway.cli.check.collate import look_at_collate  # noqa: PLC0415 - as above

    if not isinstance(settings, Settings):
        return [skipped("collate", f"{subject} never asks it")]
    return await _all(look_at_collate(settings.collate))


async def _database(settings: ClusterSettings, subject: Subject | None) -> list[CheckResult]:
    if not isinstance(settings, ProcessSettings) or subject is Subject.worker or settings.readmodel.dsn_file is None:
        return []
    from gateway.cli.check.database import look_at_database  # noqa: PLC0415 - as above

    return await _all(look_at_database(settings.readmodel))


async def _all(findings: AsyncIterator[CheckResult]) -> list[CheckResult]:
    return [finding async for finding in findings]


def _tell(finding: CheckResult) -> None:
    colour = _COLOURS.get(finding.state, typer.colors.YELLOW)
    typer.echo(f"{typer.style(f'{finding.state:<8}', fg=colour)}{finding.what:<12} {finding.detail}")
