"""The program `gateway`: its help, its verbs and its exit codes (`runtime.exits`).

`verbs.txt` has what the help says of each verb, so only the module of the verb on the command line is imported: all of
them together take a second. A missing package breaks only its own verb.
"""

import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from runtime.exits import Exit, StartupError
from runtime.tracebacks import traceback_text
from runtime.version import VERSION

_HELP = """
Manual handoffs of Collate prior authorizations. Callers send commands over HTTP; the gateway stores them in Kafka, \
applies each at most once to Collate, and publishes events.

Two processes are required, and both need Kafka. [bold]ingress[/bold] accepts commands and serves live calls (access \
grants, review snapshots). [bold]worker[/bold] applies commands to Collate, watches authorizations until they are \
settled, and publishes events.

[bold]First steps[/bold]:

  gateway config        show all settings, or all their problems
  gateway check         check Kafka, topics, permissions, Collate and clock
  gateway topics plan   show missing or wrong topics
  gateway topics apply  create the missing topics
  gateway ingress       accept commands; /readyz shows why it is not ready
  gateway worker        apply commands; /readyz shows why it is not ready

Optional, with PostgreSQL: [bold]projector[/bold] maintains the read model for [bold]status[/bold], \
[bold]timeline[/bold], [bold]watch[/bold] and [bold]top[/bold]. [bold]console[/bold] serves web pages for people, as a \
client of the API.

A setting is an environment variable GATEWAY_…; a secret is a file. docs/configuration.md lists all settings.
"""

_EPILOG = (
    "Exit codes: 0 done, or stopped on request; 1 failed; 2 wrong command line; 3 `topics plan` or `collate probe` "
    "found changes; "
    "69 a service is unreachable; 70 unexpected error; 75 stop deadline exceeded; 77 credentials rejected or "
    "permission missing; 78 wrong settings or topics."
)


class Verb(NamedTuple):
    """A row of the table: where the verb's function is (`module:name`), the first sentence of its help, its panel."""

    function: str
    sentence: str
    panel: str | None


def _read(lines: Iterable[str]) -> dict[str, Verb]:
    verbs: dict[str, Verb] = {}
    panel = ""
    for line in lines:
        if line.startswith("#"):
            continue
        name, *cells = (cell.strip() for cell in line.split("|"))
        if cells:
            verbs[name] = Verb(cells[0], cells[1], None if " " in name else panel)
        else:
            panel = name
    return verbs


VERBS: Final[Mapping[str, Verb]] = _read(Path(__file__).with_name("verbs.txt").read_text("utf-8").splitlines())
_NAME: Final = "gateway"


class _Group(TyperGroup):
    """Verbs that are imported when the command line names them. Help and the completion of names read the table."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the verb that the arguments begin with."""
        name, found, rest = super().resolve_command(ctx, args)
        path = str(name) if self.name == _NAME else f"{self.name} {name}"
        return name, found and command_of(path, rest), rest


def command_of(path: str, arguments: Iterable[str] = ()) -> Any:
    """Import the verb, or the group, at a path of the table. A group that is followed by a verb does nothing itself."""
    row, verbs = VERBS[path], _verbs_of(f"{path} ")
    module, _, name = row.function.partition(":")
    is_run = bool(module) and verbs.keys().isdisjoint(arguments)
    function: Callable[[], None] = getattr(import_module(module), name) if is_run else _nothing
    app = typer.Typer(name=path, cls=_Group, help=row.sentence, add_completion=False)
    if not verbs:
        app.command(path.rpartition(" ")[2])(function)
        return get_command(app)
    app.callback(invoke_without_command=is_run, no_args_is_help=not is_run)(function)
    return get_command(_with_table(app, verbs))


def _with_table(app: typer.Typer, verbs: Mapping[str, Verb]) -> typer.Typer:
    """Return the program or group with a command for each row, which stands for the verb until it is imported."""
    for name, row in verbs.items():
        app.command(name, help=row.sentence, rich_help_panel=row.panel)(_nothing)
    return app


def _verbs_of(path: str) -> dict[str, Verb]:
    """Return the rows whose name is one word behind the path."""
    rows = ((name.removeprefix(path), row) for name, row in VERBS.items() if name.startswith(path))
    return {name: row for name, row in rows if " " not in name}


def _nothing() -> None:
    pass


def version() -> None:
    """Print the version of the gateway and of Python."""
    typer.echo(f"gateway {VERSION} (Python {platform.python_version()})")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        version()
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
_PROGRAM = typer.Typer(
    name=_NAME,
    cls=_Group,
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)
_PROGRAM.callback()(_options)
app = _with_table(_PROGRAM, _verbs_of(""))


def main() -> None:
    """Run the command line and exit with the code of its result."""
    try:
        app()
    except StartupError as error:
        sys.stderr.write(f"{error}{error.hint}\n")
        sys.exit(Exit.CONFIG)
    except Exception as error:  # noqa: BLE001 - the process boundary
        sys.stderr.write(traceback_text(error) + "\n")
        sys.exit(Exit.INTERNAL)
