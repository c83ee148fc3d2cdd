"""The rig's own program, `python -m local`: the verbs that run the gateway with real servers on this machine.

The product's program, `gateway`, has none of these verbs: its wheel and its image have no package `local`.
"""

from pathlib import Path
from typing import Annotated

import typer

from local import demo as demo_run
from local import dev as dev_run
from local import environment
from local.drills import run as drill_run
from local.drills.drill import DrillOptions
from local.soak import run as soak_run

Picture = Annotated[
    Path | None, typer.Option("--screenshot", metavar="FILE.svg", help="Also draw the output into this file.")
]
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run the gateway on this machine: real Kafka, real PostgreSQL, a simulated Collate, no Docker.",
)


@app.callback()
def _main() -> None:
    environment.hold()


@app.command()
def demo(screenshot: Picture = None) -> None:
    """Show one handoff step by step, with real processes on real Kafka. Stops everything at the end."""
    raise typer.Exit(demo_run.run(screenshot))


@app.command()
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
    raise typer.Exit(dev_run.run(port))


@app.command()
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
        raise typer.Exit(drill_run.list_drills())
    raise typer.Exit(drill_run.run(name, DrillOptions(seconds, hands_on, seed, from_wheel), screenshot))


@app.command()
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
    raise typer.Exit(soak_run.run(hours, directory, seed, rate))


if __name__ == "__main__":
    app(prog_name="python -m local")
