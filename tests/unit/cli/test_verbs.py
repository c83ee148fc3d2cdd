"""The table of verbs: the help shows it without importing a verb, so it must agree with each verb's docstring."""

import inspect

import pytest
from typer.testing import CliRunner

from cli.app import VERBS, app, command_of


@pytest.mark.parametrize("path", VERBS)
def test_the_sentence_of_the_table_is_the_first_of_the_verbs_own_help(path):
    command = command_of(path)
    paragraph = inspect.cleandoc(command.callback.__doc__ if VERBS[path].function else command.help).partition("\n\n")[
        0
    ]
    assert VERBS[path].sentence == paragraph.replace("\n", " ")


def test_every_verb_below_a_group_has_its_group():
    assert {path.rpartition(" ")[0] for path in VERBS} <= {"", *VERBS}


@pytest.mark.parametrize("arguments", [["worker", "resume"], ["worker", "--", "resume"]])
def test_a_process_does_not_start_for_a_verb_below_it(arguments, monkeypatch):
    monkeypatch.setattr("cli.processes.worker.worker", lambda: pytest.fail("the worker starts"))
    ended = CliRunner().invoke(app, arguments)
    assert (ended.exit_code, "--why" in ended.output) == (2, True)
