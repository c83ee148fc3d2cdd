"""`gateway config`: shows all settings and their origin, but no secret."""

import os
from typing import Annotated, Literal, TypedDict

import typer
from rich.console import Console
from rich.table import Table

from adapters.kafka.acls import Process
from cli.terminal import AsOneJson, print_json
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
    rows = shown_settings(load_any(process))
    if as_json:
        print_json(rows, indent=2)
        return
    shown = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for name, row in rows.items():
        origin, style = ("environment", "") if row["set"] else ("default", "dim")
        shown.add_row(name, row["value"] or _NOT_SET, origin, style=style)
    Console(soft_wrap=True).print(shown)


class ShownSetting(TypedDict):
    """A setting as it may be shown, and whether the environment sets it."""

    value: str
    set: bool


def shown_settings(settings: Section) -> dict[str, ShownSetting]:
    """Return all settings by their variable. A secret is the path of its file."""
    model = type(settings)
    return {
        name: ShownSetting(value=show_value(model, path, value_at(settings, path)), set=name in os.environ)
        for path in setting_paths(model)
        for name in (variable_name(path),)
    }


def load_any(process: Process | Literal["console"] | None) -> Section:
    """Load the settings of one process, or all settings. Raises SettingsInvalid."""
    return load_console_settings(os.environ) if process == "console" else load_for(process)


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
