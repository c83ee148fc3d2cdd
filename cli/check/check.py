"""The verb `gateway check`: settings, files, the running process, Kafka, permissions, Collate, clock and database."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import typer

from adapters.kafka.acls import Process
from cli.check.check_results import CheckResult, exit_code, ok, skipped
from cli.check.collate import check_collate
from cli.check.console import check_console
from cli.check.files import check_files
from cli.check.kafka import check_kafka
from cli.check.process import check_process
from cli.config import load_for
from cli.terminal import AsOneJson, print_json
from runtime.exits import Exit
from runtime.settings import ClusterSettings, DelivererProcessSettings, ProcessSettings, Settings, load_console_settings

_COLOURS = {"ok": typer.colors.GREEN, "FAILED": typer.colors.RED}


def check(
    process: Annotated[
        Literal["ingress", "worker", "projector", "deliverer", "console", "topics"] | None,
        typer.Option("--for", help="Also check the requirements and permissions of this process."),
    ] = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Check only settings and files; make no network call.")
    ] = False,
    as_json: AsOneJson = False,
) -> None:
    """Check the current settings and everything that a process needs. Changes nothing.

    Exit codes; if several apply, the highest:

      0   the process can run
      69  Kafka, Collate or the database is unreachable, or the running process is not ready
      77  one of them rejects the credentials, or a permission is missing
      78  settings, files, topics, tables or the clock are wrong
    """
    results = results_of(process, offline=offline)
    code = exit_code(results)
    if as_json:
        checks = [{"check": row.subject, "state": row.state.lower(), "detail": row.detail} for row in results]
        print_json({"ok": code == Exit.OK, "code": int(code), "checks": checks}, indent=2)
    else:
        for result in results:
            _print(result)
    raise typer.Exit(code)


def results_of(process: Process | Literal["console"] | None, *, offline: bool) -> list[CheckResult]:
    """Check the settings and what a process needs."""
    return _console(offline=offline) if process == "console" else _others(process, offline=offline)


def _console(*, offline: bool) -> list[CheckResult]:
    settings = load_console_settings(os.environ)
    return [ok("settings", f"environment {settings.environment}"), *check_console(settings, offline=offline)]


def _others(process: Process | None, *, offline: bool) -> list[CheckResult]:
    settings = load_for(process)
    results = [ok("settings", f"environment {settings.environment}"), *check_files(settings, process)]
    return results if offline else results + asyncio.run(_check_services(settings, process))


async def _check_services(settings: ClusterSettings, process: Process | None) -> list[CheckResult]:
    results = []
    if process not in {None, "topics"} and isinstance(settings, ProcessSettings | DelivererProcessSettings):
        results.append(await asyncio.to_thread(check_process, settings.admin, str(process)))
    services = [check_kafka(settings, process)]
    if isinstance(settings, Settings):
        services.append(check_collate(settings.collate))
    else:
        results.append(skipped("collate", f"{process} does not call Collate"))
    if isinstance(settings, ProcessSettings) and settings.readmodel.dsn_file is not None and process != "worker":
        from cli.check.database import check_database  # noqa: PLC0415 - optional dependency

        ingresses = settings.ingress.max_replicas if isinstance(settings, Settings) else None
        services.append(check_database(settings.readmodel, ingresses))
    # In parallel, because each may take its whole timeout.
    found = await asyncio.gather(*map(_all, services))
    return [*results, *(result for of_service in found for result in of_service)]


async def _all(results: AsyncIterator[CheckResult]) -> list[CheckResult]:
    return [result async for result in results]


def _print(result: CheckResult) -> None:
    colour = _COLOURS.get(result.state, typer.colors.YELLOW)
    typer.echo(f"{typer.style(f'{result.state:<8}', fg=colour)}{result.subject:<12} {result.detail}")
