"""`gateway support-bundle`: what a person who helps with an installation needs to know, as one JSON document.

It has no secret, no PHI, no authorization id and no name of a person. A log line is cut to the fields in `_SHOWN`.
"""

import json
import platform
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from cli.check.check import results_of
from cli.check.check_results import CheckResult
from cli.check.process import admin_url
from cli.config import load_any, shown_settings
from cli.terminal import print_json
from cli.top.processes import read_process
from runtime.environ import Section
from runtime.settings import AdminSettings, value_at
from runtime.version import VERSION

MOST_ERRORS: Final = 200
_PACKAGES: Final = ("aiokafka", "cryptography", "httpx", "joserfc", "psycopg", "pydantic", "starlette", "uvicorn")
_LEVELS: Final = frozenset({"warning", "error", "critical"})
# Fields whose values the gateway itself writes: words, numbers, names of settings, files and topics, tracebacks without
# values. Names of callers and staff, ids and free text are left out.
_SHOWN: Final = frozenset(
    {
        *("time", "level", "event", "process", "traceback", "problem", "problems", "detail", "reason", "cause", "code"),
        *("status", "operation", "result", "route", "topic", "partition", "partitions", "position", "offset"),
        *("seconds", "ms", "tries", "writes", "file", "keys", "exit_code"),
    }
)


def support_bundle(
    process: Annotated[
        Literal["ingress", "worker", "projector", "deliverer", "console"],
        typer.Option("--for", help="The process whose settings, checks and state are shown."),
    ],
    *,
    log: Annotated[
        Path | None, typer.Option("--log", help="A file with the process's log lines (JSON).", exists=True)
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Make no network call.")] = False,
) -> None:
    """Print versions, settings, checks, the process's state and its last errors as JSON.

    Run it where the process runs. It holds no secret, no PHI, no id of an
    authorization and no name of a person; it has names of hosts and topics.

      gateway support-bundle --for worker --log worker.log > bundle.json
    """
    settings = load_any(process)
    print_json(
        {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "gateway": VERSION,
                "python": platform.python_version(),
                "system": platform.platform(),
                **{name: _version(name) for name in _PACKAGES},
            },
            "settings": shown_settings(settings),
            "check": [_shown(result) for result in results_of(process, offline=offline)],
            "process": None if offline else _state(settings),
            "errors": [] if log is None else last_errors(log),
        },
        indent=2,
    )


def last_errors(log: Path) -> list[dict[str, object]]:
    """Return the last warnings and errors of a log, cut to the fields that may be shown."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        return list(deque(_errors(lines), MOST_ERRORS))


def _errors(lines: Iterable[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        try:
            fields: dict[str, object] = json.loads(line)
            is_shown = fields.get("level") in _LEVELS
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue  # a line of another program: it may hold anything
        if is_shown:
            yield {name: value for name, value in fields.items() if name in _SHOWN}


def _state(settings: Section) -> object:
    admin = value_at(settings, ("admin",))
    return read_process(admin_url(admin)) if isinstance(admin, AdminSettings) else None


def _shown(result: CheckResult) -> dict[str, str]:
    return {"check": result.subject, "state": result.state.lower(), "detail": result.detail}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
