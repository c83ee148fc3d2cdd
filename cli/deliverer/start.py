"""`gateway deliverer`: starts the process that posts events to webhook receivers."""

import os

import typer

from cli.deliverer import redrive, resume, trial
from runtime.settings import load_deliverer_settings


def add_to(app: typer.Typer) -> None:
    """Add the verb, with its own verbs below it."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(deliverer)
    group.command(name="test")(trial.send_test)
    group.command()(redrive.redrive)
    group.command(name="dead-letters")(redrive.dead_letters)
    group.command()(resume.resume)
    app.add_typer(group, name="deliverer", rich_help_panel="Processes")


def deliverer(context: typer.Context) -> None:
    """Post events to the webhook receivers of the subscriptions file. Runs until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    settings = load_deliverer_settings(os.environ)
    from consumers.deliverer.deliverer import serve  # noqa: PLC0415 - imported by the verb that needs it

    raise typer.Exit(serve(settings))
