"""`gateway config`: shows all settings and their origin, but no secret."""

import json
import os
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from runtime.environ import setting_paths, show_value, variable_name
from runtime.settings import ProcessSettings, load_process_settings, load_settings, value_at

_NOT_SET = "-"


class ProcessName(StrEnum):
    """The process whose requirements are checked as well."""

    ingress = "ingress"
    worker = "worker"
    projector = "projector"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(name="config", rich_help_panel="Installation")(show_config)


def show_config(
    process: Annotated[
        ProcessName | None, typer.Option("--for", help="Also check the settings that this process requires.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show all current settings. For a secret, show the path of its file, never its content.

    Exits with 78 and lists all problems if the settings are invalid.
    """
    settings: ProcessSettings
    match process:
        case ProcessName.projector:
            settings = load_process_settings(os.environ, "projector")
        case ProcessName.ingress:
            settings = load_settings(os.environ, "ingress")
        case ProcessName.worker:
            settings = load_settings(os.environ, "worker")
        case None:
            settings = load_settings(os.environ)
    model = type(settings)
    rows = [(variable_name(path), show_value(model, path, value_at(settings, path))) for path in setting_paths(model)]
    if as_json:
        table = {name: {"value": value, "set": name in os.environ} for name, value in rows}
        typer.echo(json.dumps(table, indent=2, ensure_ascii=False))
        return
    table_of_rows = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for name, value in rows:
        is_set = name in os.environ
        table_of_rows.add_row(
            name, value or _NOT_SET, "environment" if is_set else "default", style="" if is_set else "dim"
        )
    Console(soft_wrap=True).print(table_of_rows)
