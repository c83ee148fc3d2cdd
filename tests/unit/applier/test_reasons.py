"""The sentences of reasons name bounds of the worker, which schemas cannot import."""

from consumers.authorization.recent_callers import MOST_ACCEPTED
from consumers.authorization.retry_policy import MOST_WRITES
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.promises.ends import KEPT_SECONDS


def test_sentences_name_the_bounds_of_the_worker():
    bound = f"{MOST_ACCEPTED} commands for this authorization in {KEPT_SECONDS / 3_600:.0f} hours"
    assert bound in OutcomeReason.TOO_MANY_COMMANDS.advice
    in_words = {8: "eight"}
    assert f"{in_words[MOST_WRITES]} different requests" in DeadLetterCause.TOO_MANY_WRITES.advice
