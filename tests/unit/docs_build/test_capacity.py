"""The arithmetic of docs/capacity.md and its bounds."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from consumers.worker import READ_AHEAD_BYTES
from docs_build.capacity import figures
from docs_build.capacity.formulas import EXAMPLES, formulas
from docs_build.capacity.sizes import Calls, Load, observations, open_calls, quick_calls, size_of
from runtime.settings import CollateSettings, TopicSettings, WatchSettings

ROOT = Path(__file__).parents[3]
SMALL = Load(authorizations=10_000, commands_per_day=2_000, calls_per_second=20)
LOADS = st.builds(
    Load,
    authorizations=st.integers(0, 1_000_000),
    commands_per_day=st.integers(1, 5_000_000),
    calls_per_second=st.floats(0.1, 5_000),
)


def test_the_observations_of_an_authorization_follow_the_steps():
    payer = WatchSettings().payer  # 1m until 1h, 10m until 1d, 1h
    assert observations(payer, 0, 3_600) == 60
    assert observations(payer, 3_600, 86_400) == 23 * 6
    assert observations(payer, 86_400, 2 * 86_400) == 24
    assert observations(payer, 1_800, 7_200) == 30 + 6


def test_a_handoff_costs_the_observations_of_its_life():
    # access 12 × 2, open 15 min / 20 s, ended 30 + 48, processing 60, payer 60
    assert open_calls(WatchSettings()) == pytest.approx(24 + 90 + 78)
    assert quick_calls(WatchSettings()) == pytest.approx(60 + 60)


def test_the_steps_of_idle_authorizations_grow_first_and_keep_a_ninth_of_the_observations():
    calls = Calls(commands=1.0, open=4.0, idle=20.0)
    assert calls.slowdowns(25.0) == (1.0, 1.0)
    assert calls.slowdowns(10.0) == (1.0, 4.0)
    assert calls.slowdowns(4.6) == pytest.approx((4.0 / 3.2, 20.0 / 0.4))
    assert calls.slowdowns(1.0) == (math.inf, math.inf)


def fits(size):
    return size.worker_calls_per_second >= size.calls.least(WatchSettings().max_slowdown)


def test_more_workers_get_a_larger_share_of_a_rate_that_two_could_not_use():
    plan = size_of(replace(SMALL, commands_per_day=4_000))
    assert plan.workers > figures.LEAST_REPLICAS
    assert fits(plan)


@given(LOADS)
def test_every_size_is_one_that_the_settings_accept(load):
    size = size_of(load)
    assert 1 <= size.workers <= size.partitions
    assert size.partitions % figures.PARTITIONS == 0
    assert size.concurrency >= size.processes
    assert size.worker_request <= size.worker_limit


def test_each_example_of_the_page_fits():
    assert all(fits(size_of(load)) for load in EXAMPLES.values())


def test_the_defaults_are_those_of_the_settings_and_of_the_chart():
    chart = yaml.safe_load((ROOT / "helm/gateway/values.yaml").read_text())
    resources = chart["worker"]["resources"]
    assert resources["requests"]["memory"] == f"{figures.LEAST_REQUEST_MIB}Mi"
    assert resources["limits"]["memory"] == f"{figures.LEAST_LIMIT_MIB // 1024}Gi"
    assert resources["requests"]["cpu"] == f"{figures.LEAST_MILLICORES}m"
    assert TopicSettings().partitions == figures.PARTITIONS == chart["settings"]["topics"]["partitions"]
    assert READ_AHEAD_BYTES == figures.READ_AHEAD_MIB << 20
    assert CollateSettings.model_fields["max_replicas"].default == 1


def test_the_page_has_the_formulas_with_the_figures_of_the_code():
    page = (ROOT / "docs/capacity.md").read_text()
    assert all(f"| {name} | {formula} |" in page for name, formula in formulas().items())
