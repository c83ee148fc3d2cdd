"""The sentences of reasons name bounds of the worker, which schemas cannot import."""

from consumers.authorization.recent_callers import MOST_ACCEPTED
from consumers.authorization.recent_commands import KEPT_SECONDS
from consumers.authorization.retry_policy import MOST_WRITES
from schemas.events.reasons import DeadLetterCause, OutcomeReason


def test_sentences_name_the_bounds_of_the_worker():
    hours = KEPT_SECONDS / 3_600
    assert f"{MOST_ACCEPTED} commands for this authorization in {hours:.0f} hours" in OutcomeReason.TOO_MANY_COMMANDS.advice
    assert f"{({8: 'eight'})[MOST_WRITES]} different requests" in DeadLetterCause.TOO_MANY_WRITES.advice
