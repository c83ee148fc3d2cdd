"""Labels: the callers and the metadata of an authorization's commands. The work list is filtered by them.

A label has the caller and the metadata of one command: `{"caller": "intake", "metadata": {"case": "c-7"}}`. So a label
that contains a caller and pairs means that one command has all of them. An authorization that may be on the work list
has the labels of its LABELLED_COMMANDS newest commands, each once; any other has none.

Labels are a function of the tables. So they may be written late, twice, or not at all by another version: the projector
repairs them at its start and with each sweep.
"""

from collections.abc import Collection
from typing import Any, LiteralString

from psycopg import AsyncConnection

from schemas.api.queries import LABELLED_COMMANDS

_WRITE: LiteralString = f"""
UPDATE authorizations a SET command_labels = n.labels
FROM (
    SELECT w.authorization_id, CASE WHEN w.is_listed THEN coalesce((
        SELECT jsonb_agg(DISTINCT jsonb_build_object('caller', c.caller, 'metadata', coalesce(c.metadata, '{{}}')))
        FROM (
            SELECT caller, metadata FROM commands WHERE authorization_id = w.authorization_id
            ORDER BY accepted_at DESC, command_id DESC LIMIT {LABELLED_COMMANDS}
        ) c
    ), '[]') END AS labels
    FROM (
        SELECT authorization_id, command_labels,
            coalesce(action_required_at, active_since, contradicted_at) IS NOT NULL AS is_listed
        FROM authorizations WHERE authorization_id = ANY (%(ids)s)
    ) w
    WHERE w.is_listed OR w.command_labels IS NOT NULL
) n
WHERE a.authorization_id = n.authorization_id AND a.command_labels IS DISTINCT FROM n.labels
"""  # noqa: S608 - all parts are constants
_LISTED: LiteralString = """
SELECT authorization_id FROM authorizations WHERE coalesce(action_required_at, active_since) IS NOT NULL
UNION SELECT authorization_id FROM authorizations WHERE contradicted_at IS NOT NULL
"""


async def write_labels(connection: AsyncConnection[Any], authorizations: Collection[str]) -> int:
    """Write the labels of these authorizations where they differ; return the number of changed rows."""
    if not authorizations:
        return 0
    done = await connection.execute(_WRITE, {"ids": list(authorizations)})
    return done.rowcount


async def listed(connection: AsyncConnection[Any]) -> list[str]:
    """Return the ids of all authorizations that may be on the work list."""
    rows = await connection.execute(_LISTED)
    return [authorization_id async for (authorization_id,) in rows]
