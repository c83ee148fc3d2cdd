"""The verbs `gateway dead-letters list` and `show`.

They call ingress with a caller's key that has the permission `operate`; they need no Kafka credentials. Only --reveal
shows text that a caller wrote, and ingress logs each use.
"""

from typing import Annotated

import typer

from cli.api_client import DEFAULT_URL, KeyFile, Url, connected, operations
from cli.dead_letters import tables
from cli.dead_letters.options import Authorization, Cause, CommandId, FromCaller, Operator, Since, Type, filters_of
from cli.formatting import console
from cli.lists.listing import PAGE, Limit
from cli.terminal import AsJson, print_json


def list_them(
    *,
    cause: Cause = None,
    command: Type = None,
    caller: FromCaller = None,
    authorization: Authorization = None,
    since: Since = None,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first, without any text that a caller wrote."""
    filters = filters_of(cause, command, caller, authorization, since)
    call = operations.list_dead_letters({**filters, "limit": min(PAGE, limit)})
    empty = tables.NONE_MATCHES if filters else None
    tables.DEAD_LETTERS.show(url, key_file, call, limit, as_json=as_json, empty=empty)


def show(
    command_id: CommandId,
    operator: Operator = None,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also show the text that the caller wrote: PHI. This read is on record.")
    ] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its cause, its content, the writes sent to Collate, and the possible decisions."""
    original = None
    with connected(url, key_file) as gateway:
        dead_letter = gateway.read(operations.read_dead_letter(command_id))
        if reveal:
            by = gateway.operator(operator)
            original = gateway.read(operations.read_dead_letter_original(command_id, {"operator": by}))
    if as_json:
        print_json({**dead_letter, "original": original} if original is not None else dead_letter)
        return
    console().print(tables.details(dead_letter, original))
