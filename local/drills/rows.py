"""The rows of the read model, for a comparison before and after a drill."""

import json
from collections.abc import Collection

import psycopg
from psycopg import sql

SCHEMA = "collate_gateway"
TABLES = ("authorizations", "handoffs", "commands", "timeline")

Rows = dict[str, list[str]]


def read_rows(conninfo: str) -> Rows:
    """Return the rows of each table as sorted JSON."""
    found: Rows = {}
    with psycopg.connect(conninfo) as connection:
        for table in TABLES:
            statement = sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(SCHEMA, table))
            found[table] = sorted(json.dumps(row[0], sort_keys=True) for row in connection.execute(statement))
    return found


def missing_rows(before: Rows, after: Rows, without: Collection[str]) -> list[str]:
    """Return the rows of before that are not there after, but for those that name one of these authorizations."""
    missing = [(table, row) for table, rows in before.items() for row in sorted(set(rows) - set(after[table]))]
    return [f"{table}: {row}" for table, row in missing if not any(f'"{changed}"' in row for changed in without)]
