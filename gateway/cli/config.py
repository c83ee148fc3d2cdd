"""`gateway config`: shows all settings and their origin, but no secret."""

import os
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from adapters.kafka.acls import Process
from gateway.cli.terminal import AsOneJson, print_json
from runtime.environ import Section, setting_paths, show_value, variable_name
from runtime.settings import (
    ClusterSettings,
    load_cluster_settings,
    load_console_settings,
    load_deliverer_settings,
    load_process_settings,
    load_settings,
    value_at,
)

_NOT_SET = "-"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(name="config", rich_help_panel="Installation")(show_config)


def show_config(
    process: Annotated[
        Literal["ingress", "worker", "projector", "deliverer", "console"] | None,
        typer.Option("--for", help="Also check the settings that this process requires."),
    ] = None,
    *,
    as_json: AsOneJson = False,
) -> None:
    """Show all current settings. For a secret, show the path of its file, never its content.

    Exits with 78 and lists all problems if the settings are invalid.
    """
    settings: Section = load_console_settings(os.environ) if process == "console" else load_for(process)
    model = type(settings)
    rows = [(variable_name(path), show_value(model, path, value_at(settings, path))) for path in setting_paths(model)]
    if as_json:
        print_json({name: {"value": value, "set": name in os.environ} for name, value in rows}, indent=2)
        return
    shown = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for name, value in rows:
        is_set = name in os.environ
        shown.add_row(name, value or _NOT_SET, "environment" if is_set else "default", style="" if is_set else "dim")
    Console(soft_wrap=True).print(shown)


def load_for(process: Process | None) -> ClusterSettings:
    """Load the settings of one process, or all settings. Raises SettingsInvalid."""
    match process:
        case "topics":
            return load_cluster_settings(os.environ)
        case "deliverer":
            return load_deliverer_settings(os.environ)
        case "projector":
            return load_process_settings(os.environ, process)
        case "ingress" | "worker":
            return load_settings(os.environ, process)
        case _:
            return load_settings(os.environ)
