"""The queries of requests: the names of their parameters, the shapes and the words, for the ingress and openapi.json.

The values of a query are texts. A field that is a tuple may be repeated; every other parameter is given once at most.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_origin

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from schemas.api.lists import Needs
from schemas.api.reads import Cursor
from schemas.enums import EventType
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import METADATA_PAIRS, Id, KnownOnly, MetadataValue, Slug, Word
from schemas.fields.visible_text import SentName
from schemas.model import OpenModel, Public
from schemas.times import Time

METADATA: Final = "metadata."
"""The prefix of the parameters that name a command's metadata: `metadata.case=case-0042`."""

# The names of these types are those of components, of which generators make a type each.
Order = TypeAliasType("Order", Annotated[Literal["oldest", "newest"], Field(description="Which entries come first.")])
WorkOrder = TypeAliasType(
    "WorkOrder",
    Annotated[Literal["urgent", "due", "wait", "payer"], Field(description="What comes first on the work list.")],
)
HandoffState = TypeAliasType(
    "HandoffState", Annotated[Literal["active", "closed"], Field(description="The states of a handoff.")]
)
CommandState = TypeAliasType(
    "CommandState",
    Annotated[
        Literal["accepted", "waiting", "dead_lettered", "finished"],
        Field(description="The states of a command; the end of its life is `finished`."),
    ],
)

CommandKind = TypeAliasType(
    "CommandKind",
    Annotated[
        Literal["handoff.request", "handoff.close", "authorization.watch"],
        Field(description="What callers ask for: the type of a command, without its prefix and its version."),
    ],
)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise PydanticCustomError("int_type", "Input should be a whole number")
    return int(text)


_Pairs = Annotated[
    Metadata,
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"type": "string", "pattern": r"^metadata\.[A-Za-z0-9._-]{1,64}$"},
            "additionalProperties": TypeAdapter(MetadataValue).json_schema(),
            "maxProperties": METADATA_PAIRS,
        }
    ),
]


def _metadata() -> Any:
    told = "Pairs that the metadata of a command must have, each as a parameter of its own: `metadata.case=case-0042`."
    return Field(default_factory=dict, description=told)


class Query(OpenModel):
    """A query without parameters."""

    @classmethod
    def parameters(cls) -> Mapping[str, bool]:
        """Return the name of each parameter, and whether it may be repeated."""
        return {str(field.alias): get_origin(field.annotation) is tuple for field in cls.model_fields.values()}


class PageQuery(Query):
    """A page of a list."""

    limit: Public[Annotated[int, Field(ge=1, le=200), BeforeValidator(_number)]] = Field(
        default=50, description="The page size; default: 50."
    )
    cursor: Public[Cursor | None] = Field(default=None, description="`next` of the previous page.")


class OrderedQuery(PageQuery):
    """A page of a list in one of two orders."""

    order: Public[Order] = Field(default="oldest", description="Which come first; oldest is the default.")


class TimelineQuery(OrderedQuery):
    """A page of a timeline."""

    since: Public[Time | None] = Field(default=None, description="The earliest time of an entry.")


class HandoffsQuery(OrderedQuery):
    """A page of handoffs."""

    state: Public[HandoffState] = Field(default="active", description="active (the default) or closed.")
    since: Public[Time | None] = Field(default=None, description="The earliest time of the opening or the end.")


LABELLED_COMMANDS: Final = 100
"""The work list is filtered by so many of an authorization's newest commands."""


class AuthorizationsQuery(PageQuery):
    """A page of the work list."""

    needs: Public[Annotated[Needs, KnownOnly()]] = Field(
        default=Needs.PERSON,
        description="person (the default): Collate waits for a person, or a handoff is open. handoff: a handoff is to "
        "be opened. open: a handoff is open. at_risk: Collate may soon end the open handoff. overdue: it needs a "
        "person, and its due date has passed. contradicted: the last report contradicts the payer.",
    )
    order: Public[WorkOrder] = Field(
        default="urgent",
        description="due: the earliest due date first, then the longest wait. urgent (the default): before these, the "
        "handoffs that Collate is expected to end within the hour. wait: the longest wait first. payer: by `payerId`, "
        "then as due.",
    )
    payer: Public[Id | None] = Field(default=None, description="Collate's id of the payer.")
    claimed_by: Public[SentName | None] = Field(
        default=None, description="Who has the open handoff in hand: a caller, or `none`."
    )
    caller: Public[SentName | None] = Field(
        default=None, description=f"A caller that has sent one of its last {LABELLED_COMMANDS} commands."
    )
    metadata: Public[_Pairs] = _metadata()
    since: Public[Time | None] = Field(default=None, description="The earliest `waitingSince`.")
    before: Public[Time | None] = Field(
        default=None, description="The `waitingSince` is earlier than this time: the wait is longer."
    )


class TroublesQuery(Query):
    """A read of one person's handoffs that need them first."""

    operator: Public[SentName | None] = Field(
        default=None, description="The person. A service must name them; a person has the name in their token."
    )
    since: Public[Time | None] = Field(default=None, description="The earliest end of a handoff that ended.")


class CommandsQuery(OrderedQuery):
    """A page of commands."""

    authorization_id: Public[Id | None] = Field(default=None, description="Collate's id of the authorization.")
    status: Public[CommandState | None] = Field(default=None, description="The status of the commands.")
    kind: Public[CommandKind | None] = Field(default=None, description="What the commands ask for.")
    reason: Public[Slug | None] = Field(default=None, description="The reason of the status.")
    caller: Public[SentName | None] = Field(default=None, description="The caller that sent the commands.")
    metadata: Public[_Pairs] = _metadata()
    since: Public[Time | None] = Field(default=None, description="The earliest time of acceptance.")
    before: Public[Time | None] = Field(default=None, description="The time of acceptance is earlier than this time.")


class IdsQuery(Query):
    """A search of ids."""

    prefix: Public[Id] = Field(description="The beginning of an id, with upper and lower case as they are.")


class CommandQuery(Query):
    """A read of one command."""

    at: Public[Annotated[str, StringConstraints(pattern="^[0-9]{1,9}-[0-9]{1,18}$")] | None] = Field(
        default=None,
        description="From the Location of the 202: `accepted` instead of 404 until the command is in the read model.",
    )


class OverviewQuery(Query):
    """A read of the overview."""

    history: Public[Literal["1h"] | None] = Field(
        default=None, description="`1h`: also the counts of each minute of the last hour."
    )


class OperatorQuery(Query):
    """A read of content: it is recorded with the name of its reader."""

    operator: Public[SentName | None] = Field(
        default=None, description="The member of staff who will read it. A person's own token says it."
    )


class HandoffQuery(OperatorQuery):
    """A live read of a handoff."""

    message: Public[Literal["omit"] | None] = Field(
        default=None,
        description="omit: without Collate's message. Such a read is not on record, and works while Kafka is away.",
    )
    since: Public[Time | None] = Field(
        default=None,
        description="The earliest `at`: a shared read that began before this time is not used.",
    )


class DeadLettersQuery(PageQuery):
    """A page of dead letters."""

    cause: Public[Slug | None] = Field(default=None, description="Only dead letters with this cause.")
    command: Public[Word | None] = Field(
        default=None, description="Only commands of this type: the full type, or as in handoff.request."
    )
    caller: Public[SentName | None] = Field(default=None, description="Only commands of this caller.")
    authorization_id: Public[Id | None] = Field(default=None, description="Only commands for this authorization.")
    since: Public[Time | None] = Field(default=None, description="Only dead letters since this time.")
    before: Public[Time | None] = Field(default=None, description="Only dead letters before this time.")
    digest: Public[Literal["true"] | None] = Field(
        default=None, description="`true`: also the digest of all matching dead letters."
    )


class EventsQuery(Query):
    """The filter of an event stream."""

    type: Public[tuple[Annotated[EventType, KnownOnly()], ...]] = Field(
        default=(), max_length=100, description="Only events of these types."
    )
    authorization_id: Public[tuple[Id, ...]] = Field(
        default=(), max_length=100, description="Only events of these authorizations."
    )
