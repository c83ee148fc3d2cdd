"""A verb needs neither the other verbs nor the packages of the processes: they would double the time of a start."""

import json
import subprocess
import sys

import pytest
from typer.main import get_command

from gateway.cli.app import VERBS, app, app_of, modules_of

PROGRAM = "import json, sys; from gateway.cli.app import {}; print(json.dumps(sorted(sys.modules)))"
OF_A_VERB = {
    "adapters.collate.client",
    "aiokafka",
    "consumers",
    "gateway.ingress",
    "psycopg",
    "schemas.records",
    "starlette",
    "uvicorn",
}


def imported_by(name):
    return set(json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM.format(name)], text=True)))


def test_the_command_line_imports_the_packages_of_a_verb_with_the_verb():
    imported = imported_by("app")
    assert "gateway.cli.topics" in imported
    assert OF_A_VERB & imported == set()


def test_the_program_imports_no_verb_before_it_knows_the_command_line():
    imported = imported_by("main")
    assert {one for one in imported if one.startswith("gateway.")} == {"gateway.cli", "gateway.cli.app"}
    assert imported & {"httpx", "pydantic", "rich.console", "structlog"} == set()


@pytest.mark.parametrize("module", VERBS)
def test_a_module_adds_the_verbs_of_the_table_and_no_others(module):
    assert set(get_command(app_of([module])).commands) == set(VERBS[module])


def test_the_help_has_every_verb_once():
    assert sorted(get_command(app).commands) == sorted(verb for verbs in VERBS.values() for verb in verbs)


def test_the_command_line_decides_which_modules_are_imported():
    assert modules_of(["dead-letters", "list", "--json"]) == ["gateway.cli.dead_letters.commands"]
    for arguments in ([], ["--help"], ["--version"], ["no-such-verb"], ["--help", "topics"]):
        assert modules_of(arguments) == list(VERBS)
