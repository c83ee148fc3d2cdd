"""The work list: which authorizations need a person, in which order, and how many they are.

A list and its number have one condition, `ON_LIST`.

A page starts after the sort key of the last row of the page before. A key does not change while its row stays in the
list, except that an authorization may start to wait again, get another due date, or begin to end within the hour. So no
row is lost or repeated because other rows were written between two pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from adapters.postgres.filters import Conditions, label_json, ordered
from adapters.postgres.queries import NEWEST_METADATA, OF_HANDOFF, fetch_page
from adapters.postgres.rows import NOT_DUE
from adapters.postgres.serializers import work_item
from schemas.api.lists import AuthorizationList, Needs
from schemas.api.queries import AuthorizationsQuery, WorkOrder
from schemas.api.reads import MOST_COUNTED

UNCLAIMED = "none"
"""The value of `claimed_by` for an unclaimed handoff. The name of a person has a colon."""
_SINCE: LiteralString = "coalesce(a.action_required_at, a.active_since)"
_TIMES: Mapping[Needs, LiteralString] = {
    Needs.PERSON: _SINCE,
    Needs.HANDOFF: "a.handoff_required_at",
    Needs.OPEN: "a.active_since",
    Needs.AT_RISK: "a.active_since",
    Needs.OVERDUE: _SINCE,
    Needs.CONTRADICTED: "a.contradicted_at",
}
ON_LIST: Mapping[Needs, LiteralString] = {
    Needs.PERSON: f"{_SINCE} IS NOT NULL",
    Needs.HANDOFF: "a.handoff_required_at IS NOT NULL",
    Needs.OPEN: "a.active_handoff_id IS NOT NULL",
    Needs.AT_RISK: "(a.authorization_id, a.active_handoff_id) IN "
    "(SELECT authorization_id, handoff_id FROM handoffs WHERE risk IS NOT NULL)",
    Needs.OVERDUE: f"{_SINCE} IS NOT NULL AND a.due_at <= now()",
    Needs.CONTRADICTED: "a.contradicted_at IS NOT NULL",
}
"""The condition of each list on the row `a` of authorizations."""

KEYS: Mapping[WorkOrder, Mapping[str, type]] = {
    "urgent": {"ends_at": datetime, "due_at": datetime, "since": datetime, "authorization_id": str},
    "due": {"due_at": datetime, "since": datetime, "authorization_id": str},
    "wait": {"since": datetime, "authorization_id": str},
    "payer": {"payer": str, "due_at": datetime, "since": datetime, "authorization_id": str},
}
"""The columns of the sort key of each order, with their types in a cursor."""
_COLUMNS: Mapping[str, LiteralString] = {
    "ends_at": "e.ends_at",
    "due_at": "a.due_at",
    "payer": "coalesce(a.payer_id, '')",
    "authorization_id": "a.authorization_id",
}
# Few open handoffs end within the hour, so these are sorted. The others follow in the order of an index.
_ENDING: LiteralString = """
SELECT authorization_id, handoff_id, risk_ends_at AS ends_at FROM handoffs
WHERE risk IS NOT NULL AND risk_ends_at < now() + interval '1 hour'
"""
_THAT_END: LiteralString = (
    " JOIN ending e ON e.authorization_id = a.authorization_id AND e.handoff_id = a.active_handoff_id"
)
_THAT_DO_NOT: LiteralString = (
    "(a.authorization_id, coalesce(a.active_handoff_id, '')) NOT IN (SELECT authorization_id, handoff_id FROM ending)"
)


def count_of(needs: Needs) -> str:
    """Return the SQL that counts a list, up to MOST_COUNTED."""
    return f"(SELECT count(*) FROM (SELECT 1 FROM authorizations a WHERE {ON_LIST[needs]} LIMIT {MOST_COUNTED}) n)"  # noqa: S608 - all parts are constants


@dataclass(frozen=True, slots=True)
class AuthorizationPage:
    """A page of the work list; `after` is the sort key from a cursor.

    `caller` and `metadata` are those of one command of the authorization (adapters/postgres/labels.py).
    """

    query: AuthorizationsQuery
    after: tuple[Any, ...] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> AuthorizationList:
        """Return the page."""
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, KEYS[self.query.order])
        return AuthorizationList(authorizations=[work_item(row) for row in rows], next=following)

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        order, after, values = self.query.order, self.after, {"not_due": NOT_DUE}
        if order != "urgent":
            page = self._rows(values, order, after)
        elif after is not None and after[0] == NOT_DUE:
            page = self._rows(values, "due", after[1:], _THAT_DO_NOT)
        else:
            ending, others = self._rows(values, order, after), self._rows(values, "due", None, _THAT_DO_NOT)
            page = f"({ending}) UNION ALL ({others})"
        return (
            f"""
            WITH ending AS MATERIALIZED ({_ENDING}), page AS ({page})
            SELECT a.*, {OF_HANDOFF}, m.metadata AS newest_metadata
            FROM (SELECT * FROM page ORDER BY {ordered(tuple(KEYS[order]))} LIMIT %(limit)s) a LEFT JOIN handoffs h
                ON h.authorization_id = a.authorization_id AND h.handoff_id = a.active_handoff_id
            LEFT JOIN LATERAL {NEWEST_METADATA} m ON true
            ORDER BY {ordered(tuple(KEYS[order]))}
            """,  # noqa: S608 - all parts are constants
            values,
        )

    def _rows(
        self, values: dict[str, Any], order: WorkOrder, after: tuple[Any, ...] | None, which: LiteralString = "true"
    ) -> LiteralString:
        """Return the statement of the first rows after a key, and add its parameters to `values`."""
        query, since, conditions = self.query, _TIMES[self.query.needs], Conditions()
        key = tuple(since if column == "since" else _COLUMNS[column] for column in KEYS[order])
        conditions.add(ON_LIST[query.needs])
        conditions.add(which)
        conditions.add("coalesce(a.payer_id, '') = %(payer_id)s", payer_id=query.payer)
        if query.claimed_by == UNCLAIMED:
            conditions.add("a.claimed_by IS NULL")
        else:
            conditions.add("a.claimed_by = %(claimed_by)s", claimed_by=query.claimed_by)
        conditions.between(since, query.since, query.before)
        conditions.add("a.command_labels @> %(label)s::jsonb", label=label_json(query.caller, query.metadata))
        conditions.after(key, after)
        values |= conditions.values
        ends_at, those = ("e.ends_at", _THAT_END) if order == "urgent" else ("%(not_due)s::timestamptz AS ends_at", "")
        return f"""
            SELECT a.authorization_id, a.record::text AS record_text, {since} AS since, a.active_handoff_id,
                a.active_since, a.due_at, coalesce(a.payer_id, '') AS payer, {ends_at}
            FROM authorizations a{those} WHERE {conditions.sql} ORDER BY {ordered(key)} LIMIT %(limit)s
            """  # noqa: S608 - all parts are constants
