"""`make alerts`: checks the chart's rules with `promtool`, and runs the time lines of every alert and every fault."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from docs_build.faults import FAULTS, Fault
from local.kubernetes.deployment import merge
from tests.alerts.faults import ENDS, PODS, TIME_LINES, Series, healthy
from tests.alerts.promtool import NoPromtool, promtool
from tests.alerts.scenarios import BEGINS, SCENARIOS, Scenario, Values

CHART = Path(__file__).parents[2] / "helm" / "gateway"
RUNBOOK = "https://docs.test/operations.md"
OWN = {"namespace": "payers", "job": "prod-gateway-admin"}
# Minutes for which an alert fires on after its condition: the chart's `keep_firing_for`.
KEPT = 12
# An alert whose process dies is followed by one of these within KEPT minutes.
OF_PROCESSES = ("Absent", "ProcessMissing")
WATCHED_MINUTES = 25
# Runs of promtool for each processor, which have about equal work. promtool itself uses one processor.
RUNS_PER_PROCESSOR = 4
# Minutes for which the longest range of a fault's alert shows the fault.
LOOKS_BACK = 30
CRITICAL = '(count(ALERTS{alertstate="firing", severity="critical"}) or vector(0))'
FIRING = '(count(ALERTS{alertstate="firing"}) or vector(0))'
VALUES = {
    "settings": {
        "environment": "production",
        "kafka": {"bootstrap": ["kafka:9093"]},
        "collate": {"base_url": "https://api.collate.test"},
        "console": {"public_url": "https://handoffs.test", "oidc_issuer": "https://login.test"},
    },
    "secrets": {"existingSecret": "gateway-secrets"},
    "projector": {"enabled": True},
    "promises": {"enabled": True},
    "deliverer": {"enabled": True},
    "console": {"enabled": True},
    "monitoring": {"rules": {"enabled": True, "runbookBase": "https://docs.test/", "labels": {"team": "payers"}}},
}


@functools.cache
def rendered_rules() -> dict[str, Any]:
    """Return the rule groups of the chart as a rule file of Prometheus."""
    return rules_with({})


def rules_with(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rule groups of the chart with other values."""
    with helm.Chart.load(CHART) as chart:
        manifests = chart.render(merge(VALUES, values), name="prod", namespace="payers")
    objects = [one for text in manifests.values() for one in _objects(text)]
    groups = [group for one in objects if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
    return {"groups": groups}


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        return [one for one in yaml.safe_load_all(text) if isinstance(one, dict) and "kind" in one]
    except yaml.YAMLError:  # the notes are plain text
        return []


def unit_test(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as a test group of `promtool test rules`."""
    ended = scenario.recovered + KEPT
    checks = [(BEGINS - 1, 0), (scenario.first, 1), (ended, 0)]
    if scenario.steady is not None:
        checks.append((scenario.steady, 1))
    return _group(
        scenario.alert,
        scenario.series,
        ended + 1,
        [_fires(minute, expected, scenario.alert) for minute, expected in sorted(checks)],
    )


def death_test(scenario: Scenario) -> dict[str, Any]:
    """Return a test group: the process whose alert has just fired dies, and an alert fires at each minute after.

    The process is one of two, or the only one of its kind.
    """
    dies = scenario.first + 1
    pod = next(pod for pod in PODS if any(f'pod="{pod}"' in name for name in scenario.series))
    series = healthy() | scenario.series

    def until_death(values: Values) -> Values:
        return lambda minute: values(minute) if minute < dies else None

    series |= {name: until_death(series[name]) for name in series if f'pod="{pod}"' in name}
    watched = f"{FIRING}[{WATCHED_MINUTES}m:1m]"
    end = dies + WATCHED_MINUTES
    return _group(
        f"{scenario.alert}: its process dies",
        series,
        end + 1,
        [_expected(end, f"min_over_time({watched}) > bool 0", 1)],
    )


def fault_test(fault: Fault) -> dict[str, Any]:
    """Return a test group: the fault's alert is the first, it says these words, lasts, and ends with the fault."""
    name, (labels, changed) = f"CollateGateway{fault.alert}", TIME_LINES[fault.name]
    first, ended = BEGINS + fault.minutes, ENDS + LOOKS_BACK + KEPT
    group = _group(
        fault.name,
        healthy() | changed,
        ended + 1,
        [
            _expected(BEGINS - 1, FIRING, 0),
            _expected(first - 2, FIRING, 0),
            # A warning comes without a page.
            _expected(first, CRITICAL, 0)
            if fault.severity == "warning"
            else _expected(first, f"{CRITICAL} > bool 0", 1),
            _expected(max(first, BEGINS + WATCHED_MINUTES), f"{FIRING} > bool 0", 1),
            _expected(ended, FIRING, 0),
        ],
    )
    return group | {
        "alert_rule_test": [
            {
                "eval_time": f"{first}m",
                "alertname": name,
                "exp_alerts": [
                    {
                        "exp_labels": OWN | {"severity": fault.severity, "team": "payers"} | one,
                        "exp_annotations": {
                            "summary": _words(fault, one),
                            "runbook_url": f"{RUNBOOK}#{fault.page}",
                        },
                    }
                    for one in labels
                ],
            }
        ]
    }


def _group(name: str, series: Series, minutes: int, checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": one, "values": " ".join(_samples([values(minute) for minute in range(minutes)]))}
            for one, values in series.items()
        ],
        "promql_expr_test": checks,
    }


def _words(fault: Fault, labels: dict[str, str]) -> str:
    """Return the words of the alert with these labels; the fault's own words name one pod."""
    named = next((pod for pod in PODS if pod in fault.words), "")
    return fault.words.replace(named, labels["pod"]) if named else fault.words


def _fires(minute: int, expected: int, alert: str) -> dict[str, Any]:
    return _expected(minute, f'count(sum(ALERTS{{alertname="{alert}", alertstate="firing"}})) or vector(0)', expected)


def _expected(minute: int, expression: str, value: int) -> dict[str, Any]:
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}


def rules_of(rules: dict[str, Any], *alerts: str) -> dict[str, Any]:
    """Return only the rules of these alerts, because promtool evaluates all of them each minute."""
    needed = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") in alerts]
    recorded = [
        rule
        for group in rules["groups"]
        for rule in group["rules"]
        if "record" in rule and any(rule["record"] in one["expr"] for one in needed)
    ]
    return {"groups": [{"name": alerts[0], "rules": recorded + needed}]}


def files_of(rules: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the rules and the test group of each file of tests."""
    for scenario in SCENARIOS:
        yield rules_of(rules, scenario.alert), unit_test(scenario)
        # The series of an alert on a CronJob are of no process of ours.
        if scenario.steady is not None and any("pod=" in name for name in scenario.series):
            followers = [f"CollateGateway{one}" for one in OF_PROCESSES]
            yield rules_of(rules, scenario.alert, *followers), death_test(scenario)
    for fault in FAULTS:
        yield rules, fault_test(fault)


def write_test(directory: Path, name: str, rules: dict[str, Any], group: dict[str, Any]) -> str:
    """Write a file of tests and its file of rules; return the name of the first."""
    (directory / f"rules-{name}.json").write_text(json.dumps(rules))
    test = {"rule_files": [f"rules-{name}.json"], "evaluation_interval": "1m", "tests": [group]}
    (directory / f"test-{name}.json").write_text(json.dumps(test))
    return f"test-{name}.json"


def _samples(values: list[float | None]) -> Iterator[str]:
    """Yield the samples as Prometheus keeps them: a series that ends is stale from its first missing sample on."""
    for before, value in pairwise([None, *values]):
        yield f"{value:.12g}" if value is not None else "_" if before is None else "stale"


def main() -> int:
    """Run promtool; return its exit code."""
    try:
        tool = promtool()
    except NoPromtool as problem:
        print(problem, file=sys.stderr)
        return 1
    rules = rendered_rules()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "rules.json").write_text(json.dumps(rules))
        tests = [write_test(directory, str(number), *one) for number, one in enumerate(files_of(rules))]

        def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
            return subprocess.run([tool, *arguments], cwd=directory, capture_output=True, text=True, check=False)

        processors = os.cpu_count() or 1
        parts = RUNS_PER_PROCESSOR * processors
        runs = [["check", "rules", "rules.json"], *(["test", "rules", *tests[part::parts]] for part in range(parts))]
        with ThreadPoolExecutor(processors) as pool:
            failures = [done for done in pool.map(run, runs) if done.returncode]
        for done in failures:
            failed = [one for one in done.stdout.split("Unit Testing:") if "SUCCESS" not in one]
            print(*failed, done.stderr, sep="\n", file=sys.stderr)
        if failures:
            return 1
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    print(
        f"{len(alerts)} alerts, {len(SCENARIOS)} scenarios: each fires first, stays, outlives its process and recovers."
    )
    print(f"{len(FAULTS)} faults: each raises its alert in time, with its words, and no other before.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
