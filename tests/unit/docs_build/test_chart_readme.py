"""The chart's README describes every value."""

import json

import pytest
import yaml

from docs_build.chart_readme import CHART, ValueUndescribed, described, page

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def test_every_value_has_a_row_of_its_own_or_one_of_the_processes():
    text = page()

    def shown(path):
        common = f"PROCESS.{path.partition('.')[2]}"
        return any(f"`{one}`" in text for one in (path, common, path.removeprefix("console.")))

    assert [path for path, _, _ in described(SCHEMA, VALUES) if not shown(path)] == []
    assert "| `PROCESS.stopSeconds` | ingress `20`, worker `20`, projector `20`, deliverer `20`, console `10` |" in text


def test_a_value_without_a_description_is_refused():
    values = VALUES | {"service": VALUES["service"] | {"undescribed": 1}}
    with pytest.raises(ValueUndescribed, match=r"service\.undescribed"):
        list(described(SCHEMA, values))
