"""`gateway deliverer resume`: resumes a subscription that a receiver's 410 has stopped."""

import os
from typing import Annotated

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

    First ask the subscriber. Then run this on the machine of every deliverer:

      kubectl exec POD -- gateway deliverer resume NAME --operator "$USER" --why "…"

    A new URL in the subscriptions file resumes the subscription, too. Exit codes:

      0   something was resumed
      1   nothing was stopped
      69  no deliverer answers
    """
    url = admin or f"http://127.0.0.1:{os.environ.get('GATEWAY_ADMIN__PORT', '9090')}"
    body = {"operator": operator or user_name(), "why": why, "partitions": partition, "subscription": name}
    result = post_resume(url, body, process="deliverer")
    if as_json:
        print_json(result)
    elif result["resumed"]:
        typer.echo(f"Resumed: {', '.join(result['resumed'])}.")
    else:
        typer.echo(f"Nothing was resumed: {name} is not stopped in this process.", err=True)
    for one in [] if as_json else result["stopped"]:
        typer.echo(f"{one['partition']} is still stopped: {one['detail']}", err=True)
    raise typer.Exit(Exit.OK if result["resumed"] else Exit.FAILED)
