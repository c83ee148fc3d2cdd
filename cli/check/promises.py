"""The verb `gateway check promises`: what the topics alone can show of the promises. It changes nothing."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

import typer

from cli.check.promise_reader import find_violations
from cli.formatting import console, progress, table_of
from cli.kafka import run_with_kafka
from cli.lists.listing import parse_since
from cli.terminal import AsOneJson, print_json
from runtime.exits import Exit
from runtime.settings import load_cluster_settings
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
    with progress("reading the topics"):
        work = find_violations(settings, begin)
        found = run_with_kafka(settings.kafka, work, "gateway check promises", code=Exit.USAGE)
    rows = list(_rows(found))
    has_violations = any(row.violations for row in rows)
    not_examined = sum((one.not_examined for one in found), Counter[str]())
    if as_json:
        shown = [{"what": what, "count": count} for what, count in not_examined.items()]
        print_json({"ok": not has_violations, "since": since, "promises": rows, "notExamined": shown}, indent=2)
    else:
        cells = [
            (row.promise, str(row.examined), str(row.violations), "\n".join(map(_sentence, row.first))) for row in rows
        ]
        columns = ("promise", "examined", "violations", "first violations")
        console().print(table_of(columns, cells))
        for what, count in not_examined.items():
            typer.echo(f"not examined: {count} {what}")
    raise typer.Exit(Exit.FAILED if has_violations else Exit.OK)


@dataclass(frozen=True, slots=True)
class _Row:
    promise: str
    examined: int
    violations: int
    first: list[Violation]


def _rows(found: Sequence[PartitionFindings]) -> Iterator[_Row]:
    for promise in PROMISES:
        count = sum(times for one in found for rule, times in one.found.items() if rule.promise == promise)
        violations = (violation for one in found for violation in one.violations if violation.rule.promise == promise)
        yield _Row(promise, sum(one.examined[promise] for one in found), count, list(islice(violations, _SHOWN)))


def _sentence(one: Violation) -> str:
    place = f"{one.topic} {one.partition} at {one.offset}"
    return f"{one.rule}: {one.authorization or 'the partition'}, {place}" + (f" ({one.detail})" if one.detail else "")
