"""Run the gateway beside parts of other makers: `python -m tests.parts`, or some: `python -m tests.parts pgbouncer`.

A part takes 5 minutes at most, and writes its row of results.toml. Its configuration is the block of docs/deploy.md,
docs/operations.md or docs/subscribing.md.
"""

import argparse
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tomli_w

from local.failures import StartFailed
from tests.parts import alertmanager, haproxy, keycloak, pgbouncer, readers
from tests.parts.keycloak_server import DISTRIBUTION

RESULTS = Path(__file__).with_name("results.toml")
MISSING = 69


@dataclass(frozen=True, slots=True)
class Part:
    """A program, how to install it, how it shows its version, and what the run does with it."""

    install: str
    version: tuple[str, ...]
    drove: str
    play: Callable[[], list[str]]


PARTS = {
    "HAProxy": Part(
        "apt-get install haproxy",
        ("haproxy", "-v"),
        "console; 65 s of idle event stream; `Prefer: wait=30`; 100 slow clients; load while ingresses stop and die",
        haproxy.play,
    ),
    "PgBouncer": Part(
        "apt-get install pgbouncer",
        ("pgbouncer", "--version"),
        "session mode: `tests/system/readmodel`",
        pgbouncer.play,
    ),
    "Keycloak": Part(
        "apt-get install openjdk-17-jre-headless",
        ("sh", "-c", f"java -version && echo {DISTRIBUTION.version}"),
        "in a browser: sign-in, refresh at two consoles, second factor, rotated keys, restart, sign-out",
        keycloak.play,
    ),
    "librdkafka": Part(
        f"{sys.executable} -m pip install --no-deps --require-hashes --requirement requirements/parts.txt",
        (sys.executable, "-c", "import confluent_kafka; print(confluent_kafka.libversion()[0])"),
        "killed reader of `events` and Kafka's console consumer, while workers and brokers die: each reads the log",
        readers.play,
    ),
    "Alertmanager": Part(
        "apt-get install prometheus prometheus-alertmanager",
        ("prometheus-alertmanager", "--version"),
        f"with Prometheus, from page to resolved, {alertmanager.FACTOR} times faster: {', '.join(alertmanager.FAULTS)}",
        alertmanager.play,
    ),
}


def version(part: Part) -> str | None:
    """Return the program's version; None if the machine lacks it."""
    try:
        shown = subprocess.run(part.version, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\d+\.\d+(\.\d+)?", shown)
    return found[0] if found else shown.strip()


def run(name: str) -> dict[str, object]:
    """Run a part; return its row."""
    part, began = PARTS[name], time.monotonic()
    try:
        red = part.play()
    except (StartFailed, subprocess.TimeoutExpired) as error:
        red = [str(error)]
    for line in red[:20]:
        print(f"{name}: {line}", flush=True)
    return {
        "part": name,
        "version": version(part),
        "date": datetime.now(UTC).date(),
        "drove": part.drove,
        "red": [line[:200] for line in red[:3]],
        "seconds": round(time.monotonic() - began),
    }


def main() -> int:
    """Run the parts, write each one's row, and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.parts", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = {name.lower(): name for name in PARTS}
    parser.add_argument("parts", nargs="*", choices=[*names, []], help="default: all")
    chosen = [names[given] for given in parser.parse_args().parts or names]
    if missing := [name for name in chosen if version(PARTS[name]) is None]:
        print(*(f"This machine lacks {name}: {PARTS[name].install}" for name in missing), sep="\n")
        return MISSING
    rows = {row["part"]: row for row in (tomllib.loads(RESULTS.read_text())["run"] if RESULTS.exists() else ())}
    for name in chosen:
        rows[name] = run(name)
        RESULTS.write_text(tomli_w.dumps({"run": [rows[part] for part in PARTS if part in rows]}))
    for row in (rows[name] for name in chosen):
        print(f"{row['part']:<12}{row['version']:<10}{row['seconds']:>5} s  {'red' if row['red'] else 'green'}")
    return 1 if any(rows[name]["red"] for name in chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
