"""Logs of failed local servers: the error shows their ends, and a copy stays in the cache."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from local.failures import StartFailed
from local.processes.cache import cache_directory

TAIL_CHARACTERS = 4_000
LINE_CHARACTERS = 300
# The worst first. A line of a traceback or of `Caused by:` gives the error of a Python or Java program.
SEVERITIES = tuple(
    re.compile(pattern)
    for pattern in (
        # Kafka logs a slow step as an ERROR too, and the reason of its end with these words.
        r"^(?!.*\b(?:INFO|DEBUG)\b).*(?:\b(?:[Ff]atal|FATAL|PANIC|CRITICAL)\b|Shutting down because)",
        r"\"level\": ?\"critical\"",
        r"\bERROR\b|\"level\": ?\"error\"",
        r"^(?:Caused by: )?[\w.]+(?:Error|Exception)\b",
        r"\bWARN(?:ING)?\b|\"level\": ?\"warning\"",
    )
)


def worst_line(lines: Sequence[str]) -> str:
    """Return the first line of the highest severity; the last line if no line has a severity. Pure."""
    written = [line.strip() for line in lines if line.strip()]
    for severity in SEVERITIES:
        if found := next((line for line in written if severity.search(line)), None):
            return found[:LINE_CHARACTERS]
    return written[-1][:LINE_CHARACTERS] if written else ""


def failure(name: str, why: str, logs: Sequence[Path]) -> StartFailed:
    """Return an error with the worst line and the ends of a server's logs.

    Copy the logs, because the run's directory will be removed.
    """
    written = [log for log in logs if log.exists() and log.stat().st_size]
    kept = cache_directory() / "failed" / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in written:
        shutil.copy(log, kept)
    texts = {log.name: log.read_text(errors="replace") for log in written}
    worst = worst_line([line for text in texts.values() for line in text.splitlines()])
    tails = [f"--- {log}\n{text[-TAIL_CHARACTERS:]}" for log, text in texts.items()]
    first = [f"{name} failed: {worst}", f"{name}: {why}."] if worst else [f"{name} failed: {why}."]
    return StartFailed("\n".join([*first, *tails, f"The logs are in {kept}."]))
