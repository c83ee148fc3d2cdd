"""One command, and rows of commands. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.enums import PREFIX

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LastCallsView:
    """What the last calls to Collate returned, all with the same result."""

    operation: str
    result: str
    status: int | None
    code: str | None
    count: int
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command, as `GET /v1/commands/{id}` and the lists have it."""

    command_id: str
    type: str | None
    authorization_id: str | None
    caller: str | None
    status: str
    accepted_at: str | None
    expires_at: str | None
    finished_at: str | None
    reason: str | None
    advice: str | None
    until: str | None
    last_calls: LastCallsView | None
    outcome: str | None
    effect: str | None
    handoff_id: str | None
    version: int | None
    redrive: int | None
    metadata: tuple[tuple[str, str], ...]

    @property
    def is_final(self) -> bool:
        """Whether the command has ended."""
        return self.status == "finished"


def command_of(command: Json) -> CommandView:
    """Return the view of a command."""
    waiting: Json = command.get("waiting") or {}
    type_ = command.get("type")
    return CommandView(
        command_id=command["commandId"],
        type=None if type_ is None else short_type(type_),
        authorization_id=command.get("authorizationId"),
        caller=command.get("caller"),
        status=command["status"],
        accepted_at=command.get("acceptedAt"),
        expires_at=command.get("expiresAt"),
        finished_at=command.get("finishedAt"),
        reason=waiting.get("reason") or command.get("reason"),
        advice=waiting.get("advice") or command.get("advice"),
        until=waiting.get("until"),
        last_calls=_last_calls(waiting.get("lastCalls")),
        outcome=command.get("outcome"),
        effect=command.get("effect"),
        handoff_id=command.get("handoffId"),
        version=command.get("version"),
        redrive=command.get("redrive"),
        metadata=tuple(sorted((command.get("metadata") or {}).items())),
    )


def short_type(type_: str) -> str:
    """Return the type of a command or event without the common prefix and the version: `handoff.close`."""
    return type_.removeprefix(PREFIX).rpartition(".")[0] or type_


def _last_calls(calls: Json | None) -> LastCallsView | None:
    if calls is None:
        return None
    return LastCallsView(
        operation=calls["operation"],
        result=calls["result"],
        status=calls.get("status"),
        code=calls.get("code"),
        count=calls["count"],
        since=calls["since"],
        until=calls["until"],
    )
