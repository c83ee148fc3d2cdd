"""`gateway console`: serves the web pages."""

import os

import typer

from console.main import serve
from runtime.settings import load_console_settings


def console() -> None:
    """Serve the web pages for operators, staff and developers. Runs until SIGTERM or Ctrl-C.

    It calls the API of the ingress as the person who is signed in. It needs neither Kafka nor PostgreSQL.
    """
    raise typer.Exit(serve(load_console_settings(os.environ)))
