"""A search: which calls of the API may find a text, and what they found. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.console.views.commands import CommandView, command_of

Json = Mapping[str, Any]
MOST_LENGTH = 140
ROWS = 20
TICKET_KEYS = ("case", "ticket")
"""The metadata keys that a search without a key looks at."""

_COMMAND_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_PAIR = re.compile(r"([A-Za-z0-9._-]{1,64})=([A-Za-z0-9._:-]{1,64})")
_VALUE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Found(StrEnum):
    """The kind of thing that a call finds."""

    COMMAND = "command"
    AUTHORIZATION = "authorization"
    COMMANDS = "commands"
    PAYER = "payer"


@dataclass(frozen=True, slots=True)
class Question:
    """One call of the API that may find the text; 404 means not found."""

    finds: Found
    path: str
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchView:
    """What a search found.

    `is_readable` is False if the text can be neither an id nor metadata. `may_be_authorization`: it can be an id.
    """

    text: str
    is_readable: bool
    authorizations: tuple[str, ...] = ()
    payer: str | None = None
    commands: tuple[CommandView, ...] = ()
    is_more: bool = False
    problems: tuple[Any, ...] = ()
    may_be_authorization: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.authorizations or self.payer or self.commands)

    @property
    def only_page(self) -> str | None:
        """The page of the only thing that was found, if it is one."""
        if self.problems or self.payer or self.is_more:
            return None
        if len(self.authorizations) == 1 and not self.commands:
            return f"/authorizations/{self.authorizations[0]}"
        if len(self.commands) == 1 and not self.authorizations:
            return f"/commands/{self.commands[0].command_id}"
        return None


def questions_of(text: str) -> tuple[Question, ...]:
    """Return the calls that may find a text: an id, `key=value`, or a value. Empty if it can be neither."""
    if pair := _PAIR.fullmatch(text):
        return (_by_metadata(pair[1], pair[2]),)
    asked: list[Question] = []
    if _COMMAND_ID.fullmatch(text.lower()):
        asked.append(Question(Found.COMMAND, f"/v1/commands/{text.lower()}"))
    if _ID.fullmatch(text):
        asked.append(Question(Found.AUTHORIZATION, f"/v1/authorizations/{text}"))
        asked.append(
            Question(
                Found.COMMANDS,
                "/v1/commands",
                (("authorizationId", text), ("order", "newest"), ("limit", str(ROWS))),
            )
        )
        asked.append(Question(Found.PAYER, "/v1/authorizations", (("payer", text), ("limit", "1"))))
    if _VALUE.fullmatch(text):
        asked.extend(_by_metadata(key, text) for key in TICKET_KEYS)
    return tuple(asked)


def search_of(text: str, answers: Sequence[tuple[Question, Json]], problems: Sequence[Any] = ()) -> SearchView:
    """Return what the calls found."""
    authorizations: list[str] = []
    commands: dict[str, CommandView] = {}
    payer, is_more = None, False
    for question, answer in answers:
        match question.finds:
            case Found.COMMAND:
                commands[answer["commandId"]] = command_of(answer)
            case Found.AUTHORIZATION:
                authorizations.append(answer["authorizationId"])
            case Found.PAYER if answer["authorizations"]:
                payer = text
            case Found.COMMANDS:
                commands |= {command["commandId"]: command_of(command) for command in answer["commands"]}
                is_more = is_more or answer.get("next") is not None
            case _:
                pass
    return SearchView(
        text=text,
        is_readable=True,
        authorizations=tuple(authorizations),
        payer=payer,
        # The page of an authorization has its commands in its timeline.
        commands=tuple(command for command in commands.values() if command.authorization_id not in authorizations),
        is_more=is_more,
        problems=tuple(problems),
    )


def _by_metadata(key: str, value: str) -> Question:
    return Question(
        Found.COMMANDS,
        "/v1/commands",
        ((f"metadata.{key}", value), ("order", "newest"), ("limit", str(ROWS))),
    )
