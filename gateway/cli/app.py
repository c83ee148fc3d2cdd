"""The program `gateway`: its help, its verbs and its exit codes (`runtime.exits`).

A verb imports the packages that it needs when it runs. So help is quick, and a missing package breaks only one verb.
"""

import sys
from typing import Annotated

import typer

from gateway.cli import authorization_decisions, callers, config, history, local, processes, topics
from gateway.cli.audit import export
from gateway.cli.check import command
from gateway.cli.collate import command as collate
from gateway.cli.commands import command as command_list
from gateway.cli.dead_letters import commands
from gateway.cli.plan import command as plan
from gateway.cli.top import command as top
from gateway.cli.watch_all import command as watch_all
from gateway.cli.work import command as work
from runtime.environ import SettingsInvalid
from runtime.exits import Exit, StartupError
from runtime.logs import traceback_text

_HELP = """
Manual handoffs of Collate prior authorizations. Callers send commands over HTTP; the gateway stores them in Kafka, \
applies each at most once to Collate, and publishes events.

Two processes are required, and both need Kafka. [bold]ingress[/bold] accepts commands and serves live calls (access \
grants, review snapshots). [bold]worker[/bold] applies commands to Collate, watches authorizations until they are \
settled, and publishes events.

[bold]First steps on your machine[/bold] (real local Kafka, simulated Collate, no Docker):

  gateway demo          show one handoff, step by step
  gateway dev           run everything and print commands to paste

[bold]First steps of an installation[/bold]:

  gateway plan          calculate workers, partitions, memory, disk
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

app = typer.Typer(
    name="gateway",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        processes.version()
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


processes.add_to(app)
config.add_to(app)
command.add_to(app)
collate.add_to(app)
topics.add_to(app)
plan.add_to(app)
callers.add_to(app)
history.add_to(app)
work.add_to(app)
watch_all.add_to(app)
top.add_to(app)
command_list.add_to(app)
commands.add_to(app)
export.add_to(app)
authorization_decisions.add_to(app)
local.add_to(app)


def main() -> None:
    """Run the command line and exit with the code of its result."""
    try:
        app()
    except StartupError as error:
        hint = "\n`gateway config` shows the current settings; docs/configuration.md explains each of them."
        sys.stderr.write(f"{error}{hint if isinstance(error, SettingsInvalid) else ''}\n")
        sys.exit(Exit.CONFIG)
    except Exception as error:  # noqa: BLE001 - the process boundary
        sys.stderr.write(traceback_text(error) + "\n")
        sys.exit(Exit.INTERNAL)
