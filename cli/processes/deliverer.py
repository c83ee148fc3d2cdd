"""`gateway deliverer`: posts events to webhook receivers."""

import os

import typer

from consumers.deliverer.deliverer import serve
from runtime.settings import load_deliverer_settings


def deliverer() -> None:
    """Post events to the webhook receivers of the subscriptions file. Runs until SIGTERM or Ctrl-C."""
    raise typer.Exit(serve(load_deliverer_settings(os.environ)))
