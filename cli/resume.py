"""`gateway worker resume`: resumes stopped partitions of the worker on this machine, through its admin port."""

import json
import os
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from cli.terminal import AsOneJson, Operator, fail, print_json, user_name
from runtime.admin.answers import Resumed
from runtime.exits import Exit
from runtime.http_client import HttpClient, reason_of

_SECONDS = 10.0
_MAX_BYTES = 1 << 20


Why = Annotated[str, typer.Option(help="Your reason. It is logged: never write a patient's name.")]
Admin = Annotated[
    str | None, typer.Option(help="URL of the admin port; by default http://127.0.0.1 and GATEWAY_ADMIN__PORT.")
]


def resume(
    *,
    why: Why,
    operator: Operator = None,
    partition: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Resume only this partition; repeatable. A partition whose progress is in doubt must be named here; "
            "its detail at /partitions says where it resumes.",
        ),
    ] = None,
    admin: Admin = None,
    as_json: AsOneJson = False,
) -> None:
    """Resume partitions of this worker that stopped because of too many dead letters.

    First remove the cause, then run this on the worker's machine:

      kubectl exec POD -- gateway worker resume --operator "$USER" --why "…"

    The count of dead letters restarts at zero. Exit codes:

      0   at least one partition was resumed
      1   no partition was resumed
      69  no worker answers
    """
    body = {"operator": operator or user_name(), "why": why, "partitions": partition}
    result = post_resume(admin, body, "worker")
    if as_json:
        print_json(result)
    elif result["resumed"]:
        typer.echo(f"Resumed: partition {', '.join(map(str, result['resumed']))}.")
    else:
        typer.echo(
            "Nothing was resumed: no partition of this worker stopped because of too many dead letters.", err=True
        )
    for partition_left in [] if as_json else result["stopped"]:
        typer.echo(f"Partition {partition_left['partition']} is still stopped: {partition_left['detail']}", err=True)
    raise typer.Exit(Exit.OK if result["resumed"] else Exit.FAILED)


def post_resume(admin: str | None, body: Mapping[str, object], process: str) -> Resumed:
    """Send the request to the admin port of a process, and return the response; end the program if it fails."""
    url = admin or f"http://127.0.0.1:{os.environ.get('GATEWAY_ADMIN__PORT', '9090')}"
    if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
        fail(Exit.USAGE, "--admin: expected a URL like http://127.0.0.1:9090")
    # The process rejects a request that comes through a proxy.
    client = HttpClient(url, seconds=_SECONDS, max_bytes=_MAX_BYTES, direct=True)
    try:
        response = client.send(
            "POST",
            f"{url.rstrip('/')}/resume",
            headers={"Content-Type": "application/json"},
            content=json.dumps(body).encode(),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(Exit.UNAVAILABLE, f"no {process} answers at {url}: {reason_of(error)}")
    if not 200 <= response.status < 300:
        fail(Exit.FAILED, f"{response.status}: {_summary(response.body)}")
    try:
        resumed: Resumed = json.loads(response.body)
    except ValueError:
        fail(Exit.UNAVAILABLE, f"no {process} answers at {url}: the response is not JSON")
    return resumed


def _summary(body: bytes) -> str:
    try:
        problem: dict[str, str] = json.loads(body)
        return problem["summary"]
    except (ValueError, KeyError, TypeError):
        return "not the admin port of a gateway"
