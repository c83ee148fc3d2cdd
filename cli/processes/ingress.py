"""`gateway ingress`: accepts commands over HTTP."""

import os

import typer

from gateway.ingress.main import serve
from runtime.settings import load_settings


def ingress() -> None:
    """Accept commands over HTTP, store them in Kafka, and serve live calls. Runs until SIGTERM or Ctrl-C."""
    raise typer.Exit(serve(load_settings(os.environ, "ingress")))
