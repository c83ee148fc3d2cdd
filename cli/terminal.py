"""What verbs share: the end with a message, also without Kafka, JSON for programs, and the name of the local user."""

import asyncio
import getpass
import json
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import wraps
from inspect import signature
from typing import Annotated, NoReturn, TypeVar

import typer

from runtime.exits import Exit
from runtime.settings import KafkaSettings
from schemas.fields.visible_text import escaped_json

Result = TypeVar("Result")
Options = TypeVar("Options")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
AsOneJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Operator = Annotated[
    str | None, typer.Option(envvar="COLLATE_GATEWAY_OPERATOR", help="Your name; by default your user name.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")]


def group_of(help_text: str) -> typer.Typer:
    """Return a group of verbs. Its callback keeps Typer from making a group of one verb into that verb."""
    group = typer.Typer(no_args_is_help=True, help=help_text)
    group.callback()(_nothing)
    return group


def _nothing() -> None:
    pass


def with_options(options: type[Options], verb: Callable[[Options], None]) -> Callable[[], None]:
    """Return a verb for Typer whose parameters are the fields of a dataclass."""

    @wraps(verb)
    def of_options(**values: object) -> None:
        verb(options(**values))

    of_options.__signature__ = signature(options)  # type: ignore[attr-defined]  # Typer reads the parameters of it
    return of_options


def fail(code: Exit, message: str, verb: str = "gateway") -> NoReturn:
    """Print the message on standard error and exit with the code."""
    typer.echo(f"{verb}: {message}", err=True)
    raise typer.Exit(code)


def run_with_kafka(
    kafka: KafkaSettings,
    work: Coroutine[object, None, Result],
    verb: str = "gateway",
    code: Exit = Exit.UNAVAILABLE,
) -> Result:
    """Return the result of the work; end the program with the code if Kafka is unreachable."""
    from adapters.kafka.clients import KafkaFailure, sentence_of  # noqa: PLC0415 - imported by the verbs that need it
    from adapters.kafka.cluster import KafkaAway, TopicRequestRejected  # noqa: PLC0415 - as above

    try:
        return asyncio.run(work)
    except KafkaAway as away:
        fail(code, f"Kafka at {away}; run the same command again", verb)
    except TopicRequestRejected as rejected:
        fail(code, str(rejected), verb)
    except KafkaFailure as failure:
        reason = f"{','.join(kafka.bootstrap)}: {sentence_of(failure)}"
        fail(code, f"Kafka at {reason}; run the same command again", verb)


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
