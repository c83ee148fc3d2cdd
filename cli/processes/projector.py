"""`gateway projector`: maintains the read model."""

import os
from typing import Annotated

import typer

from consumers.projector.projector import serve
from runtime.settings import load_process_settings


def projector(
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the read model from the topics, then exit.")
    ] = False,
) -> None:
    """Maintain the optional read model in PostgreSQL (status, timelines). Runs until SIGTERM or Ctrl-C.

    A rebuild fills a second schema and swaps the schemas at the end.
    All processes continue meanwhile.
    """
    settings = load_process_settings(os.environ, "projector")
    if rebuild:
        # Its migrations take 20 MB.
        from consumers.projector.rebuild import serve as serve_rebuild  # noqa: PLC0415

        raise typer.Exit(serve_rebuild(settings))
    raise typer.Exit(serve(settings))
