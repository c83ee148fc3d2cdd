"""docs/configuration.md and docs/metrics.md, made from the settings and the metrics."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runtime.environ import PREFIX, field_at, section_of, setting_paths, show_value, variable_name
from runtime.exits import EXIT_MEANINGS
from runtime.metrics import create_metrics
from runtime.settings import Settings

_MADE = "<!-- Made by `make docs`; don't edit. -->\n"
_SETTINGS = f"""# Settings

A setting is an environment variable: `{PREFIX}`, the section, two underscores, the name. Unknown `{PREFIX}` keys,
contradictions and unreadable files keep a process from starting: it lists all of them and exits 78.
`gateway config` shows what is in force.

Secrets come only as files (`…_FILE`), which may be replaced while the process runs. Durations are written `250ms`,
`30s`, `5m`, `1h30m`, `7d`; sizes `64KiB`, `1MiB`; lists with commas; booleans `true` and `false`.

## General
"""
_METRICS = """# Metrics

At `/metrics` of the admin port (Prometheus text or OpenMetrics), beside the usual `process_` and `python_gc_` ones.
Histograms have `_bucket`, `_sum` and `_count`. No label ever holds an authorization, a person or text from outside.

| metric | kind | labels | what it says |
|---|---|---|---|"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    lines = [_MADE, _SETTINGS, *_table([(name,) for name in Settings.model_fields if _section(name) is None])]
    for name in Settings.model_fields:
        section = _section(name)
        if section is not None:
            paths = [(name, *path) for path in setting_paths(section)]
            lines += [f"## {name.capitalize()}\n", f"{(section.__doc__ or '').strip()}\n", *_table(paths)]
    lines += ["## Exit codes\n", "| code | meaning |", "|---|---|"]
    lines += [f"| {int(code)} | {meaning} |" for code, meaning in EXIT_MEANINGS.items()]
    lines += ["| 130, 143 | a second SIGINT or SIGTERM ended it on the spot |"]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return docs/metrics.md."""
    described = create_metrics(CollectorRegistry()).described
    lines = [_MADE, _METRICS]
    lines += [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.description} |"
        for one in described
    ]
    return "\n".join(lines) + "\n"


def _section(name: str) -> type[BaseModel] | None:
    return section_of(Settings.model_fields[name].annotation)


def _table(paths: list[tuple[str, ...]]) -> Iterator[str]:
    yield "| variable | default | what it is |"
    yield "|---|---|---|"
    for path in paths:
        field = field_at(Settings, path)
        choices = _choices(field.annotation)
        told = f"{field.description or ''}{f' One of {choices}.' if choices else ''}"
        yield f"| `{variable_name(path)}` | {_default(path, field)} | {told} |"
    yield ""


def _default(path: tuple[str, ...], field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if isinstance(field.json_schema_extra, dict) and "shown_default" in field.json_schema_extra:
        return str(field.json_schema_extra["shown_default"])
    text = show_value(Settings, path, field.get_default(call_default_factory=True))
    return f"`{text}`" if text else ""


def _choices(annotation: Any) -> str:
    if get_origin(annotation) is not Literal:
        return ""
    return ", ".join(f"`{choice}`" for choice in get_args(annotation))
