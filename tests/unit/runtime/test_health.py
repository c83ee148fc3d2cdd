import pytest

from runtime.health import Health


@pytest.fixture
def health(clock):
    return Health(stalled_after_seconds=30, clock=clock)


def test_a_process_without_components_is_live_but_not_ready(health):
    assert health.live().good
    assert not health.ready().good
    assert not health.startup().good


def test_a_waiting_or_failed_component_does_not_end_liveness(health):
    health.set("kafka", "waiting", "kafka:9092: connection refused")
    health.set("partition 3", "failed", "out of range")
    assert health.live().good
    ready = health.ready()
    assert not ready.good
    assert ready.summary == (
        "not ready: kafka waiting (kafka:9092: connection refused); partition 3 failed (out of range)"
    )


def test_ready_when_every_component_is_ok(health, clock):
    health.expect("kafka", "tail")
    health.set("kafka", "ok")
    assert not health.ready().good
    health.set("tail", "ok")
    clock.now += 7
    result = health.ready()
    assert result.good
    assert result.parts["tail"]["forSeconds"] == 7.0


def test_a_started_process_stays_started(health):
    health.expect("kafka", "tail")
    health.set("kafka", "ok")
    assert health.startup().summary == "not started: tail starting"
    health.set("tail", "ok")
    health.set("kafka", "waiting", "gone")
    assert health.startup().good
    assert not health.ready().good


def test_a_started_process_is_ready_without_a_part_that_is_degraded(health):
    health.expect("kafka", "topics")
    health.set("topics", "ok")
    health.set_away("kafka", "refused")
    assert health.component("kafka").state == "waiting"
    assert not health.ready().good
    assert not health.is_degraded("kafka")
    health.set("kafka", "ok")
    assert (health.ready().summary, health.all_ok()) == ("ready", True)
    health.set_away("kafka", "refused")
    result = health.ready()
    assert (result.good, result.summary) == (True, "ready: kafka degraded (refused)")
    assert result.parts["kafka"]["state"] == "degraded"
    assert health.is_degraded("kafka")
    assert not health.all_ok()
    assert health.startup().good


@pytest.mark.parametrize("state", ["waiting", "failed", "starting"])
def test_a_degraded_part_hides_no_other_reason(health, state):
    health.set("kafka", "ok")
    health.set_away("kafka", "refused")
    health.set("topics", state, "wrong")
    result = health.ready()
    assert (result.good, result.summary) == (False, f"not ready: topics {state} (wrong)")
    assert result.parts["kafka"]["state"] == "degraded"


def test_a_part_that_is_degraded_from_the_start_delays_no_start(health):
    health.expect("kafka")
    health.set("dead_letters", "degraded", "behind")
    health.set("kafka", "ok")
    assert health.startup().good
    assert health.ready().good


def test_a_process_is_not_live_while_a_loop_exceeds_its_limit(health, clock):
    beat = health.beat("reader")
    clock.now += 30
    assert health.live().good
    clock.now += 0.1
    result = health.live()
    assert not result.good
    assert result.summary == "not live: reader failed (last ran 30.1 s ago, at most 30 s are allowed)"
    beat()
    assert health.live().good


def test_a_loop_may_have_its_own_limit(health, clock):
    health.beat("slow", allowed_seconds=300)
    clock.now += 300
    assert health.live().good
    clock.now += 0.1
    assert not health.live().good


def test_a_loop_that_waits_for_another_system_may_be_silent_for_that_time_too(health, clock):
    beat = health.beat("reader")
    beat(20)
    clock.now += 50
    assert health.live().good
    clock.now += 0.1
    assert not health.live().good
    beat()
    clock.now += 30.1
    assert not health.live().good


def test_a_failed_task_ends_liveness_and_readiness(health):
    health.set("kafka", "ok")
    health.task_failed("reader", "KeyError")
    assert not health.live().good
    assert health.ready().summary == "not ready: reader failed (task ended: KeyError)"
