"""The made part of docs/support.md: the versions that our tests run, and the names and forms that a release freezes."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from cli.app import VERBS
from docs_build import matrix
from docs_build.licences import IMAGE_PYTHON
from docs_build.markdown import table
from gateway.ingress.api_http.api_problems import every_problem
from local.browser.chromium import LOCK as BROWSER
from local.kubernetes.binaries import KUBERNETES
from runtime.environ import setting_paths
from runtime.metrics import Metrics
from runtime.settings import Settings
from schemas.api.operations import OPERATIONS
from schemas.commands import COMMANDS
from schemas.events import EVENTS
from schemas.permissions import Permission
from schemas.topics import Topics

_CHART: Final = Path(__file__).parents[1] / "helm" / "gateway" / "Chart.yaml"


def part() -> str:
    """Return the tables with their headings."""
    return f"## Versions\n\n{_versions()}\n## What a release freezes\n\n{_frozen()}"


def _versions() -> str:
    browser = tomllib.loads(BROWSER.read_text(encoding="utf-8"))["chromium"]["version"]
    oldest = _found(r'kubeVersion: ">=([\d.]+)\.0', _CHART.read_text(encoding="utf-8"))
    ran = table(
        ("run", "Python", "Apache Kafka", "PostgreSQL", "what ran", "result", "when"), matrix.rows(matrix.runs())
    )
    others = table(
        ("part", "version", "what ran it"),
        (
            ("the image's Python", IMAGE_PYTHON, "by hand: `make image`"),
            ("browser", f"Chromium {browser}", "CI, also without scripts"),
            ("Kubernetes", f"{oldest}, newest known", "CI: the chart against their schemas"),
            ("Kubernetes", KUBERNETES, "by hand: `make cluster-test`"),
        ),
    )
    beside = "### Beside the gateway\n\nBy hand: `python -m tests.parts`.\n\n" + table(
        ("part", "version", "what ran", "result", "when"), matrix.part_rows(matrix.parts())
    )
    checks = "Kills: 60 s of engine kills. Story: load, each process replaced, promises checked."
    how = "By hand, on Debian 12, x86-64: `python -m tests.matrix`. The first row is CI's. No other version ran."
    return f"{how}\n{checks}\n\n{ran}\n{others}\n{beside}"


def _frozen() -> str:
    published = (
        f"{len(OPERATIONS)} operations, {len(every_problem())} problem types, {len(Permission)} permissions, "
        f"{len(COMMANDS)} types of commands, {len(EVENTS)} of events, {len(fields(Topics))} topics"
    )
    settings, metrics = list(setting_paths(Settings)), list(Metrics(CollectorRegistry()).described)
    verbs = [verb for verb in VERBS if " " not in verb]
    return table(
        ("frozen", "listed in", "held by"),
        (
            (published, "`schemas/published`", "`tests/contract/test_published.py`, `make clients`"),
            (
                f"{len(settings)} settings with defaults, {len(metrics)} metrics with labels",
                "[configuration](configuration.md), [metrics](metrics.md)",
                "`tests/unit/runtime/test_stable_names.py`",
            ),
            ("ids of commands, keys for Collate", "golden values", "`tests/unit/schemas/test_identity.py`"),
            ("records of `state`, tables", "private, read by the next version", "`tests/system/upgrade`"),
            (
                "files of callers and subscriptions",
                "[callers](operations.md#how-do-i-add-a-caller), [webhooks](subscribing.md#webhooks)",
                "`tests/unit/ingress/auth/test_callers.py`, `tests/unit/deliverer/test_subscriptions_file.py`",
            ),
            ("methods of both clients", "[Python](clients-python.md)", "`tests/system/clients/test_pages.py`"),
            (f"{len(verbs)} verbs", "`gateway --help`", "`tests/contract/documents/test_documents.py`"),
            ("values of the chart", "[its README](../helm/gateway/README.md)", "`tests/chart/test_values.py`"),
        ),
    )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"expected {pattern!r} in {text!r}")
    return found[1]
