"""The chart, rendered by the real Helm and validated as strictly as Kubernetes validates."""

import copy
import functools
import json

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from tests.chart.values import CHART, VALUES

# The oldest Kubernetes that the chart supports, and the newest one with known schemas.
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
MINIMAL = {
    "settings": {
        "environment": "production",
        "kafka": {"bootstrap": ["kafka-0.kafka:9093", "kafka-1.kafka:9093"]},
        "collate": {"base_url": "https://api.collate.test"},
    },
    "secrets": {"existingSecret": "gateway-secrets"},
}


class StrictLoader(yaml.CSafeLoader):
    """YAML in which a repeated key is an error, as it is for Kubernetes."""

    def construct_mapping(self, node, deep=False):  # noqa: FBT002 - PyYAML's own signature
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is repeated at {node.start_mark}: {sorted(keys)}"
        return super().construct_mapping(node, deep)


def merged(*layers):
    """Merge values, later layers over earlier ones, maps key by key."""
    whole = {}
    for layer in layers:
        for key, value in layer.items():
            both_are_maps = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = merged(whole[key], value) if both_are_maps else copy.deepcopy(value)
    return whole


class Rendered:
    """The objects of one rendering."""

    def __init__(self, manifests):
        self.notes = "".join(text for name, text in manifests.items() if name.endswith("NOTES.txt"))
        self.objects = [
            one
            for name, text in manifests.items()
            if not name.endswith(".txt")
            for one in yaml.load_all(text, StrictLoader)
            if one
        ]

    def __iter__(self):
        return iter(self.objects)

    def of(self, kind):
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind, ending=""):
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"].endswith(ending)]
        return found

    def pods(self):
        """Yield every pod that would run: its owner, its labels and its spec."""
        for one in self.objects:
            if one["kind"] == "Pod":
                yield one, one["metadata"]["labels"], one["spec"]
            elif (
                template := (one["spec"]["jobTemplate"] if one["kind"] == "CronJob" else one)
                .get("spec", {})
                .get("template")
            ):
                yield one, template["metadata"]["labels"], template["spec"]

    def environment(self, component):
        """Return the variables with a fixed value of a lasting process."""
        (spec,) = [
            spec
            for owner, labels, spec in self.pods()
            if owner["kind"] in {"Deployment", "StatefulSet"} and labels["app.kubernetes.io/component"] == component
        ]
        return {one["name"]: one["value"] for one in spec["containers"][0]["env"] if "value" in one}


@pytest.fixture(scope="session")
def chart():
    with helm.Chart.load(CHART) as chart:
        yield chart


@pytest.fixture
def minimal():
    """The required values only."""
    return copy.deepcopy(MINIMAL)


@pytest.fixture(scope="session")
def render(chart):
    """Render with these values over the required ones: `render({"projector": {"enabled": True}})`."""

    @functools.cache
    def manifests(values, name, namespace):
        return chart.render(json.loads(values), name=name, namespace=namespace)

    def render(values=None, name="prod", namespace="payers"):
        return Rendered(manifests(json.dumps(merged(MINIMAL, values or {})), name, namespace))

    return render


@pytest.fixture(scope="module", params=VALUES.values(), ids=VALUES)
def rendered(request, render):
    return render(request.param)


@functools.cache
def _valid(text, version):
    kubernetes_validate.validate(yaml.safe_load(text), version, strict=True)


@pytest.fixture(scope="session")
def validate():
    """Validate an object against the strict schemas of both Kubernetes versions."""

    def validate(one):
        text = yaml.safe_dump(one)
        for version in KUBERNETES:
            _valid(text, version)

    return validate
