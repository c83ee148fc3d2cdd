"""The check of worker.handler_deadline knows the bounds of an invocation."""

from adapters.collate.call_policy import COMMAND_WAIT_SECONDS
from consumers.applier import delivery, workflow
from runtime.settings import processes as settings


def test_the_settings_know_the_longest_invocation():
    assert settings.LAST_WRITE_BEGINS.total_seconds() == workflow._WRITE_WITHIN_SECONDS
    assert settings.CALL_WAIT.total_seconds() == COMMAND_WAIT_SECONDS
    assert settings.LAST_CALLS == 1 + delivery._MOST_CHECKS
