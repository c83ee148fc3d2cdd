"""The layout of the list of commands. Pure."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.formatting import age, stacked, table_of
from schemas.enums import PREFIX

Json = dict[str, Any]
_COLUMNS = ("command", "type", "authorization", "caller", "accepted", "state", "reason", "metadata")
_WIDE = 150
_COLOURS = {"finished": "green", "accepted": "blue", "waiting": "yellow", "dead_lettered": "red"}


def commands_table(commands: Iterable[Json], now: str, width: int) -> Table | Group:
    """Lay out the list: a table, or two lines per command in a narrow terminal. `now` is an RFC 3339 time."""
    if width < _WIDE:
        return Group(*(part for command in commands for part in _lines_of(command, now)))
    return table_of(_COLUMNS, (_cells(command, now) for command in commands), {"command", "accepted"})


def _lines_of(command: Json, now: str) -> list[RenderableType]:
    command_id, type_, authorization, caller, accepted, state, reason, metadata = _cells(command, now)
    more = f"; {reason}" if reason else ""
    pairs = f"; {metadata}" if metadata else ""
    return stacked(
        Text.assemble(str(command_id), "  ", state, f"  {accepted} ago"),
        f"{type_} of {authorization}, by {caller}{more}{pairs}",
    )


def _cells(command: Json, now: str) -> tuple[str | Text, ...]:
    waiting: Json = command.get("waiting") or {}
    state = str(command.get("outcome") or command["status"])
    metadata: Json = command.get("metadata") or {}
    return (
        command["commandId"],
        str(command.get("type", "unknown")).removeprefix(PREFIX).removesuffix(".v1"),
        command.get("authorizationId", ""),
        command.get("caller", ""),
        age(command.get("acceptedAt"), now),
        Text(state, _COLOURS.get(command["status"], "")),
        str(waiting.get("reason") or command.get("reason") or ""),
        " ".join(f"{key}={value}" for key, value in sorted(metadata.items())),
    )
