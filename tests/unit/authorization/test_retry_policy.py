import pytest

from consumers.authorization.retry_policy import observation_backoff, pause, stored_fault_seconds
from schemas.events.wait_reasons import WaitReason


@pytest.mark.parametrize(
    ("reason", "tries", "longest"),
    [
        (WaitReason.STALE_READ, 0, 0.2),
        (WaitReason.STALE_READ, 3, 1.6),
        (WaitReason.STALE_READ, 99, 5.0),
        (WaitReason.CLOSING, 0, 0.25),
        (WaitReason.CLOSING, 99, 5.0),
        (WaitReason.BACKOFF, 0, 0.25),
        (WaitReason.BACKOFF, 99, 60.0),
    ],
)
def test_the_pause_of_a_command_doubles_up_to_its_limit_with_full_jitter(reason, tries, longest):
    assert pause(reason, tries, lambda: 0.5) == longest / 2
    assert pause(reason, tries, lambda: 0.0) == 0.05


def test_a_stored_fault_takes_longer_to_believe_with_each_request():
    seconds = [stored_fault_seconds(nth, may_be_running=False) for nth in range(1, 5)]
    assert seconds == [0.0, 4.0, 16.0, 64.0]
    assert stored_fault_seconds(1, may_be_running=True) == 600.0
    assert stored_fault_seconds(7, may_be_running=True) == 4096.0


@pytest.mark.parametrize(
    ("step", "failures", "seconds"), [(5.0, 0, 5.0), (5.0, 2, 20.0), (5.0, 8, 60.0), (3600.0, 8, 3600.0)]
)
def test_a_failed_observation_waits_up_to_a_minute_or_its_own_step(step, failures, seconds):
    assert observation_backoff(step, failures) == seconds
