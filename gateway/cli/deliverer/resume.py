"""`gateway deliverer resume`: resumes a subscription that a receiver's 410 has stopped."""

import os
from typing import Annotated, Any

import typer

from gateway.cli.api_client import print_json, user_name
from gateway.cli.deliverer.subscriptions import AsJson, Name
from gateway.cli.resume import post_resume
from runtime.exits import Exit


def resume(
    name: Name,
    *,
    why: Annotated[str, typer.Option(help="Your reason. It is logged: never write a patient's name.")],
    operator: Annotated[
        str | None, typer.Option(envvar="COLLATE_GATEWAY_OPERATOR", help="Your name; by default your user name.")
    ] = None,
    partition: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Also resume this partition, whose progress is in doubt; repeatable. See /lanes."),
    ] = None,
    admin: Annotated[
        str | None, typer.Option(help="URL of the admin port; by default http://127.0.0.1 and GATEWAY_ADMIN__PORT.")
    ] = None,
    as_json: AsJson = False,
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
    url = admin or f"http://127.0.0.1:{os.environ.get('GATEWAY_ADMIN__PORT', '9090')}"
    body = {"operator": operator or user_name(), "why": why, "partitions": partition, "subscription": name}
    result = post_resume(url, body, process="deliverer")
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


def _print(name: str, running: list[int], result: dict[str, Any]) -> None:
    if not result["resumed"]:
        typer.echo(f"This deliverer has no subscription {name}.", err=True)
    elif result["isStored"]:
        before = "" if result["wasStopped"] else " It was not stopped in this process."
        typer.echo(f"Resumed: {', '.join(result['resumed'])}.{before} No deliverer stops later for an earlier 410.")
    else:
        typer.echo(
            f"{name} is resumed in this process, but Kafka has not stored it: after a restart the subscription may be "
            "stopped again. Run this again.",
            err=True,
        )
    for number in running if result["resumed"] else []:
        typer.echo(f"Partition {number} was not stopped in this process.", err=True)
    for one in result["stopped"]:
        typer.echo(f"{one['partition']} is still stopped: {one['detail']}", err=True)
