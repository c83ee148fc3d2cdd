"""The table of verbs decides which modules a command line imports: it must agree with the verbs of each module."""

import pytest
from typer.main import get_command

from cli.app import VERBS, app, app_of, modules_of


@pytest.mark.parametrize("module", VERBS)
def test_a_module_adds_the_verbs_of_the_table_and_no_others(module):
    assert set(get_command(app_of([module])).commands) == set(VERBS[module])


def test_the_help_has_every_verb_once():
    assert sorted(get_command(app).commands) == sorted(verb for verbs in VERBS.values() for verb in verbs)


def test_the_command_line_decides_which_modules_are_imported():
    assert modules_of(["dead-letters", "list", "--json"]) == ["cli.dead_letters.verbs"]
    for arguments in ([], ["--help"], ["--version"], ["no-such-verb"], ["--help", "topics"]):
        assert modules_of(arguments) == list(VERBS)
