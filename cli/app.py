"""The program `gateway`: its help, its verbs and its exit codes (`runtime.exits`).

Only the module of the verb on the command line is imported, because all of them take half a second. A verb imports the
packages that it needs when it runs, so a missing package breaks only one verb.
"""

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Final

import typer

from runtime.exits import Exit, StartupError

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

# The modules in the order of the help, and the verbs that each adds.
VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "cli.processes": ("ingress", "worker", "projector", "console", "migrate", "version"),
    "cli.deliverer.start": ("deliverer",),
    "cli.config": ("config",),
    "cli.check.check": ("check",),
    "cli.support_bundle": ("support-bundle",),
    "cli.collate.probe": ("collate",),
    "cli.topics": ("topics",),
    "cli.schemas": ("schemas",),
    "cli.callers": ("callers",),
    "cli.history.status": ("status",),
    "cli.history.timeline": ("timeline", "watch"),
    "cli.lists.work": ("work", "release"),
    "cli.top.top": ("top",),
    "cli.lists.commands": ("commands",),
    "cli.dead_letters.verbs": ("dead-letters",),
    "cli.audit.export": ("audit",),
    "cli.shadow.feed_and_report": ("shadow",),
    "cli.authorization_decisions": ("recent-commands", "version-floor"),
}


_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


def app_of(modules: Iterable[str]) -> typer.Typer:
    """Return the program with the verbs of these modules."""
    app = typer.Typer(
        name="gateway",
        help=_HELP,
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    app.callback()(_options)
    for module in modules:
        import_module(module).add_to(app)
    return app


def modules_of(arguments: list[str]) -> list[str]:
    """Return the module of the verb that a command line begins with; without a known verb, all modules."""
    return [module for module, verbs in VERBS.items() if arguments[:1] and arguments[0] in verbs] or list(VERBS)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        from cli import processes  # noqa: PLC0415 - see the top of this file

        processes.version()
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@cache  # type: ignore[misc]  # the type of functools.cache
def __getattr__(name: str) -> typer.Typer:
    """Return `app`, the program with all verbs, which is built at its first use."""
    if name != "app":
        raise AttributeError(name)
    return app_of(VERBS)


def main() -> None:
    """Run the command line and exit with the code of its result."""
    try:
        app_of(modules_of(sys.argv[1:]))()
    except StartupError as error:
        from runtime.environ import SettingsInvalid  # noqa: PLC0415 - as above

        hint = "\n`gateway config` shows the current settings; docs/configuration.md explains each of them."
        sys.stderr.write(f"{error}{hint if isinstance(error, SettingsInvalid) else ''}\n")
        sys.exit(Exit.CONFIG)
    except Exception as error:  # noqa: BLE001 - the process boundary
        from runtime.logs import traceback_text  # noqa: PLC0415 - as above

        sys.stderr.write(traceback_text(error) + "\n")
        sys.exit(Exit.INTERNAL)
