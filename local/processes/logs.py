"""Logs of local servers: their ends are shown, and they are kept, when a server fails; else they go with its run."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from local.failures import StartFailed
from local.processes.cache import cache_directory

TAIL_CHARACTERS = 4_000


def failure(name: str, why: str, logs: Sequence[Path]) -> StartFailed:
    """Describe what happened to a server with the ends of its logs, and keep the logs: its run's directory goes."""
    written = [log for log in logs if log.exists() and log.stat().st_size]
    kept = cache_directory() / "failed" / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in written:
        shutil.copy(log, kept)
    tails = [f"--- {log.name}\n{log.read_text(errors='replace')[-TAIL_CHARACTERS:]}" for log in written]
    return StartFailed("\n".join([f"{name} failed: {why}.", *tails, f"Its logs are kept in {kept}."]))
