"""The table of docs/capacity.md: its rows are measured on one commit and one machine, and compared later.

`bench/measured.json` has the rows; `make docs` writes the page from it.
"""

import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.harness import ROWS

# The benchmarks of the table, and those of the comparison, with their options.
TABLE: Final = (
    ("ingress", "--seconds 1.5"),
    ("chain", "--steady 200 --seconds 8 --warm-up 15 --first --rates --commands"),
    ("chain", "--steady 200 --seconds 8 --warm-up 15 --first --rates --commands --brokers 3 --repetitions 1"),
    (
        "chain",
        "--steady --warm-up 30 --rates 300 350 400 450 500 550 600 650 --repetitions 1",
    ),
    ("deliverer", ""),
    ("projector", "--seconds 8 --repetitions 2"),
    ("watcher", "--seconds 8 --idle 30 --repetitions 1"),
)
COMPARED: Final = (
    ("ingress", "--seconds 1.5 --rounds 3 --connections 64"),
    ("chain", "--steady 200 --seconds 8 --warm-up 15 --first --rates --commands"),
)
MEASURED: Final = Path(__file__).with_name("measured.json")
MOST_WORSE: Final = 1.15


def machine() -> str:
    """Return the label of a kind of machine: numbers of equal labels can be compared."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    # How an interpreter was built changes its speed by a quarter; the path shows which build it is.
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()} of {sys.base_prefix}"


def rows_of(name: str, options: str) -> list[dict[str, Any]]:
    """Run a benchmark; return its rows of the table. Raises CalledProcessError if it failed."""
    with tempfile.NamedTemporaryFile("r") as rows:
        command = [sys.executable, "-m", f"bench.{name}", *options.split()]
        subprocess.run(command, check=True, env=os.environ | {ROWS: rows.name})
        return [json.loads(line) | {"run": f"{name} {options}".strip()} for line in rows]


def measure(names: Sequence[str]) -> int:
    """Measure the rows of these benchmarks, or all, on this commit. Rows of another commit or machine go."""
    if subprocess.check_output(["git", "status", "--porcelain", ".", f":(exclude){MEASURED}"]):
        sys.exit("commit first: the table names the commit that it measures")
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    whole: dict[str, Any] = {"commit": commit, "machine": machine(), "day": f"{datetime.now(UTC):%Y-%m-%d}", "rows": []}
    known = json.loads(MEASURED.read_text())
    if known.keys() == whole.keys() and all(known[key] == whole[key] for key in ("commit", "machine")):
        whole = known
    for name, options in [run for run in TABLE if not names or run[0] in names]:
        found = rows_of(name, options)
        kept = [row for row in whole["rows"] if row["measured"] not in {new["measured"] for new in found}]
        whole["rows"] = kept + found
        MEASURED.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return 0


def compare() -> int:
    """Compare processor time with the table; return 1 if a row is more than 15 % worse, or a benchmark has no row."""
    known, here, worst = json.loads(MEASURED.read_text()), machine(), 0.0
    if known["machine"] != here:
        print(f"not comparable: the table is of {known['machine']}; this is {here}")
        return 0
    costs = {row["measured"]: row["cost"] for row in known["rows"] if row["cost"]}
    for name, options in COMPARED:
        found = [row for row in rows_of(name, options) if row["measured"] in costs]
        if not found:
            print(f"{name}: the table has no row of it; `make bench ARGS=--table` measures one")
            worst = math.inf
        for row in found:
            before = costs[row["measured"]]
            worst = max(worst, ratio := row["cost"] / before)
            print(f"{row['measured']}: {row['cost']:.2f}, in the table {before:.2f}: {ratio:.2f} ×")
    print(f"{'worse' if worst > MOST_WORSE else 'as good'} (commit {known['commit']}, bound {MOST_WORSE} ×)")
    return int(worst > MOST_WORSE)
