"""`gateway schemas show` prints a published JSON Schema."""

import json

import pytest
from typer.testing import CliRunner

from cli.app import app


@pytest.mark.parametrize("name", ["collate-gateway.handoff.opened.v1", "urn:collate-gateway:handoff:opened:v1"])
def test_show_prints_the_schema_of_a_type_or_a_dataschema(name):
    ended = CliRunner().invoke(app, ["schemas", "show", name])
    assert json.loads(ended.stdout)["$id"] == "urn:collate-gateway:handoff:opened:v1"
    assert CliRunner().invoke(app, ["schemas", "show", "nothing"]).exit_code == 2
