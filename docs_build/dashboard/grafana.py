"""The panels as a dashboard of Grafana."""

import json
import re
from collections.abc import Iterator
from itertools import count
from string import ascii_uppercase
from typing import Any, Final

from docs_build.dashboard.panels import ROWS, Panel, Row

Json = dict[str, Any]
SELECTED: Final = 'namespace="$namespace", job="$job"'
_METRIC: Final = re.compile(r"`(?P<name>:?[\w:]+)(?:\|(?P<labels>[^`]*))?`")
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _STAT, _GRAPH = 24, (3, 4), (8, 8)  # the grid; widths and heights of panels


def expression(text: str) -> str:
    """Return PromQL: metrics have the gateway's prefix and the labels of a release."""

    def metric(found: re.Match[str]) -> str:
        name = found["name"]
        full = f"collate_gateway{name}" if name.startswith(":") else f"collate_gateway_{name}"
        return f"{full}{{{', '.join(filter(None, (found['labels'], SELECTED)))}}}"

    return _METRIC.sub(metric, text).replace("RATE", "$__rate_interval").replace("SELECTED", SELECTED)


def dashboard() -> str:
    """Return helm/gateway/files/dashboard.json."""
    whole = {
        "title": "Collate gateway",
        "uid": "collate-gateway",
        "tags": ["collate-gateway"],
        "schemaVersion": 39,
        "version": 2,
        "editable": True,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "links": _links(),
        "panels": list(_placed()),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _variables() -> list[Json]:
    def query(name: str, text: str) -> Json:
        return {
            "name": name,
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": text, "refId": "A"},
            "refresh": 2,
            "sort": 1,
        }

    def box(name: str, label: str, value: str) -> Json:
        return {
            "name": name,
            "label": label,
            "type": "textbox",
            "query": value,
            "current": {"text": value, "value": value},
        }

    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        query("namespace", "label_values(collate_gateway_build_info, namespace)"),
        query("job", 'label_values(collate_gateway_build_info{namespace="$namespace"}, job)'),
        # The chart puts monitoring.rules.runbookBase here.
        box("runbook", "Runbook (address that ends in /)", "RUNBOOK_BASE"),
        box("gateway", "Gateway (URL)", ""),
        box("authorization", "Authorization", ""),
    ]


def _links() -> list[Json]:
    def link(title: str, url: str) -> Json:
        return {
            "title": title,
            "type": "link",
            "icon": "doc",
            "url": url,
            "targetBlank": True,
            "asDropdown": False,
            "tags": [],
        }

    return [
        link("Runbook", "${runbook}operations.md"),
        link("Timeline of the authorization", "${gateway}/v1/authorizations/${authorization}/timeline"),
        link("What is stuck", "${gateway}/v1/overview"),
    ]


def _placed() -> Iterator[Json]:
    numbers, y = count(1), 0
    for row in ROWS:
        yield {
            "id": next(numbers),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y},
        }
        y += 1
        for panel, place in _grid(row, y):
            yield _panel(panel, next(numbers)) | {"gridPos": place}
            y = max(y, place["y"])
        y += (_STAT if row.panels[0].is_stat else _GRAPH)[1]


def _grid(row: Row, y: int) -> Iterator[tuple[Panel, Json]]:
    x = 0
    for panel in row.panels:
        width, height = _STAT if panel.is_stat else _GRAPH
        if x + width > _WIDTH:
            x, y = 0, y + height
        yield panel, {"h": height, "w": width, "x": x, "y": y}
        x += width


def _panel(panel: Panel, number: int) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0}
    if panel.wrong is not None:
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": "green", "value": None}, {"color": "red", "value": panel.wrong}],
        }
    options: Json
    if panel.is_stat:
        defaults["color"] = {"mode": "thresholds"}
        options = {
            "colorMode": "background",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    else:
        defaults["custom"] = {"fillOpacity": 8, "showPoints": "never"}
        if panel.wrong is not None:
            defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
        options = {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "id": number,
        "type": "stat" if panel.is_stat else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "links": [{"title": "Runbook", "url": f"${{runbook}}operations.md#{panel.page}", "targetBlank": True}],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": letter, "expr": expression(text), "legendFormat": legend, "datasource": _DATASOURCE}
            for letter, (text, legend) in zip(ascii_uppercase, panel.queries, strict=False)
        ],
    }
