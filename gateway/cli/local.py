"""`gateway demo`, `dev` and `local`: verbs for a development machine. The production image has no package `local`."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.exits import Exit

_PANEL = "Development"
Brokers = Annotated[int, typer.Option(min=1, max=3, help="Number of brokers; each can be killed on its own.")]
Picture = Annotated[
    Path | None, typer.Option("--screenshot", metavar="FILE.svg", help="Also draw the output into this file.")
]
FreePort = Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on; by default a free one.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(rich_help_panel=_PANEL)(demo)
    app.command(rich_help_panel=_PANEL)(dev)
    group = typer.Typer(
        no_args_is_help=True, help="Run one local server: real Kafka, real PostgreSQL, or the simulated Collate."
    )
    group.command()(kafka)
    group.command()(postgres)
    group.command()(collate)
    app.add_typer(group, name="local", rich_help_panel=_PANEL)


def demo(screenshot: Picture = None) -> None:
    """Show one handoff step by step, with real processes on real Kafka. Stops everything at the end."""
    _end(_of_local("local.demo", "run")(screenshot))


def dev() -> None:
    """Run everything until Ctrl-C. Prints URLs, a caller's key, topics and commands to paste."""
    _end(_of_local("local.dev", "run")())


def kafka(brokers: Brokers = 1, port: FreePort = None) -> None:
    """Run real Apache Kafka until Ctrl-C, without Docker or a system Java. Prints its address."""
    _end(_of_local("local.serve", "kafka")(brokers, port))


def postgres() -> None:
    """Run a real PostgreSQL until Ctrl-C, without Docker or a system package. Prints its connection string."""
    _end(_of_local("local.serve", "postgres")())


def collate(port: FreePort = None) -> None:
    """Run the simulated Collate until Ctrl-C. Prints its address."""
    _end(_of_local("local.serve", "collate")(port))


def _of_local(module: str, name: str) -> Any:
    try:
        importlib.import_module("local")
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        absent = "this installation has no `local` package" if missing.name == "local" else f"{missing.name} is missing"
        typer.echo(
            f"gateway: {absent}. This command is for a development machine. Run it from a checkout, "
            "in the environment of `make install` (extra `dev`).",
            err=True,
        )
        raise typer.Exit(Exit.UNAVAILABLE) from missing


def _end(code: int | None) -> None:
    raise typer.Exit(code or Exit.OK)
