from adapters.collate.answers import HoldReason
from consumers.applier.delivery import WAIT_REASONS


def test_every_reason_of_the_call_budget_has_a_wait_reason_of_the_same_slug():
    assert set(WAIT_REASONS) == set(HoldReason)
    assert all(reason.value == hold.value for hold, reason in WAIT_REASONS.items())
