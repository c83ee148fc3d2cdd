"""What `gateway deliverer resume` says and returns for each answer of the process."""

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.deliverer import resume


@pytest.mark.parametrize(
    ("answer", "options", "code", "says"),
    [
        ({"resumed": ["billing"], "wasStopped": True, "isStored": True}, (), 0, "Resumed: billing. No deliverer stops"),
        ({"resumed": ["billing"], "wasStopped": False, "isStored": True}, (), 0, "It was not stopped in this process."),
        ({"resumed": ["billing"], "wasStopped": True, "isStored": False}, (), 69, "Kafka has not stored it"),
        ({"resumed": ["billing"], "wasStopped": True, "isStored": False}, ("--json",), 69, '"isStored":false'),
        ({"resumed": [], "wasStopped": False, "isStored": False}, (), 1, "has no subscription billing"),
        (
            {"resumed": ["billing", "billing/3"], "wasStopped": False, "isStored": True},
            ("--partition", "3", "--partition", "4"),
            1,
            "Partition 4 was not stopped",
        ),
    ],
)
def test_the_exit_code_and_the_words_are_true(monkeypatch, answer, options, code, says):
    monkeypatch.setattr(resume, "post_resume", lambda *_, **__: answer | {"stopped": []})
    verb = ["deliverer", "resume", "billing", "--operator", "ada", "--why", "asked", *options]
    done = CliRunner().invoke(app, verb)
    assert (done.exit_code, says in done.output) == (code, True), done.output
