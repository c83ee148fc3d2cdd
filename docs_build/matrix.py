"""The versions that README and docs/support.md claim: those that CI, `tests.matrix` and `tests.parts` ran."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from docs_build.markdown import table
from local.kafka.jars import read_lock

_TESTS: Final = Path(__file__).parents[1] / "tests"
_WHAT: Final = {
    "all": "all tests, `make chaos`",
    "unit": "`tests/unit`",
    "kills": "kills",
    "story": "story",
    "image": "`tests/system/image`",
    "read model": "`tests/system/readmodel`",
}

Run = dict[str, Any]


def parts() -> list[Run]:
    """Return the newest run of each part of another maker."""
    return _read("parts")


def runs() -> list[Run]:
    """Return what CI runs, and the newest run of each cell."""
    kafka = next(jar.version for jar in read_lock() if jar.artifact == "kafka_2.13")
    versions = {"python": ["3.11"], "kafka": kafka, "java": "25", "postgres": "18"}
    of_ci = versions | {"cell": "CI", "checks": ["all"], "red": [], "date": "each commit", "commit": ""}
    return [of_ci, *_read("matrix")]


def claims(found: Sequence[Run]) -> str:
    """Return README's table: versions with a green run."""
    python = _green(found, "python", "story")
    kafka = _green(found, "kafka", "story")
    postgres = _green(found, "postgres", "read model", parts=1)
    return table(
        ("", "versions that [ran](docs/support.md#versions)"),
        (
            ("Python", python),
            ("Apache Kafka", f"{kafka}, with KRaft; three brokers in production"),
            ("PostgreSQL (optional, for status and timelines)", postgres),
            ("Kubernetes and Helm (optional)", "1.34, the chart by its schemas from 1.30; Helm 3"),
        ),
    )


def rows(found: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of docs/support.md: the run, the versions, what ran, the result, the day and the commit."""
    for run in found:
        what = " and ".join(_WHAT[check] for check in run["checks"])
        kafka = f"{run['kafka']} on Java {run['java']}"
        when = f"{run['date']}, `{run['commit']}`" if run["commit"] else run["date"]
        yield run["cell"], " beside ".join(run["python"]), kafka, run["postgres"], what, _result(run), when


def part_rows(found: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each part: its name and version, what ran, the result and the day."""
    for run in found:
        yield run["part"], run["version"], run["drove"], _result(run), str(run["date"])


def _read(which: str) -> list[Run]:
    return list(tomllib.loads((_TESTS / which / "results.toml").read_text(encoding="utf-8"))["run"])


def _result(run: Run) -> str:
    return f"**red**: {'; '.join(run['red'])}" if run["red"] else "green"


def _green(found: Sequence[Run], part: str, check: str, parts: int = 2) -> str:
    """Return the versions of a part that ran a check, shortened to so many numbers."""
    green = [run for run in found if {check, "all"} & {*run["checks"]} and not run["red"]]
    versions = [version for run in green for version in (run[part] if part == "python" else [run[part]])]
    short = {".".join(version.split(".")[:parts]) for version in versions}
    return ", ".join(sorted(short, key=_numbers)) or "none"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
