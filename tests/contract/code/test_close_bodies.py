"""A close sends Collate only the fields that docs/collate-contract.md states."""

import re
from pathlib import Path

import pytest

from schemas.commands import CLOSE_ACTIONS

CONTRACT = (Path(__file__).parents[3] / "docs" / "collate-contract.md").read_text()


@pytest.mark.parametrize("action", CLOSE_ACTIONS, ids=lambda action: action.OPERATION)
def test_the_contract_names_each_field_of_a_close(action):
    (body,) = re.findall(rf"^POST `\S+/{action.OPERATION}`\n\n- Body: (.*)$", CONTRACT, re.MULTILINE)
    fields = {field.alias or name for name, field in action.model_fields.items()} - {"type"}
    undocumented = fields - set(re.findall(r"`(\w+)`", body))
    assert not undocumented, (
        f"{action.__name__}.body() would send these; the contract states them, or body() leaves out"
    )
