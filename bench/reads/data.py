"""The rows for `bench.reads`: a month of a busy gateway, with most of it in the last days.

Rows are written in the order of their times, as the projector writes them. One of `every` authorizations needs a
person; a quarter as many have an open handoff, and half as many are contradicted. One of 20 handoffs was lost. One of
20 times `every` commands waits, for one of ten reasons. There are `every` payers, two fifths as many people and teams,
and a fifth as many reasons of rejections. With `every` = 50, no authorization with a command of the team `archive`, a
fifth of them, needs a person.
"""

import time
from types import MappingProxyType
from typing import Final, LiteralString

import psycopg

from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.rows import NOT_DUE
from adapters.postgres.store import Store
from bench.harness import console
from runtime.settings import ReadModelSettings

CALLERS = ("scheduling", "intake", "portal", "desk", "reporting", "people:jo.miller")
COMMANDS: Final = 3
EVERY: Final = 50
# The n-th of many rows: the density grows towards now.
_TIME: LiteralString = "now() - interval '30 days' * power(1 - n::float8 / {}, 2)"
_AT: LiteralString = _TIME.format("%(authorizations)s")
_COMMAND_AT: LiteralString = _TIME.format(f"(%(authorizations)s * {COMMANDS})")
_ISO: LiteralString = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
# A number of an authorization that jumps, so that neighbours in time are not neighbours in the index.
_CHANCE: LiteralString = "(hashint8(n) & 1048575)"
_OTHER_CHANCE: LiteralString = "(hashint8(n + 7000000000) & 1048575)"
_TEAMS: LiteralString = "(2 * %(every)s / 5)"
# Someone of all people, for grants and reports.
_PERSON: LiteralString = f"'person-' || {_OTHER_CHANCE} %% {_TEAMS}"
# Every fifth open handoff is in hand, so each person has five.
_HOLDER: LiteralString = (
    f"CASE WHEN n %% (20 * %(every)s) = 4 * %(every)s THEN 'person-' || n / (20 * %(every)s) %% {_TEAMS} END"
)
_AUTHORIZATION: LiteralString = "'auth_' || (n::bigint * 7919 %% %(authorizations)s)"

STATEMENTS: MappingProxyType[str, LiteralString] = MappingProxyType(
    {
        "authorizations": f"""
INSERT INTO authorizations (authorization_id, sequence, status, settled, active_handoff_id, active_since, updated_at,
    record, payer_id, action_required_at, handoff_required_at, due_at, claimed_by)
SELECT {_AUTHORIZATION}, 9, status, status = 'completed',
    CASE WHEN n %% (4 * %(every)s) = 0 THEN 'mhand_' || n END, CASE WHEN n %% (4 * %(every)s) = 0 THEN at END, at,
    jsonb_strip_nulls(jsonb_build_object(
        'sequence', 9, 'version', 27, 'status', status, 'receiptSeen', true, 'decisionSeen', false,
        'payerId', 'payer_' || {_CHANCE} %% %(every)s,
        'nextAction', CASE WHEN n %% %(every)s = 0 THEN 'complete_payer_interaction' END,
        'resolution', CASE WHEN n %% %(every)s = 0 THEN 'manual_handoff' END,
        'coversReviewSnapshotId', CASE WHEN n %% (2 * %(every)s) = 0 THEN 'rev_' || n END,
        'actionRequiredAt', CASE WHEN n %% %(every)s = 0 THEN {_ISO.format("at")} END,
        'activeHandoff', CASE WHEN n %% (4 * %(every)s) = 0 THEN jsonb_build_object(
            'id', 'mhand_' || n, 'state', 'active', 'accessAvailable', true, 'finalSubmitCapable', true,
            'openedAt', {_ISO.format("at")}, 'requestedBy', 'jo.miller', 'claim', CASE WHEN {_HOLDER} IS NOT NULL THEN
                jsonb_build_object('by', {_HOLDER}, 'caller', 'people:' || {_HOLDER}, 'since', {_ISO.format("at")})
            END) END,
        'lastHandoff', CASE WHEN n %% (2 * %(every)s) = 1 THEN jsonb_build_object(
            'id', 'mhand_' || n, 'result', 'completed_reported', 'by', 'us', 'reported', 'submitted',
            'reportedBy', {_PERSON}, 'closedAt', {_ISO.format("at")}, 'agreement', 'contradicts') END,
        'watchedSince', {_ISO.format("at")}, 'updatedAt', {_ISO.format("at")})),
    'payer_' || {_CHANCE} %% %(every)s, CASE WHEN n %% %(every)s = 0 THEN at END,
    CASE WHEN n %% %(every)s = 0 AND n %% (4 * %(every)s) <> 0 THEN at END,
    CASE WHEN n %% 3 = 0 AND status <> 'completed' THEN at + interval '10 days' ELSE '{NOT_DUE.isoformat()}' END,
    'people:' || {_HOLDER}
FROM (SELECT n, {_AT} AS at,
    CASE WHEN n %% %(every)s = 0 THEN 'requires_action' WHEN n %% 3 = 0 THEN 'waiting_on_payer'
        ELSE 'completed' END AS status
    FROM generate_series(1, %(authorizations)s) n) one
""",
        "commands": f"""
INSERT INTO commands (command_id, authorization_id, type, caller, accepted_at, partition, position, expires_at,
    metadata, asked_redrive, sequence, status, redrive, outcome, effect, reason, advice, handoff_id, version, until,
    changed_at)
SELECT gen_random_uuid()::text, {_AUTHORIZATION},
    'collate-gateway.' || CASE WHEN n %% 10000 = 5 THEN 'authorization.watch.v1' ELSE 'handoff.request.v1' END,
    CASE WHEN n %% (%(authorizations)s / 10) = 7 THEN 'rare'
        ELSE ('{{{",".join(CALLERS)}}}'::text[])[1 + {_CHANCE} %% 6] END,
    at, n %% 12, n, at + interval '1 hour',
    jsonb_build_object('case', 'case-' || (n::bigint * 7919 %% %(authorizations)s),
        'team', CASE WHEN n %% 50 BETWEEN 10 AND 19 THEN 'archive' ELSE 'team-' || {_OTHER_CHANCE} %% {_TEAMS} END),
    0, 3, status, 0, CASE WHEN status = 'finished' THEN CASE WHEN n %% 20 = 0 THEN 'rejected' ELSE 'applied' END END,
    'ours', CASE WHEN status <> 'finished' THEN 'reason_' || {_OTHER_CHANCE} / 32 %% 10
        WHEN n %% 20 = 0 THEN 'reason_' || {_OTHER_CHANCE} / 32 %% (%(every)s / 5) END,
    CASE WHEN n %% 20 = 0 THEN 'Read the authorization, then decide whether to send the command again.' END,
    'mhand_' || n, 27, NULL, at + interval '1 second'
FROM (SELECT n, {_COMMAND_AT} AS at, CASE WHEN n %% (20 * %(every)s) = 1 THEN 'waiting'
    WHEN n %% (40 * %(every)s) = 2 THEN 'dead_lettered'
    WHEN n %% (40 * %(every)s) = 3 THEN 'accepted' ELSE 'finished' END AS status
    FROM generate_series(1, %(authorizations)s * {COMMANDS}) n) one
""",
        "handoffs": f"""
INSERT INTO handoffs (authorization_id, handoff_id, sequence, state, opened_at, access_available, final_submit_capable,
    grants, operator, grant_expires_at, risk, closed_at, result, closed_by, reported, agreement, metadata)
SELECT {_AUTHORIZATION}, 'mhand_' || n, 8, CASE WHEN n %% (4 * %(every)s) = 0 THEN 'active' ELSE 'reconciled' END,
    at - interval '20 minutes', true, true, 1, {_PERSON}, at,
    CASE WHEN n %% (20 * %(every)s) = 4 * %(every)s THEN 'open_too_long' END,
    CASE WHEN n %% (4 * %(every)s) <> 0 THEN at END,
    CASE WHEN n %% (4 * %(every)s) <> 0 THEN 'completed_reported' END,
    CASE WHEN n %% 20 = 7 THEN 'loss' ELSE 'us' END, 'submitted', 'agrees',
    jsonb_build_object('case', 'case-' || (n::bigint * 7919 %% %(authorizations)s))
FROM (SELECT n, {_AT} AS at FROM generate_series(1, %(authorizations)s) n) one
""",
        "timeline": f"""
INSERT INTO timeline (authorization_id, at, rank, ordinal, kind, command_id, data)
SELECT {_AUTHORIZATION}, at, 2, step,
    ('{{command.finished,handoff.opened,handoff.access_granted,handoff.closed}}'::text[])[step], NULL,
    jsonb_build_object('handoffId', 'mhand_' || n, 'caller', 'people:jo.miller', 'requestedBy', 'jo.miller',
        'outcome', 'applied', 'expiresAt', {_ISO.format("at")}, 'accessAvailable', true)
FROM (SELECT n, step, {_AT} + step * interval '1 second' AS at
    FROM generate_series(1, %(authorizations)s) n, generate_series(1, 4) step) one
""",
    }
)

# What the migration cannot know, and the projector writes from then on.
AFTERWARDS: tuple[LiteralString, ...] = (
    "UPDATE authorizations SET contradicted_at = updated_at WHERE record->'lastHandoff'->>'agreement' = 'contradicts'",
    "INSERT INTO minutes SELECT date_trunc('minute', accepted_at), count(*), count(*) FROM commands GROUP BY 1",
)

# The sizes of the largest tables.
SIZES: LiteralString = (
    "SELECT relname, pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)) FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    " ORDER BY pg_total_relation_size(oid) DESC LIMIT 4"
)


async def fill(conninfo: str, settings: ReadModelSettings, authorizations: int) -> None:
    """Make the tables, write the rows and the labels, and let PostgreSQL count them, as autovacuum does."""
    migrate(settings)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {settings.schema_name}")
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            count = connection.execute(statement, {"authorizations": authorizations, "every": EVERY}).rowcount
            console.print(f"{name}: {count:,} rows in {time.perf_counter() - began:.0f} s")
        connection.execute("VACUUM ANALYZE")
        for afterwards in AFTERWARDS:
            connection.execute(afterwards)
        async with connected(settings, settings.schema_name, "check database", statement_seconds=60.0) as own:
            for what in ("written", "compared"):
                began = time.perf_counter()
                rows = await Store(own).repair_labels()
                console.print(f"labels {what} in {time.perf_counter() - began:.1f} s, {rows:,} rows changed")
        connection.execute("VACUUM ANALYZE")
        for name, table, indexes in connection.execute(SIZES):
            console.print(f"{name}: {table}, indexes {indexes}")
