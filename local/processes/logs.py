"""Logs of failed local servers: the error shows their ends, and a copy stays in the cache."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from local.failures import StartFailed
from local.processes.cache import cache_directory

TAIL_CHARACTERS = 4_000


def failure(name: str, why: str, logs: Sequence[Path]) -> StartFailed:
    """Return an error with the ends of a server's logs. Copy the logs, because the run's directory will be removed."""
    written = [log for log in logs if log.exists() and log.stat().st_size]
    kept = cache_directory() / "failed" / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in written:
        shutil.copy(log, kept)
    tails = [f"--- {log.name}\n{log.read_text(errors='replace')[-TAIL_CHARACTERS:]}" for log in written]
    return StartFailed("\n".join([f"{name} failed: {why}.", *tails, f"The logs are in {kept}."]))
