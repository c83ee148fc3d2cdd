"""The table of docs/disaster.md of every way back: `python -m bench.ways` writes its rows."""

import json
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from docs_build.markdown import table

_RESULTS: Final = Path(__file__).parents[1] / "bench/ways/results.json"
WAYS: Final = {
    "commands": "`commands`",
    "events": "`events`",
    "authorizations": "`authorizations`",
    "state": "`state`",
    "subscription": "a webhook subscription's",
    "dead-letters": "`dead-letters`",
    "kafka": "all of Kafka",
    "postgresql": "PostgreSQL",
}
"""What is lost, by the name of its way back, as the rows of the page name it."""


def part(found: dict[str, dict[str, Any]] | None = None) -> str:
    """Return the table."""
    found = json.loads(_RESULTS.read_text(encoding="utf-8")) if found is None else found
    beside = sorted({f"{run['authorizations']:,}" for run in found.values()})
    days, commits = (sorted({run[key] for run in found.values()}) for key in ("day", "commit"))
    head = f"Beside {' or '.join(beside)} authorizations ({', '.join([*days, *commits])}):\n\n" if found else ""
    return head + table(("lost", "seconds until", "a person typed"), _rows(found))


def _rows(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name, lost in WAYS.items():
        if (run := found.get(name)) is None:
            yield lost, "*not measured*", ""
            continue
        steps = sorted(run["seconds"].items(), key=itemgetter(1))
        until = "; ".join(f"{what} {seconds:.0f}" for what, seconds in steps if "gateway" not in what)
        yield lost, until, "; ".join(f"`{line}`" for line in run["typed"])
