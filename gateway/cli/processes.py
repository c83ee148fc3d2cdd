"""`gateway ingress` and `gateway worker`: settings, then the room's own composition root. And `gateway version`."""

import os
import platform

import typer

from gateway import __version__
from gateway.runtime.settings import load_settings


def add_to(app: typer.Typer) -> None:
    """Add the verbs that start a process."""
    app.command(rich_help_panel="Processes")(ingress)
    app.command(rich_help_panel="Processes")(worker)
    app.command(rich_help_panel="Installation")(version)


def ingress() -> None:
    """Take commands over HTTP and keep them in Kafka; answer live calls. Runs until SIGTERM or Ctrl-C."""
    settings = load_settings(os.environ, "ingress")
    from gateway.ingress.main import serve  # noqa: PLC0415 - a room is imported by the verb that needs it

    raise typer.Exit(serve(settings))


def worker() -> None:
    """Apply commands to Collate, watch authorizations, publish events. Runs until SIGTERM or Ctrl-C."""
    settings = load_settings(os.environ, "worker")
    from consumers.worker import serve  # noqa: PLC0415 - as above

    raise typer.Exit(serve(settings))


def version() -> None:
    """Print the version of the gateway and of Python."""
    typer.echo(f"gateway {__version__} (Python {platform.python_version()})")
