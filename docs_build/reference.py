"""Generator of docs/configuration.md and docs/metrics.md from the settings and the metrics."""

from typing import Any, Literal, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs_build.markdown import MADE, table
from runtime.environ import PREFIX, field_at, section_of, setting_paths, show_value, variable_name
from runtime.exits import EXIT_MEANINGS
from runtime.metrics import AnyMetric, MetricDescription, Metrics
from runtime.settings import Settings

_SETTINGS = f"""# Settings

A setting is an environment variable: `{PREFIX}`, the section, two underscores, the name. `gateway config` shows the
current values. A process does not start with unknown `{PREFIX}` keys, contradictions or unreadable files: it lists all
problems and exits with 78.

A secret is always a file (`…_FILE`), which may be replaced while the process runs. Durations are written `250ms`,
`30s`, `5m`, `1h30m`, `7d`; sizes `64KiB`, `1MiB`; lists with commas; booleans `true` and `false`.

## General
"""
_METRICS = """# Metrics

The admin port serves these metrics at `/metrics` (Prometheus text or OpenMetrics), with the usual `process_` and
`python_gc_` metrics. A name with `_total` is a counter, a histogram has `_bucket`, `_sum` and `_count`, any other is a
gauge. No label contains an authorization, a person or text from outside.
"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    parts = [MADE, _SETTINGS, _table([(name,) for name in Settings.model_fields if _section(name) is None])]
    for name in Settings.model_fields:
        section = _section(name)
        if section is not None:
            paths = [(name, *path) for path in setting_paths(section)]
            parts += [f"## {name.capitalize()}\n", f"{(section.__doc__ or '').strip()}\n", _table(paths)]
    codes = [(str(int(code)), meaning) for code, meaning in EXIT_MEANINGS.items()]
    codes.append(("130, 143", "a second SIGINT or SIGTERM ended the process immediately"))
    return "\n".join([*parts, "## Exit codes\n", table(("code", "meaning"), codes)])


def metrics_page() -> str:
    """Return docs/metrics.md."""
    rows = map(_row, Metrics(CollectorRegistry()).described)
    return "\n".join([MADE, _METRICS, table(("metric and its labels", "meaning"), rows)])


def _row(metric: MetricDescription[AnyMetric]) -> tuple[str, ...]:
    labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
    kind = "Histogram. " if metric.kind == "histogram" else ""
    return f"`{metric.name}{labels}`", f"{kind}{metric.description}"


def _section(name: str) -> type[BaseModel] | None:
    return section_of(Settings.model_fields[name].annotation)


def _table(paths: list[tuple[str, ...]]) -> str:
    return table(("variable", "default", "meaning"), map(_setting, paths))


def _setting(path: tuple[str, ...]) -> tuple[str, ...]:
    field = field_at(Settings, path)
    choices = _choices(field.annotation)
    meaning = f"{field.description or ''}{f' One of {choices}.' if choices else ''}"
    return f"`{variable_name(path)}`", _default(path, field), meaning


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
