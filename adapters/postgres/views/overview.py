"""The overview of the whole gateway, and its history by minute."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from adapters.postgres.queries import fetch_all, fetch_one
from adapters.postgres.rows import Rank
from adapters.postgres.serializers import full_caller, turned_away, unfinished_command
from adapters.postgres.turned_away import TURNED_AWAY
from adapters.postgres.views.work import ON_LIST, count_of
from schemas.api.lists import Needs
from schemas.api.reads import (
    MOST_CLAIMANTS,
    Claimant,
    MinuteCounts,
    Overview,
    PeopleWork,
    Projector,
    Rates,
)
from schemas.enums import Agreement

Row = Mapping[str, Any]
MAX_UNFINISHED = 10
_UNFINISHED = """
SELECT command_id, authorization_id, type, caller, accepted_at, shown_status, reason, advice, until
FROM commands WHERE status <> 'finished' AND {} ORDER BY accepted_at NULLS FIRST, command_id LIMIT {}
"""
_FULL = f"""
SELECT authorization_id, caller, count(*) AS rejected, max(changed_at) AS last_at FROM commands
WHERE status = 'finished' AND reason = 'too_many_commands' AND changed_at > now() - interval '10 minutes'
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {MAX_UNFINISHED}
"""  # noqa: S608 - all parts are constants
OVERVIEW = f"""
WITH unfinished AS (SELECT shown_status AS status, reason, count(*) AS n FROM commands
    WHERE status <> 'finished' GROUP BY 1, 2),
today AS (SELECT count(*) AS closed, count(*) FILTER (WHERE agreement = '{Agreement.AGREES}') AS agreed
    FROM handoffs WHERE closed_at >= date_trunc('day', now(), 'UTC')),
last_minute AS (SELECT count(*) FILTER (WHERE rank = {Rank.EVENT:d}) AS events,
    count(*) FILTER (WHERE rank = {Rank.ATTEMPT:d}) AS attempts,
    count(*) FILTER (WHERE kind = 'command.finished') AS finished FROM timeline WHERE at > now() - interval '1 minute')
SELECT
    (SELECT coalesce(json_object_agg(status, n), '{{}}')
        FROM (SELECT status, sum(n) AS n FROM unfinished GROUP BY 1) s) AS unfinished,
    (SELECT coalesce(json_object_agg(coalesce(reason, 'unknown'), n), '{{}}')
        FROM unfinished WHERE status = 'waiting') AS waiting,
    (SELECT coalesce(json_agg(o), '[]')
        FROM ({_UNFINISHED.format("shown_status <> 'dead_lettered'", MAX_UNFINISHED)}) o) AS oldest,
    (SELECT coalesce(json_agg(d), '[]')
        FROM ({_UNFINISHED.format("shown_status = 'dead_lettered'", MAX_UNFINISHED)}) d) AS dead_letters,
    (SELECT coalesce(json_agg(f), '[]') FROM ({_FULL}) f) AS full_callers,
    (SELECT count(*) FROM commands WHERE accepted_at > now() - interval '1 minute') AS accepted,
    (SELECT finished FROM last_minute) AS finished,
    (SELECT events FROM last_minute) AS events,
    (SELECT attempts FROM last_minute) AS attempts,
    (SELECT count(*) FROM authorizations a WHERE {ON_LIST[Needs.OPEN]}) AS active,
    {count_of(Needs.PERSON)} AS person,
    (SELECT min(coalesce(a.action_required_at, a.active_since)) FROM authorizations a
        WHERE {ON_LIST[Needs.PERSON]}) AS waiting_since,
    {count_of(Needs.AT_RISK)} AS at_risk,
    {count_of(Needs.OVERDUE)} AS overdue,
    {count_of(Needs.CONTRADICTED)} AS contradicted,
    (SELECT closed FROM today) AS closed_today,
    (SELECT agreed FROM today) AS agreed_today,
    (SELECT coalesce(json_agg(c), '[]') FROM (
        SELECT claimed_by AS caller, min(record->'activeHandoff'->'claim'->>'by') AS by, count(*) AS handoffs
        FROM authorizations WHERE claimed_by IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {MOST_CLAIMANTS}) c) AS claims,
    (SELECT coalesce(json_agg(t), '[]') FROM ({TURNED_AWAY}) t) AS turned_away,
    (SELECT at FROM heartbeat) AS heartbeat_at,
    (SELECT behind FROM heartbeat) AS lag
"""  # noqa: S608 - all parts are constants


async def overview(connection: AsyncConnection[Any]) -> Overview:
    """Return the overview of the whole gateway."""
    return _overview(await fetch_one(connection, OVERVIEW), None)


_HISTORY_MINUTES = 60
_HISTORY = f"""
SELECT minute, coalesce(accepted, 0) AS accepted, coalesce(finished, 0) AS finished
FROM (SELECT date_trunc('minute', now()) - n * interval '1 minute' AS minute
    FROM generate_series(0, {_HISTORY_MINUTES - 1}) n) every
LEFT JOIN minutes USING (minute) ORDER BY minute
"""  # noqa: S608 - all parts are constants


async def overview_with_history(connection: AsyncConnection[Any]) -> Overview:
    """Return the overview, and the accepted and finished commands of each minute of the last hour."""
    now = await fetch_one(connection, OVERVIEW)
    rows = await fetch_all(connection, _HISTORY)
    return _overview(
        now,
        [
            MinuteCounts(at=row["minute"].astimezone(UTC), accepted=row["accepted"], finished=row["finished"])
            for row in rows
        ],
    )


def _overview(row: Row, history: list[MinuteCounts] | None) -> Overview:
    return Overview(
        at=datetime.now(UTC),
        unfinished=row["unfinished"],
        waiting=row["waiting"],
        oldest=[unfinished_command(item) for item in row["oldest"]],
        dead_letters=[unfinished_command(item) for item in row["dead_letters"]],
        full_callers=[full_caller(item) for item in row["full_callers"]],
        last_minute=Rates(
            accepted=row["accepted"], finished=row["finished"], events=row["events"], attempts=row["attempts"]
        ),
        active_handoffs=row["active"],
        work=PeopleWork(
            person=row["person"],
            contradicted=row["contradicted"],
            waiting_since=row["waiting_since"],
            at_risk=row["at_risk"],
            overdue=row["overdue"],
            closed_today=row["closed_today"],
            agreed_today=row["agreed_today"],
            claims=[Claimant(**item) for item in row["claims"]],
            turned_away=[turned_away(item) for item in row["turned_away"]],
        ),
        history=history,
        projector=Projector(at=row["heartbeat_at"], behind=row["lag"]),
    )
