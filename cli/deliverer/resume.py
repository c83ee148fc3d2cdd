"""`gateway deliverer resume`: resumes a subscription that a receiver's 410 has stopped."""

from typing import Annotated

import typer

from cli.deliverer.subscriptions import Name
from cli.resume import Admin, Why, post_resume
from cli.terminal import AsOneJson, Operator, print_json, user_name
from runtime.admin.answers import Resumed
from runtime.exits import Exit


def resume(
    name: Name,
    *,
    why: Why,
    operator: Operator = None,
    partition: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Also resume this partition, whose progress is in doubt; repeatable. See /partitions."
        ),
    ] = None,
    admin: Admin = None,
    as_json: AsOneJson = False,
) -> None:
    """Resume a subscription that stopped because its receiver answered 410 Gone.

    First ask the subscriber. Then run this on the machine of every deliverer, because each has to open its own gate:

      kubectl exec POD -- gateway deliverer resume NAME --operator "$USER" --why "…"

    The first of them also stores that no deliverer stops at a later start for an earlier 410. A new URL in the
    subscriptions file resumes the subscription, too. Exit codes:

      0   this deliverer sends, and Kafka has stored the resume
      1   this deliverer has no such subscription, or a partition of --partition was not stopped
      69  no deliverer answers, or Kafka has not stored the resume: run this again
    """
    body = {"operator": operator or user_name(), "why": why, "partitions": partition, "subscription": name}
    result = post_resume(admin, body, "deliverer")
    running = [number for number in partition or [] if f"{name}/{number}" not in result["resumed"]]
    if as_json:
        print_json(result)
    else:
        _print(name, running, result)
    if not result["resumed"]:
        raise typer.Exit(Exit.FAILED)
    if not result["isStored"]:
        raise typer.Exit(Exit.UNAVAILABLE)
    raise typer.Exit(Exit.FAILED if running else Exit.OK)


def _print(name: str, running: list[int], result: Resumed) -> None:
    if not result["resumed"]:
        typer.echo(f"This deliverer has no subscription {name}.", err=True)
    elif result["isStored"]:
        before = "" if result["wasStopped"] else " It was not stopped in this process."
        typer.echo(
            f"Resumed: {', '.join(map(str, result['resumed']))}.{before} No deliverer stops later for an earlier 410."
        )
    else:
        typer.echo(
            f"{name} is resumed in this process, but Kafka has not stored it: after a restart the subscription may be "
            "stopped again. Run this again.",
            err=True,
        )
    for number in running if result["resumed"] else []:
        typer.echo(f"Partition {number} was not stopped in this process.", err=True)
    for partition in result["stopped"]:
        typer.echo(f"{partition['partition']} is still stopped: {partition['detail']}", err=True)
