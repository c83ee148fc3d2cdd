"""The deadline of an invocation knows the bounds of an invocation."""

from adapters.collate.call_policy.budget import COMMAND_WAIT_SECONDS
from consumers.applier.steps import WRITE_WITHIN_SECONDS
from consumers.applier.write import MOST_CHECKS
from runtime.settings import processes as settings
from schemas.events.wait_reasons import HoldReason, WaitReason


def test_the_settings_know_the_longest_invocation():
    assert settings.LAST_WRITE_BEGINS.total_seconds() == WRITE_WITHIN_SECONDS
    assert settings.CALL_WAIT.total_seconds() == COMMAND_WAIT_SECONDS
    assert settings.LAST_CALLS == 1 + MOST_CHECKS


def test_a_command_can_wait_for_every_reason_of_the_call_budget():
    assert {reason.value for reason in HoldReason} <= set(WaitReason)
