"""`gateway worker`: applies commands to Collate."""

import os

import typer

from consumers.worker import serve
from runtime.settings import load_settings


def worker() -> None:
    """Apply commands to Collate, watch authorizations, publish events. Runs until SIGTERM or Ctrl-C."""
    raise typer.Exit(serve(load_settings(os.environ, "worker")))
