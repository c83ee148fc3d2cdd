import ast

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from consumers.watcher.cadence import PollClass
from runtime.environ import field_at, section_of, setting_paths
from runtime.metrics import Metrics
from runtime.settings import Settings
from tests.contract.code.product import nodes


def all_of(kind):
    return [node for parts in nodes().values() for node in parts if isinstance(node, kind)]


@pytest.mark.parametrize("path", list(setting_paths(Settings)), ids="__".join)
def test_every_setting_has_a_description(path):
    description = field_at(Settings, path).description
    assert description
    assert description[0].isupper()
    assert description.endswith(".")


def test_every_setting_is_used():
    sections = _sections()
    read = _reads(sections)
    steps = {("WatchSettings", kind.value) for kind in PollClass}  # read by name
    unread = {path for path, section in sections.items() if (section.__name__, path[-1]) not in read | steps}
    assert {"__".join(path) for path in unread} == set()


def _sections():
    """Return the section of each setting."""
    sections = {}
    for path in setting_paths(Settings):
        section = Settings
        for step in path[:-1]:
            section = section_of(section.model_fields[step].annotation)
        sections[path] = section
    return sections


def _reads(sections):
    """Return each read of an attribute as (section, attribute), if the name before it belongs to that section.

    These names are the section's own and, in one file, the arguments and attributes that are annotated with its class
    and the names that a section is assigned to. A `name` of another object is no read of the setting `name`.
    """
    return {read for parts in nodes().values() for read in _reads_of(parts, sections)}


def _reads_of(parts, sections):
    holders = {section.__name__: {("settings", *path)[-2]} for path, section in sections.items()}
    called = {id(node.func) for node in parts if isinstance(node, ast.Call)}
    for node in parts:
        match node:
            case ast.arg(arg=name, annotation=kind) if kind is not None:
                classes = {_last_name(part) for part in ast.walk(kind)}
            case ast.AnnAssign(target=target, annotation=kind):
                name, classes = _last_name(target), {_last_name(part) for part in ast.walk(kind)}
            case ast.Assign(targets=[target], value=ast.Attribute(attr=field)):
                name = _last_name(target)
                classes = {section.__name__ for path, section in sections.items() if path[-2:-1] == (field,)}
            case _:
                continue
        for section in holders.keys() & classes:
            holders[section] |= {name, f"_{name}"}
    for node in parts:
        match node:
            case ast.Attribute(value=holder, attr=attribute) if id(node) not in called:
                yield from ((section, attribute) for section, names in holders.items() if _last_name(holder) in names)
            case ast.ClassDef(name=section) if section in holders:  # a section's check of its own settings
                yield from ((section, part.attr) for part in ast.walk(node) if isinstance(part, ast.Attribute))


def _last_name(node):
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return None


def test_every_metric_is_used():
    metrics = Metrics(CollectorRegistry())
    holders = {*vars(metrics), "metrics", "_metrics"}
    taken = {node.attr for node in all_of(ast.Attribute) if _last_name(node.value) in holders}
    assert {name for group in vars(metrics).values() for name in vars(group)} - taken == set()


def test_secrets_come_only_as_files():
    for path in setting_paths(Settings):
        name = path[-1]
        if any(word in name for word in ("password", "api_key", "token", "secret")):
            assert name.endswith("_file"), path


def test_every_section_has_a_description():
    for field in Settings.model_fields.values():
        section = section_of(field.annotation)
        assert section is None or (section.__doc__ and section.__doc__ != BaseModel.__doc__)
