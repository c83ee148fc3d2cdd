"""The table of docs/capacity.md of what was measured: `make bench ARGS=--table` writes its rows."""

import json
from pathlib import Path

from docs_build.markdown import table

_MEASURED = Path(__file__).parents[2] / "bench/measured.json"


def part() -> str:
    """Return the table, with its commit and machine."""
    found = json.loads(_MEASURED.read_text(encoding="utf-8"))
    rows = (
        (row["measured"], row["value"], f"`python -m bench.{row['run'].partition(' ')[0]}`") for row in found["rows"]
    )
    head = f"Commit {found['commit']}, {found['day']}: {found['machine']}."
    return f"{head}\n\n{table(('measured', 'value', 'command'), rows)}"
