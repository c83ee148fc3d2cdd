"""The lists of commands, of found ids and of a person's handoffs in trouble: one statement each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from adapters.postgres.filters import Conditions, metadata_json, ordered
from adapters.postgres.people_numbers import AT_RISK
from adapters.postgres.queries import fetch_all, fetch_one, fetch_page
from adapters.postgres.serializers import command_status
from schemas.api.lists import (
    MOST_FOUND,
    MOST_TROUBLES,
    CommandList,
    IdsFound,
    Trouble,
    TroubleKind,
    TroubleList,
)
from schemas.api.queries import CommandsQuery
from schemas.enums import full_type

# A person's claims are those of the caller. A service names a person without saying who vouches for the name.
_CLAIMED_BY_CALLER: LiteralString = "a.claimed_by = %(caller)s"
_CLAIMED_BY_NAME: LiteralString = "a.record->'activeHandoff'->'claim'->>'by' = %(operator)s"


@dataclass(frozen=True, slots=True)
class TroublesOf:
    """The handoffs of a person that need them first, of each kind the newest.

    `caller` is the person as a caller, None if a service names the person. `since` is the earliest end.
    """

    operator: str
    caller: str | None = None
    since: datetime | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> TroubleList:
        """Return the handoffs."""
        statement, values = self.statement()
        rows = await fetch_all(connection, statement, **values)
        return TroubleList(troubles=[Trouble(**row | {"kind": TroubleKind(row["kind"])}) for row in rows])

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        claimed = _CLAIMED_BY_NAME if self.caller is None else _CLAIMED_BY_CALLER
        return (
            f"""
            (SELECT 'at_risk' AS kind, h.authorization_id, h.handoff_id, h.risk AS reason, h.risk_ends_at AS at
                FROM {AT_RISK} AND {claimed} ORDER BY h.opened_at DESC, h.authorization_id LIMIT %(limit)s)
            UNION ALL
            (SELECT 'ended', authorization_id, handoff_id, closed_by, closed_at FROM handoffs
                WHERE operator = %(operator)s AND closed_by <> 'us'
                AND closed_at >= coalesce(%(since)s, '-infinity'::timestamptz)
                ORDER BY closed_at DESC, authorization_id LIMIT %(limit)s)
            UNION ALL
            (SELECT 'contradicted', authorization_id, record->'lastHandoff'->>'id', record->'lastHandoff'->>'reported',
                (record->'lastHandoff'->>'closedAt')::timestamptz FROM authorizations
                WHERE contradicted_at IS NOT NULL AND record->'lastHandoff'->>'reportedBy' = %(operator)s
                ORDER BY contradicted_at DESC, authorization_id LIMIT %(limit)s)
            """,  # noqa: S608 - all parts are constants
            {"operator": self.operator, "caller": self.caller, "since": self.since, "limit": MOST_TROUBLES},
        )


# No character of an id is above `~`.
_IDS: LiteralString = """
SELECT array(SELECT authorization_id FROM authorizations
        WHERE authorization_id >= %(prefix)s AND authorization_id < %(prefix)s || chr(127)
        ORDER BY authorization_id LIMIT %(limit)s) AS authorizations,
    array(SELECT command_id FROM commands
        WHERE command_id >= %(prefix)s AND command_id < %(prefix)s || chr(127)
        ORDER BY command_id LIMIT %(limit)s) AS commands
"""


@dataclass(frozen=True, slots=True)
class IdsByPrefix:
    """The first ids, by their bytes, that begin with a text."""

    prefix: str

    async def __call__(self, connection: AsyncConnection[Any]) -> IdsFound:
        """Return the ids."""
        return IdsFound(**await fetch_one(connection, _IDS, prefix=self.prefix, limit=MOST_FOUND))


_COMMAND_KEY: tuple[LiteralString, ...] = ("accepted_at", "command_id")


@dataclass(frozen=True, slots=True)
class CommandPage:
    """A page of commands; `after` is the sort key from a cursor."""

    query: CommandsQuery
    after: tuple[datetime, str] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> CommandList:
        """Return the page."""
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, _COMMAND_KEY)
        return CommandList(commands=[command_status(row) for row in rows], next=following)

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        query, conditions = self.query, Conditions()
        # A command whose record the projector has not read yet has no time.
        conditions.add("accepted_at IS NOT NULL")
        conditions.add("shown_status = %(status)s", status=query.status)
        if query.status not in {None, "finished"}:
            conditions.add("status <> 'finished'")  # the condition of the index of unfinished commands
        conditions.add("authorization_id = %(authorization_id)s", authorization_id=query.authorization_id)
        conditions.add("type = %(type)s", type=query.kind and full_type(query.kind))
        conditions.add("reason = %(reason)s", reason=query.reason)
        conditions.add("caller = %(caller)s", caller=query.caller)
        conditions.add("metadata @> %(metadata)s::jsonb", metadata=metadata_json(query.metadata))
        conditions.between("accepted_at", query.since, query.before)
        conditions.after(_COMMAND_KEY, self.after, query.order)
        order = ordered(_COMMAND_KEY, query.order)
        statement: LiteralString = f"SELECT * FROM commands WHERE {conditions.sql} ORDER BY {order} LIMIT %(limit)s"  # noqa: S608 - all parts are constants
        return statement, conditions.values
