"""`gateway worker resume`: let a worker on this machine go on with partitions that stand still."""

import getpass
import json
import os
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from gateway.cli.api_client import fail, print_json
from runtime.exits import Exit

_SECONDS = 10.0


def resume(
    *,
    why: Annotated[str, typer.Option(help="Your reason; it is logged, so no names of patients.")],
    operator: Annotated[
        str | None, typer.Option(envvar="COLLATE_GATEWAY_OPERATOR", help="Who you are; your user name if not given.")
    ] = None,
    partition: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Only this one; repeatable. One that lost its offsets goes on only if it is named, from the "
            "oldest record there is.",
        ),
    ] = None,
    admin: Annotated[
        str | None, typer.Option(help="The worker's admin port, if not http://127.0.0.1 and GATEWAY_ADMIN__PORT.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let the worker on this machine go on with partitions that too many dead letters have stopped.

    Run it beside the worker (kubectl exec POD -- gateway worker resume --why …), after the cause has been mended: the
    count begins anew. Exits 0 if one was resumed, 1 if there was none, 69 if no worker answers here.
    """
    url = admin or f"http://127.0.0.1:{os.environ.get('GATEWAY_ADMIN__PORT', '9090')}"
    if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
        fail(Exit.USAGE, "--admin: expected a URL like http://127.0.0.1:9090")
    found = _ask(url, {"operator": operator or getpass.getuser(), "why": why, "partitions": partition})
    if as_json:
        print_json(found)
    else:
        _tell(found)
    raise typer.Exit(Exit.OK if found["resumed"] else Exit.FAILED)


def _ask(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        f"{url.rstrip('/')}/resume", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    # A proxy would make it somebody else's request, which the worker refuses.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            try:
                told = json.loads(refused.read())["summary"]
            except (ValueError, KeyError, OSError):
                told = "not a gateway's admin port"
        fail(Exit.FAILED, f"{refused.code}: {told}")
    except (urllib.error.URLError, OSError, ValueError) as error:
        fail(Exit.UNAVAILABLE, f"no worker answers at {url}: {getattr(error, 'reason', error)}")


def _tell(found: dict[str, Any]) -> None:
    if found["resumed"]:
        typer.echo(f"Resumed: partition {', '.join(map(str, found['resumed']))}.")
    else:
        typer.echo(
            "Nothing was resumed: too many dead letters have stopped none of this worker's partitions.", err=True
        )
    for one in found["stopped"]:
        typer.echo(f"Partition {one['partition']} still stands: {one['detail']}", err=True)
