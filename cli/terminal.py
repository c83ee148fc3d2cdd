"""What verbs share: the end with a message, JSON for programs, and the name of the local user."""

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from inspect import signature
from typing import Annotated, NoReturn, TypeVar

import typer

from runtime.exits import Exit
from schemas.fields.visible_text import escaped_json

Options = TypeVar("Options")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
AsOneJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Operator = Annotated[
    str | None, typer.Option(envvar="COLLATE_GATEWAY_OPERATOR", help="Your name; by default your user name.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")]


def with_options(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[[], None]]:
    """Make a function of a dataclass a verb for Typer, whose parameters are the dataclass's fields."""

    def verb_of(verb: Callable[[Options], None]) -> Callable[[], None]:
        @wraps(verb)
        def of_options(**values: object) -> None:
            verb(options(**values))

        of_options.__signature__ = signature(options)  # type: ignore[attr-defined]  # Typer reads the parameters of it
        return of_options

    return verb_of


def fail(code: Exit, message: str, verb: str = "gateway") -> NoReturn:
    """Print the message on standard error and exit with the code."""
    typer.echo(f"{verb}: {message}", err=True)
    raise typer.Exit(code)


def print_json(value: object, indent: int | None = None) -> None:
    """Print a value, also of dataclasses, as JSON: on one line, or indented.

    Characters that deceive a terminal are escaped as JSON.
    """
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent, default=asdict)  # type: ignore[misc]  # asdict's dict has values of any type
    typer.echo(escaped_json(text))


def user_name() -> str:
    """Return the local user's name. Exits if there is none, as in a container whose user id has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        fail(Exit.USAGE, "unknown operator: give --operator or set COLLATE_GATEWAY_OPERATOR")
