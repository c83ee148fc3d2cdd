"""`gateway callers new`: creates a credential and its entry for the callers file. Makes no network call."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gateway.ingress.auth.callers import SIGNED_PERMISSIONS, new_key, new_signing_secret
from schemas.permissions import Permission

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PATH = r"/[^\x00-\x1f\x7f\"\\]+"


def new(
    name: Annotated[str, typer.Argument(help="Name of the calling service; its events contain this name.")],
    may: Annotated[list[str], typer.Option("--may", help="Permission, e.g. handoff:request; repeatable.")],
    secret_file: Annotated[
        Path | None,
        typer.Option(help="Create a signing secret instead of a key; the ingress reads it from this absolute path."),
    ] = None,
) -> None:
    """Create an API key for a service. Prints the entry on standard output and the key on standard error.

    The key is shown only now: the entry contains only its hash.
    To give an existing caller a second key, copy only the section caller.key.

    With --secret-file, create a secret for signatures (Standard Webhooks). A signature is accepted for structured
    CloudEvents to POST /v1/commands only, so reads, grants and operators' routes need a key or a token.
    """
    known = [str(permission) for permission in Permission]
    if unknown := [permission for permission in may if permission not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}", param_hint="--may")
    if not re.fullmatch(_NAME, name):
        raise typer.BadParameter("expected at most 64 letters, digits, dots and hyphens", param_hint="NAME")
    if secret_file is None:
        made = new_key()
        credential, entry = made.key, made.entry.rstrip()
    else:
        if unusable := [permission for permission in may if permission not in SIGNED_PERMISSIONS]:
            usable = ", ".join(sorted(SIGNED_PERMISSIONS))
            raise typer.BadParameter(f"{', '.join(unusable)}: a signature allows only {usable}", param_hint="--may")
        if not re.fullmatch(_PATH, str(secret_file)):
            raise typer.BadParameter("expected an absolute path without quotes", param_hint="--secret-file")
        credential, entry = new_signing_secret(), f'[[caller.signature]]\nsecret_file = "{secret_file}"'
    each: dict[str, None] = dict.fromkeys(may, None)
    permissions = ", ".join(f'"{permission}"' for permission in each)
    typer.echo(f'[[caller]]\nname = "{name}"\npermissions = [{permissions}]\n{entry}')
    typer.echo(credential, err=True)
