import ast
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from consumers.watcher.cadence import PollClass
from runtime.environ import field_at, section_of, setting_paths
from runtime.metrics import create_metrics
from runtime.settings import Settings

ROOT = Path(__file__).parents[3]
ROOMS = ("gateway", "consumers", "adapters", "runtime")
TREES = [ast.parse(file.read_text()) for room in ROOMS for file in (ROOT / room).rglob("*.py")]


def attributes(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]


@pytest.mark.parametrize("path", list(setting_paths(Settings)), ids="__".join)
def test_every_setting_has_a_description(path):
    description = field_at(Settings, path).description
    assert description
    assert description[0].isupper()
    assert description.endswith(".")


def test_every_setting_is_used():
    called = {id(node.func) for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Call)}
    read = {node.attr for tree in TREES for node in attributes(tree) if id(node) not in called}
    steps = {kind.value for kind in PollClass}  # read by name
    assert {"__".join(path) for path in setting_paths(Settings) if path[-1] not in read | steps} == set()


def test_every_metric_is_used():
    metrics = create_metrics(CollectorRegistry())
    groups = {field.name for field in fields(metrics)} - {"described"}
    holders = groups | {"metrics", "_metrics"}
    taken = {
        node.attr
        for tree in TREES
        for node in attributes(tree)
        if ast.unparse(node.value).rpartition(".")[2] in holders
    }
    assert {field.name for group in groups for field in fields(getattr(metrics, group))} - taken == set()


def test_secrets_come_only_as_files():
    for path in setting_paths(Settings):
        name = path[-1]
        if any(word in name for word in ("password", "api_key", "token", "secret")):
            assert name.endswith("_file"), path


def test_every_section_has_a_description():
    for field in Settings.model_fields.values():
        section = section_of(field.annotation)
        assert section is None or (section.__doc__ and section.__doc__ != BaseModel.__doc__)
