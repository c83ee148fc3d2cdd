"""A search: which calls of the API may find a text, and what they found. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.api import Call, Failure, models, operations
from schemas.fields.scalars import is_command_id, is_id, is_metadata_key, is_metadata_value

MOST_LENGTH = 140
ROWS = 20
TICKET_KEYS = ("case", "ticket")
"""The metadata keys that a search without a key looks at."""


@dataclass(frozen=True, slots=True)
class SearchQuestions:
    """The calls of the API that may find a text; 404 means not found."""

    command: Call[models.CommandStatus] | None = None
    authorization: Call[models.AuthorizationStatus] | None = None
    at_payer: Call[models.AuthorizationList] | None = None
    ids: Call[models.IdsFound] | None = None
    commands: tuple[Call[models.CommandList], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchView:
    """What a search found.

    `is_readable` is False if the text can be neither an id nor metadata. `may_be_authorization`: it can be an id.
    `cases` are the authorizations whose commands have the text as metadata.
    """

    text: str
    is_readable: bool
    authorizations: tuple[str, ...] = ()
    payer: str | None = None
    commands: tuple[models.CommandStatus, ...] = ()
    command_ids: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    is_more: bool = False
    problems: tuple[Failure, ...] = ()
    may_be_authorization: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.authorizations or self.payer or self.commands or self.command_ids)

    @property
    def only_page(self) -> str | None:
        """The page of the only thing that was found, if it is one."""
        if self.problems or self.payer or self.is_more:
            return None
        pages = [f"/authorizations/{hit}" for hit in self.authorizations]
        pages += [f"/authorizations/{hit}/work" for hit in self.cases]
        others = (command["commandId"] for command in self.commands if command.get("authorizationId") not in self.cases)
        pages += [f"/commands/{hit}" for hit in (*others, *self.command_ids)]
        return pages[0] if len(pages) == 1 else None


def questions_of(text: str) -> SearchQuestions | None:
    """Return the calls that may find a text: an id, `key=value`, or a value. None if it can be neither."""
    key, _, value = text.partition("=")
    if is_metadata_key(key) and is_metadata_value(value):
        return SearchQuestions(commands=(_commands({"metadata": {key: value}}),))
    may_be_id, may_be_value = is_id(text), is_metadata_value(text)
    if not may_be_id and not may_be_value:
        return None
    lists = [_commands({"authorizationId": text})] if may_be_id else []
    lists += [_commands({"metadata": {key: text}}) for key in TICKET_KEYS] if may_be_value else []
    return SearchQuestions(
        command=operations.read_command(text.lower()) if is_command_id(text.lower()) else None,
        authorization=operations.read_authorization(text) if may_be_id else None,
        at_payer=operations.list_authorizations({"payer": text, "limit": 1}) if may_be_id else None,
        ids=operations.find_ids({"prefix": text}) if may_be_id else None,
        commands=tuple(lists),
    )


def search_of(
    text: str,
    command: models.CommandStatus | None,
    authorization: models.AuthorizationStatus | None,
    at_payer: models.AuthorizationList | None,
    lists: Sequence[models.CommandList],
    *,
    ids: models.IdsFound | None = None,
) -> SearchView:
    """Return what the calls found; None for a call that found nothing."""
    found = {} if command is None else {command["commandId"]: command}
    for listed in lists:
        found |= {command["commandId"]: command for command in listed["commands"]}
    # The whole id comes first: others may begin with it.
    listed_ids = [] if authorization is None else [authorization["authorizationId"]]
    listed_ids += [] if ids is None else [hit for hit in ids["authorizations"] if hit not in listed_ids]
    cases: dict[str, None] = {}  # a set that keeps the order
    for listed in lists:
        cases |= {command["authorizationId"]: None for command in listed["commands"] if "authorizationId" in command}
    return SearchView(
        text=text,
        is_readable=True,
        authorizations=tuple(listed_ids),
        payer=text if at_payer is not None and at_payer["authorizations"] else None,
        # The page of an authorization has its commands in its timeline.
        commands=tuple(command for command in found.values() if command.get("authorizationId") not in listed_ids),
        command_ids=() if ids is None else tuple(hit for hit in ids["commands"] if hit not in found),
        cases=tuple(hit for hit in cases if hit not in {text, *listed_ids}),
        is_more=any(listed.get("next") is not None for listed in lists),
    )


def _commands(query: operations.ListCommandsQuery) -> Call[models.CommandList]:
    return operations.list_commands({**query, "order": "newest", "limit": ROWS})
