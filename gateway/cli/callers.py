"""`gateway callers new`: creates an API key and its entry for the callers file. Makes no network call."""

import re
from typing import Annotated

import typer

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(no_args_is_help=True, help="Create entries for the callers file.")
    group.callback()(lambda: None)
    group.command()(new)
    app.add_typer(group, name="callers", rich_help_panel="Installation")


def new(
    name: Annotated[str, typer.Argument(help="Name of the calling service; its events contain this name.")],
    may: Annotated[list[str], typer.Option("--may", help="Permission, e.g. handoff:request; repeatable.")],
) -> None:
    """Create an API key for a service. Prints the entry on standard output and the key on standard error.

    The key is shown only now: the entry contains only its hash.
    To give an existing caller a second key, copy only the section caller.key.
    """
    from gateway.ingress.auth.callers import Permission, new_key  # noqa: PLC0415 - imported by the verb that needs it

    known = [str(permission) for permission in Permission]
    if unknown := [permission for permission in may if permission not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}", param_hint="--may")
    if not re.fullmatch(_NAME, name):
        raise typer.BadParameter("expected at most 64 letters, digits, dots and hyphens", param_hint="NAME")
    made = new_key()
    permissions = ", ".join(f'"{permission}"' for permission in dict.fromkeys(may))
    typer.echo(f'[[caller]]\nname = "{name}"\npermissions = [{permissions}]\n{made.entry.rstrip()}')
    typer.echo(made.key, err=True)
