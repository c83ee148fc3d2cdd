"""What a new interpreter imports: a serving process no library of the migrations, the command line only what it needs.

Alembic and SQLAlchemy take 20 MB and 0.2 s; the packages of the processes would double the time of a verb's start.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import command_of

ROOT = Path(__file__).parents[3]
INGRESS = ["gateway.ingress.main"]
SERVING = ["adapters.postgres.reader", "adapters.postgres.queries", "consumers.projector.projector"]
OF_PROCESSES = """
import importlib, json, sys
for modules in json.loads(sys.argv[1]):
    for module in modules:
        importlib.import_module(module)
    print(*{name.partition(".")[0] for name in sys.modules})
"""
OF_THE_COMMAND_LINE = """
import json, sys
from cli.app import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
ROOMS = {"cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas"}
OF_THE_TABLE = {"cli", "cli.app", "runtime", "runtime.exits", "runtime.tracebacks", "runtime.version"}
OF_A_PROCESS = {"aiokafka", "consumers.applier", "consumers.engine", "psycopg", "starlette", "uvicorn"}


@pytest.fixture(scope="module")
def imported():
    """The top-level packages of one fresh interpreter: after the ingress, and after all serving processes."""
    steps = [sys.executable, "-c", OF_PROCESSES, json.dumps([INGRESS, SERVING])]
    return [set(line.split()) for line in subprocess.check_output(steps, text=True).splitlines()]


def test_no_serving_process_imports_the_migration_libraries(imported):
    _, packages = imported
    assert "psycopg" in packages
    assert not packages & {"alembic", "sqlalchemy"}


def test_an_ingress_without_a_read_model_does_not_import_psycopg(imported):
    ingress, _ = imported
    assert "psycopg" not in ingress


def imported_by(*arguments):
    steps = [sys.executable, "-c", OF_THE_COMMAND_LINE, *arguments]
    return set(json.loads(subprocess.run(steps, capture_output=True, text=True, check=False).stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["no-such-verb"], ["topics", "--help"]])
def test_help_and_errors_of_the_program_import_no_verb(arguments):
    imported = imported_by(*arguments)
    assert {one for one in imported if one.partition(".")[0] in ROOMS} <= OF_THE_TABLE
    assert imported & {"httpx", "structlog"} == set()
    assert ("rich.console" in imported) == (arguments != ["--version"])


@pytest.mark.parametrize("verb", ["status", "config", "dead-letters list", "worker resume"])
def test_a_short_verb_imports_no_process(verb):
    imported = imported_by(*verb.split(), "--help")
    assert f"{command_of(verb).callback.__module__}" in imported
    assert imported & OF_A_PROCESS == set()


def test_neither_ingress_nor_worker_imports_a_room_that_their_readers_can_skip():
    section = (ROOT / "docs" / "architecture.md").read_text().partition("## What you can skip")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \| .* \| (\d+) \| ([\d,]+) \|$", section, re.MULTILINE)
    program = f"{OF_PROCESSES}\nprint(*sys.modules)"
    steps = [sys.executable, "-c", program, json.dumps([INGRESS, ["consumers.worker"]])]
    imported = subprocess.check_output(steps, text=True).splitlines()[-1].split()
    for names, files, lines in rows:
        rooms = re.findall(r"`([\w/]+)`", names)
        assert [
            name for name in imported if f"{name}.".startswith(tuple(f"{room}.".replace("/", ".") for room in rooms))
        ] == []
        texts = [file.read_text() for room in rooms for file in (ROOT / room).rglob("*.py")]
        assert int(files) == pytest.approx(len(texts), rel=0.1), names
        assert int(lines.replace(",", "")) == pytest.approx(sum(map(len, map(str.splitlines, texts))), rel=0.1), names
    assert len(rows) == 4
