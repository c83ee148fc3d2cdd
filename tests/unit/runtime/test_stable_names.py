"""The names that installations depend on: dashboards and alerts read metrics, charts and scripts set variables."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from runtime.environ import field_at, setting_paths, show_value, variable_name
from runtime.metrics import Metrics
from runtime.settings import Settings

STABLE = (Path(__file__).parent / "stable_names.txt").read_text().splitlines()


def default_of(path):
    field = field_at(Settings, path)
    if field.is_required():
        return "(required)"
    if field.json_schema_extra:
        return field.json_schema_extra["shown_default"]
    return show_value(Settings, path, field.get_default(call_default_factory=True))


def test_metrics_keep_their_names_kinds_and_labels():
    described = Metrics(CollectorRegistry()).described
    current = [" ".join((metric.kind, metric.name, *metric.labels)) for metric in described]
    assert sorted(current) == sorted(line for line in STABLE if not line.startswith("GATEWAY_"))


def test_settings_keep_their_variables_and_defaults():
    current = [f"{variable_name(path)}={default_of(path)}" for path in setting_paths(Settings)]
    assert sorted(current) == sorted(line for line in STABLE if line.startswith("GATEWAY_"))
