"""Settings of each process: the sections that it reads, its own over the shared ones, and who restarts for what."""

import helm_python as helm
import pytest

from runtime.settings import (
    ClusterSettings,
    ConsoleProcessSettings,
    DelivererProcessSettings,
    ProcessSettings,
    Settings,
)
from tests.chart.values import EVERYTHING

LASTING = ("ingress", "worker", "projector", "deliverer", "console")
# `gateway topics` reads the deliverer's section for one file alone, which is a value of `secrets`.
READS = {
    "ingress": set(Settings.model_fields) - {"worker", "watch", "deliverer", "console"},
    "worker": set(Settings.model_fields) - {"ingress", "readmodel", "deliverer", "console"},
    "projector": set(ProcessSettings.model_fields) - {"deliverer"},
    "deliverer": set(DelivererProcessSettings.model_fields),
    "console": set(ConsoleProcessSettings.model_fields),
    "topics": set(ClusterSettings.model_fields) - {"deliverer"},
}
# A setting of each section with a value that is not the default.
CHANGES = {
    "environment": "staging",
    "kafka": {"client_id": "another"},
    "topics": {"replication": 2},
    "log": {"level": "warning"},
    "admin": {"stalled_after": "50s"},
    "traces": {"sample": 0.5},
    "collate": {"calls_per_second": 7},
    "ingress": {"max_body": 1000},
    "worker": {"max_invocations": 3},
    "watch": {"forget_after": "900d"},
    "readmodel": {"retention": "300d"},
    "deliverer": {"group": "another"},
    "console": {"trust_bearer": True},
}


@pytest.fixture(scope="module")
def templates(render):
    """Return the pods' templates by component, and the names of the Jobs."""

    def templates(values):
        rendered = render(EVERYTHING | values)
        found = {
            labels["app.kubernetes.io/component"]: owner["spec"]["template"]
            for owner, labels, _ in rendered.pods()
            if owner["kind"] in {"Deployment", "StatefulSet"}
        }
        jobs = {"topics": "-topics-", "migrate": "-migrate-"}
        names = [one["metadata"]["name"] for one in rendered.of("Job")]
        return found | {job: [name for name in names if part in name] for job, part in jobs.items()}

    return templates


def test_the_changes_have_every_section():
    assert CHANGES.keys() == set(Settings.model_fields)


@pytest.mark.parametrize("section", CHANGES)
def test_a_setting_restarts_the_processes_that_read_it_and_no_other(templates, section):
    settings = EVERYTHING["settings"]
    own = CHANGES[section]
    after = templates(
        {"settings": settings | {section: settings.get(section, {}) | own if isinstance(own, dict) else own}}
    )
    before = templates({})
    changed = {name for name, template in before.items() if template != after[name]}
    readers = {name for name, sections in READS.items() if section in sections}
    # Ingress checks the read model's retention against it.
    readers |= {"ingress"} if section == "watch" else set()
    assert changed == readers | ({"migrate"} if "projector" in readers else set())


@pytest.mark.parametrize("component", LASTING)
def test_a_process_has_settings_of_its_own_over_the_shared_ones(templates, component):
    own = EVERYTHING.get(component, {}) | {"settings": {"log": {"level": "debug"}}}
    before, after = templates({}), templates({component: own})
    log = {"name": "GATEWAY_LOG__LEVEL", "value": "debug"}
    assert log in after[component]["spec"]["containers"][0]["env"]
    changed = {name for name, template in before.items() if template != after[name]}
    assert changed - {"migrate"} == {component}


def test_a_setting_of_its_own_wins(render):
    rendered = render({"settings": {"log": {"level": "warning"}}, "worker": {"settings": {"log": {"level": "debug"}}}})
    levels = {name: rendered.environment(name)["GATEWAY_LOG__LEVEL"] for name in ("ingress", "worker")}
    assert levels == {"ingress": "warning", "worker": "debug"}


def test_ingress_knows_what_it_reads_of_the_worker(render):
    worker = {"settings": {"worker": {"read_ahead": 900, "max_invocations": 3}, "watch": {"forget_after": "900d"}}}
    found = render({"settings": {"worker": {"group": "g"}}, "worker": worker}).environment("ingress")
    assert {name: value for name, value in found.items() if "_WORKER__" in name or "_WATCH__" in name} == {
        "GATEWAY_WORKER__GROUP": "g",
        "GATEWAY_WORKER__READ_AHEAD": "900",
        "GATEWAY_WORKER__MEMORY_LIMIT": "1GiB",  # of worker.resources.limits.memory
        "GATEWAY_WATCH__FORGET_AFTER": "900d",
    }


def test_a_setting_that_its_process_does_not_read_is_refused(render):
    with pytest.raises(helm.HelmError, match=r"worker\.settings\.readmodel: this process reads only admin, collate"):
        render({"worker": {"settings": {"readmodel": {"retention": "1d"}}}})


def test_a_variable_of_a_platform_replaces_the_setting_of_its_name(render):
    extra = [{"name": "GATEWAY_LOG__LEVEL", "value": "error"}]
    spec = render({"settings": {"log": {"level": "debug"}}, "worker": {"extraEnv": extra}}).one("StatefulSet")["spec"]
    names = [one["name"] for one in spec["template"]["spec"]["containers"][0]["env"]]
    assert names.count("GATEWAY_LOG__LEVEL") == 1
    assert extra[0] in spec["template"]["spec"]["containers"][0]["env"]
