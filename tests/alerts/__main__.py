"""`make alerts`: checks the chart's rules with `promtool`, and runs the three cases of every alert."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from tests.alerts.promtool import NoPromtool, promtool
from tests.alerts.scenarios import BEGINS, SCENARIOS, Scenario

CHART = Path(__file__).parents[2] / "helm" / "gateway"
VALUES = {
    "settings": {
        "environment": "production",
        "kafka": {"bootstrap": ["kafka:9093"]},
        "collate": {"base_url": "https://api.collate.test"},
    },
    "secrets": {"existingSecret": "gateway-secrets"},
    "projector": {"enabled": True},
    "deliverer": {"enabled": True},
    "monitoring": {"rules": {"enabled": True, "runbookBase": "https://docs.test/"}},
}


def rendered_rules() -> dict[str, Any]:
    """Return the rule groups of the chart as a rule file of Prometheus."""
    with helm.Chart.load(CHART) as chart:
        manifests = chart.render(VALUES, name="prod", namespace="payers")
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
    end = scenario.recovered + 1
    checks = [(BEGINS - 1, 0), (scenario.first, 1), (scenario.recovered, 0)]
    if scenario.steady is not None:
        checks.append((scenario.steady, 1))
    return {
        "name": scenario.alert,
        "interval": "1m",
        "input_series": [
            {"series": name, "values": " ".join(_text(values(minute)) for minute in range(end))}
            for name, values in scenario.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{scenario.alert}", alertstate="firing"}}) or vector(0)',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": expected}],
            }
            for minute, expected in sorted(checks)
        ],
    }


def write_test(directory: Path, number: int, scenario: Scenario, rules: dict[str, Any]) -> str:
    """Write a scenario with only the rules that it needs, because promtool evaluates all of them each minute."""
    needed = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == scenario.alert]
    recorded = [
        rule
        for group in rules["groups"]
        for rule in group["rules"]
        if "record" in rule and any(rule["record"] in one["expr"] for one in needed)
    ]
    own = {"groups": [{"name": scenario.alert, "rules": recorded + needed}]}
    (directory / f"rules-{number}.yaml").write_text(yaml.safe_dump(own))
    test = {
        "rule_files": [f"rules-{number}.yaml"],
        "evaluation_interval": "1m",
        "tests": [unit_test(scenario)],
    }
    (directory / f"test-{number}.yaml").write_text(yaml.safe_dump(test, width=1_000_000))
    return f"test-{number}.yaml"


def _text(value: float | None) -> str:
    return "_" if value is None else f"{value:g}"


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
        (directory / "rules.yaml").write_text(yaml.safe_dump(rules))
        tests = [write_test(directory, number, scenario, rules) for number, scenario in enumerate(SCENARIOS)]
        for arguments in (["check", "rules", "rules.yaml"], ["test", "rules", *tests]):
            done = subprocess.run([tool, *arguments], cwd=directory, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stdout + done.stderr, file=sys.stderr)
                return done.returncode
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    print(f"{len(alerts)} alerts, {len(SCENARIOS)} scenarios: each fires first, stays and recovers.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
