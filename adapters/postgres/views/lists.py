"""The lists of authorizations and commands: one statement per page, by indexes of the migration 0001.

A page starts after the sort key of the last row of the page before. A key does not change while its row stays in the
list, except that an authorization of the work list may start to wait again, or get another due date. So no row is lost
or repeated because other rows were written between two pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from adapters.postgres.cursor import write_cursor
from adapters.postgres.filters import Conditions, label_json, metadata_json, ordered
from adapters.postgres.queries import OF_HANDOFF, fetch_all, fetch_one
from adapters.postgres.serializers import command_status, work_item
from schemas.api.lists import AuthorizationList, CommandList, IdsFound, Needs
from schemas.api.queries import CommandKind, CommandState, Order
from schemas.enums import PREFIX

_WAITING_SINCE: LiteralString = "coalesce(a.action_required_at, a.active_since)"
_TIMES: Mapping[Needs, LiteralString] = {
    Needs.PERSON: _WAITING_SINCE,
    Needs.HANDOFF: "a.action_required_at",
    Needs.CONTRADICTED: "a.contradicted_at",
}
UNCLAIMED = "none"
"""The value of `claimed_by` for what is not claimed. The name of a person has a colon."""


@dataclass(frozen=True, slots=True)
class AuthorizationPage:
    """A page of the work list; `after` is the sort key from a cursor. None accepts all.

    `claimed_by` is a person as a caller, or UNCLAIMED. `since` and `before` bound `waitingSince`.
    `caller` and `metadata` are those of one command of the authorization (adapters/postgres/labels.py).
    The earliest due date comes first, then the longest wait.
    """

    limit: int
    needs: Needs = Needs.PERSON
    payer_id: str | None = None
    claimed_by: str | None = None
    caller: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    before: datetime | None = None
    after: tuple[datetime, datetime, str] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> AuthorizationList:
        """Return the page."""
        statement, values = self.statement()
        rows = await fetch_all(connection, statement, **values)
        rows, last = rows[: self.limit], rows[self.limit - 1] if len(rows) > self.limit else None
        return AuthorizationList(
            authorizations=[work_item(row) for row in rows],
            next=write_cursor(last["due_at"], last["since"], last["authorization_id"]) if last else None,
        )

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        column = _TIMES[self.needs]
        conditions, key = Conditions(), ("a.due_at", column, "a.authorization_id")
        conditions.add(f"{column} IS NOT NULL")
        if self.needs is Needs.HANDOFF:
            conditions.add("a.active_handoff_id IS NULL")
            conditions.add("a.record->>'nextAction' = 'complete_payer_interaction'")
        conditions.add("a.payer_id = %(payer_id)s", payer_id=self.payer_id)
        if self.claimed_by == UNCLAIMED:
            conditions.add("a.claimed_by IS NULL")
        else:
            conditions.add("a.claimed_by = %(claimed_by)s", claimed_by=self.claimed_by)
        conditions.between(column, self.since, self.before)
        label = label_json(self.caller, self.metadata)
        conditions.add("a.command_labels @> %(label)s::jsonb", label=label)
        conditions.after(key, self.after)
        return (
            f"""
            WITH page AS (
                SELECT a.authorization_id, a.record::text AS record_text, {column} AS since, a.active_handoff_id,
                    a.active_since, a.due_at
                FROM authorizations a WHERE {conditions.sql} ORDER BY {ordered(key)} LIMIT %(limit)s
            )
            SELECT p.authorization_id, p.record_text, p.since, p.active_handoff_id, p.active_since, p.due_at,
                {OF_HANDOFF}, m.metadata AS newest_metadata
            FROM page p LEFT JOIN handoffs h
                ON h.authorization_id = p.authorization_id AND h.handoff_id = p.active_handoff_id
            LEFT JOIN LATERAL (
                SELECT metadata FROM commands c
                WHERE c.authorization_id = p.authorization_id AND metadata IS NOT NULL
                ORDER BY accepted_at DESC, command_id DESC LIMIT 1
            ) m ON true
            ORDER BY p.due_at, p.since, p.authorization_id
            """,  # noqa: S608 - all parts are constants
            conditions.values | {"limit": self.limit + 1},
        )


MOST_FOUND = 20
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


# The status that a reader sees: a dead letter with a pending redrive is accepted again.
_STATUSES: Mapping[CommandState, LiteralString] = {
    "accepted": "status <> 'finished'"
    " AND (status = 'accepted' OR (status = 'dead_lettered' AND asked_redrive > redrive))",
    "waiting": "status <> 'finished' AND status = 'waiting'",
    "dead_lettered": "status <> 'finished' AND status = 'dead_lettered' AND asked_redrive <= redrive",
    "finished": "status = 'finished'",
}
_COMMAND_KEY: tuple[LiteralString, ...] = ("accepted_at", "command_id")


@dataclass(frozen=True, slots=True)
class CommandPage:
    """A page of commands; `after` is the sort key from a cursor. None accepts all.

    `since` and `before` bound `acceptedAt`.
    """

    limit: int
    order: Order = "oldest"
    authorization_id: str | None = None
    status: CommandState | None = None
    kind: CommandKind | None = None
    reason: str | None = None
    caller: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    before: datetime | None = None
    after: tuple[datetime, str] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> CommandList:
        """Return the page."""
        statement, values = self.statement()
        rows = await fetch_all(connection, statement, **values)
        rows, last = rows[: self.limit], rows[self.limit - 1] if len(rows) > self.limit else None
        return CommandList(
            commands=[command_status(row) for row in rows],
            next=write_cursor(last["accepted_at"], last["command_id"]) if last else None,
        )

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        conditions = Conditions()
        # A command whose record the projector has not read yet has no time.
        conditions.add("accepted_at IS NOT NULL")
        if self.status is not None:
            conditions.add(_STATUSES[self.status])
        conditions.add("authorization_id = %(authorization_id)s", authorization_id=self.authorization_id)
        conditions.add("type = %(type)s", type=self.kind and f"{PREFIX}{self.kind}.v1")
        conditions.add("reason = %(reason)s", reason=self.reason)
        conditions.add("caller = %(caller)s", caller=self.caller)
        conditions.add("metadata @> %(metadata)s::jsonb", metadata=metadata_json(self.metadata))
        conditions.between("accepted_at", self.since, self.before)
        conditions.after(_COMMAND_KEY, self.after, self.order)
        order = ordered(_COMMAND_KEY, self.order)
        statement: LiteralString = f"SELECT * FROM commands WHERE {conditions.sql} ORDER BY {order} LIMIT %(limit)s"  # noqa: S608 - all parts are constants
        return statement, conditions.values | {"limit": self.limit + 1}
