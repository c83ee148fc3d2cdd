"""The one command, `gateway`: help that teaches, one function per verb, exit codes from `runtime.exits`.

Every room is imported by the verb that needs it, so that help is quick and a missing room breaks one verb alone.
"""

import sys

import typer

from gateway.cli import callers, config, history, local, processes, top, topics
from gateway.cli.check import command
from gateway.cli.dead_letters import commands
from runtime.environ import SettingsInvalid
from runtime.exits import Exit, StartupError
from runtime.logs import traceback_text

_HELP = """
Manual handoffs of Collate prior authorizations: commands in over HTTP, kept in Kafka, applied at most once, events out.

Two processes do the work, and both need Kafka. [bold]ingress[/bold] takes commands and makes the live calls (access \
grants, review snapshots). [bold]worker[/bold] applies each command to Collate, watches authorizations until the \
payer's truth is known, and publishes what happened.

[bold]First steps on your machine[/bold] (real local Kafka, simulated Collate, no Docker):

  gateway demo          one handoff, told step by step
  gateway dev           everything running, with commands to paste

[bold]First steps of an installation[/bold]:

  gateway config        every setting in force, or all that is wrong
  gateway check         would it run: Kafka, topics, permissions, Collate, the clock?
  gateway topics plan   what the topics lack
  gateway topics apply  create them
  gateway worker        waits for what is missing, and says so (/readyz)

Optional, with PostgreSQL: [bold]projector[/bold] keeps status and timelines, which [bold]status[/bold], \
[bold]timeline[/bold], [bold]watch[/bold] and [bold]top[/bold] show.

Settings are environment variables GATEWAY_…, secrets are files; docs/configuration.md lists them all.
"""

_EPILOG = (
    "Exit codes: 0 done or stopped in order, 1 a part failed, 2 wrong command line, 3 topics plan has changes, "
    "69 something needed is away, 70 an unplanned error, 75 stopped at the deadline, 77 Kafka or Collate does not let "
    "us in, 78 wrong settings or topics."
)

app = typer.Typer(
    name="gateway",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
processes.add_to(app)
config.add_to(app)
command.add_to(app)
topics.add_to(app)
callers.add_to(app)
history.add_to(app)
top.add_to(app)
commands.add_to(app)
local.add_to(app)


def main() -> None:
    """Run the command line; every way to end has its exit code."""
    try:
        app()
    except StartupError as refused:
        hint = "\n`gateway config` shows what is in force; docs/configuration.md explains each setting."
        sys.stderr.write(f"{refused}{hint if isinstance(refused, SettingsInvalid) else ''}\n")
        sys.exit(Exit.CONFIG)
    except Exception as error:  # noqa: BLE001 - the process boundary
        sys.stderr.write(traceback_text(error) + "\n")
        sys.exit(Exit.INTERNAL)
