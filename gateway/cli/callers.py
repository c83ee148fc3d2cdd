"""`gateway callers new`: a caller's key, shown once, and the lines by which the callers' file knows it. Asks nobody."""

import re
from typing import Annotated

import typer

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(no_args_is_help=True, help="Make an entry of the callers' file.")
    group.callback()(lambda: None)
    group.command()(new)
    app.add_typer(group, name="callers", rich_help_panel="Installation")


def new(
    name: Annotated[str, typer.Argument(help="The service's name; it stands in every event that it causes.")],
    may: Annotated[list[str], typer.Option("--may", help="What it may do, e.g. handoff:request; repeatable.")],
) -> None:
    """Make a key for a service. The file's lines go to standard output, the key alone to standard error.

    The key is shown this once and kept nowhere: the file holds its hash. For a second key of a caller that is there,
    take the lines from [[caller.key]] on.
    """
    from gateway.ingress.auth.callers import Permission, new_key  # noqa: PLC0415 - a room is imported by its verb

    known = [str(permission) for permission in Permission]
    if unknown := [one for one in may if one not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}", param_hint="--may")
    if not re.fullmatch(_NAME, name):
        raise typer.BadParameter("expected letters, digits, dots, hyphens, 64 at most", param_hint="NAME")
    made = new_key()
    permissions = ", ".join(f'"{permission}"' for permission in dict.fromkeys(may))
    typer.echo(f'[[caller]]\nname = "{name}"\npermissions = [{permissions}]\n{made.entry.rstrip()}')
    typer.echo(made.key, err=True)
