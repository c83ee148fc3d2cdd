"""The verbs for a development machine.

The production image has no package `local`.
"""

import importlib
from pathlib import Path
from typing import Annotated, NoReturn, Protocol

import typer

from cli.terminal import fail
from runtime.exits import Exit

_PANEL = "Development"
Brokers = Annotated[int, typer.Option(min=1, max=3, help="Number of brokers; each can be killed on its own.")]
Picture = Annotated[
    Path | None, typer.Option("--screenshot", metavar="FILE.svg", help="Also draw the output into this file.")
]
FreePort = Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on; by default a free one.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(rich_help_panel=_PANEL)(demo)
    app.command(rich_help_panel=_PANEL)(dev)
    app.command(rich_help_panel=_PANEL)(drill)
    app.command(rich_help_panel=_PANEL)(soak)
    group = typer.Typer(
        no_args_is_help=True, help="Run one local server: real Kafka, real PostgreSQL, or the simulated Collate."
    )
    group.command()(kafka)
    group.command()(postgres)
    group.command()(collate)
    app.add_typer(group, name="local", rich_help_panel=_PANEL)


def demo(screenshot: Picture = None) -> None:
    """Show one handoff step by step, with real processes on real Kafka. Stops everything at the end."""
    _run("local.demo", "run", screenshot)


def dev(
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of the API; by default 8080, or a free one.")
    ] = None,
) -> None:
    """Run everything until Ctrl-C. Prints a link to the console, URLs, a caller's key and commands to paste.

    It writes env.sh: in a shell that has read it, every verb of an operator works.
    If Kafka or PostgreSQL ends, everything else runs on, and Enter starts it again. Enter
    also prints another link.
    """
    _run("local.dev", "run", port)


def drill(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The drill; --list shows all.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long the fault lasts; default: the drill's own time.")
    ] = None,
    from_wheel: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="WHEEL", help="For `upgrade`: a wheel of the earlier release; default: this version."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the callers' cases.")] = 7,
    screenshot: Picture = None,
    *,
    list_them: Annotated[bool, typer.Option("--list", help="Show every drill, then exit.")] = False,
    hands_on: Annotated[
        bool, typer.Option("--hands-on", help="You find the cause and mend it; the drill measures the time.")
    ] = False,
) -> None:
    """Practise a fault on a private local installation: what breaks, what an operator sees, how it heals.

    Ends with the verdict of the chaos run's judge. Exit codes:

      0  every promise was kept
      1  a promise was broken, or the drill could not run
      2  there is no such drill
    """
    if list_them or name is None:
        _run("local.drills.run", "list_drills")
    options = _call("local.drills.drill", "DrillOptions", seconds, hands_on, seed, from_wheel)
    _run("local.drills.run", "run", name, options, screenshot)


def soak(
    hours: Annotated[float, typer.Option(min=0.01, help="Hours of load, with those of earlier sessions.")] = 12.0,
    directory: Annotated[
        Path, typer.Option(help="Place of the page and the measurements; a further run here continues.")
    ] = Path("soak"),
    seed: Annotated[int, typer.Option(help="Seed of the callers' cases and of the faults.")] = 7,
    rate: Annotated[float, typer.Option(min=0.1, help="Cases a second; a case has about four commands.")] = 1.0,
) -> None:
    """Run a private local installation for hours, with faults; write one HTML page of promises, latency and growth.

    Ctrl-C ends a session, and the same command continues. Exit codes:

      0    every promise was kept, and nothing is known to grow after the warm-up
      1    a promise was broken, something grew, or a part could not start
      130  interrupted; the page shows what was measured
    """
    _run("local.soak.run", "run", hours, directory, seed, rate)


def kafka(brokers: Brokers = 1, port: FreePort = None) -> None:
    """Run real Apache Kafka until Ctrl-C, without Docker or a system Java. Prints its address."""
    _run("local.serve", "kafka", brokers, port)


def postgres() -> None:
    """Run a real PostgreSQL until Ctrl-C, without Docker or a system package. Prints its connection string."""
    _run("local.serve", "postgres")


def collate(port: FreePort = None) -> None:
    """Run the simulated Collate until Ctrl-C. Prints its address."""
    _run("local.serve", "collate", port)


class _Function(Protocol):
    def __call__(self, *arguments: object) -> object: ...


def _call(module: str, name: str, *arguments: object) -> object:
    """Call a function of the package `local`; end with a message if this installation lacks it."""
    try:
        importlib.import_module("local")
        function: _Function = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        absent = "this installation has no `local` package" if missing.name == "local" else f"{missing.name} is missing"
        place = "Run it from a checkout, in the environment of `make install`."
        fail(Exit.UNAVAILABLE, f"{absent}. This command is for a development machine. {place}")
    return function(*arguments)


def _run(module: str, name: str, *arguments: object) -> NoReturn:
    code = _call(module, name, *arguments)
    raise typer.Exit(code if isinstance(code, int) else Exit.OK)
