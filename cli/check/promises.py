"""The verb `gateway check promises`: what the topics alone can show of the promises. It changes nothing."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Final, TypedDict

import typer

from cli.formatting import console, table_of
from cli.lists.listing import parse_since
from cli.terminal import AsOneJson, print_json, run_with_kafka
from runtime.exits import Exit
from runtime.settings import ClusterSettings, load_cluster_settings
from schemas.promises.violations import PROMISES, PartitionFindings, Violation
from schemas.times import parse_time

_SHOWN: Final = 3


def promises(
    *,
    since: Annotated[str, typer.Option("--since", help="First time: 2h, 3d, or an RFC 3339 time.")] = "2h",
    as_json: AsOneJson = False,
) -> None:
    """Check what the topics show of the promises 3, 4, 5, 7 and 9. Changes nothing.

    It reads the five topics with the Kafka settings of this process: committed
    records only, without the keys of the PHI, and nothing from Collate.
    docs/operations.md says what each violation means. Exit codes:

      0   no violation; what was not examined is named
      1   at least one violation
      2   could not look: Kafka is unreachable, or a permission is missing
    """
    settings, begin = load_cluster_settings(os.environ), parse_time(parse_since(since))
    found = run_with_kafka(settings.kafka, _read(settings, begin), "gateway check promises", code=Exit.USAGE)
    rows = list(_rows(found))
    has_violations = any(row["violations"] for row in rows)
    not_examined = sum((one.not_examined for one in found), Counter[str]())
    if as_json:
        shown = [{"what": what, "count": count} for what, count in not_examined.items()]
        print_json({"ok": not has_violations, "since": since, "promises": rows, "notExamined": shown}, indent=2)
    else:
        columns = ("promise", "examined", "violations", "first violations")
        console().print(table_of(columns, [_cells(row) for row in rows]))
        for what, count in not_examined.items():
            typer.echo(f"not examined: {count} {what}")
    raise typer.Exit(Exit.FAILED if has_violations else Exit.OK)


async def _read(settings: ClusterSettings, since: datetime) -> list[PartitionFindings]:
    from cli.check.promise_reader import find_violations  # noqa: PLC0415 - imported by the verb that needs it

    return await find_violations(settings, since)


class _Place(TypedDict):
    rule: str
    authorizationId: str | None
    topic: str
    partition: int
    offset: int
    detail: str


class _Row(TypedDict):
    promise: str
    examined: int
    violations: int
    first: list[_Place]


def _rows(found: Sequence[PartitionFindings]) -> Iterator[_Row]:
    for promise in PROMISES:
        count = sum(times for one in found for rule, times in one.found.items() if rule.promise == promise)
        examined = sum(one.examined[promise] for one in found)
        places = (
            _place(violation, number)
            for number, one in enumerate(found)
            for violation in one.violations
            if violation.rule.promise == promise
        )
        yield {"promise": promise, "examined": examined, "violations": count, "first": list(islice(places, _SHOWN))}


def _place(violation: Violation, partition: int) -> _Place:
    return {
        "rule": violation.rule.value,
        "authorizationId": violation.authorization_id or None,
        "topic": violation.topic,
        "partition": partition,
        "offset": violation.offset,
        "detail": violation.detail,
    }


def _cells(row: _Row) -> tuple[str, str, str, str]:
    first = "\n".join(
        f"{one['rule']}: {one['authorizationId'] or 'partition'}, {one['topic']} {one['partition']} at {one['offset']}"
        + (f" ({one['detail']})" if one["detail"] else "")
        for one in row["first"]
    )
    return row["promise"], str(row["examined"]), str(row["violations"]), first
