"""Promise 6: what a person reports is on record; what events say about the payer comes from Collate alone."""

import pytest

from local.event_listener import listening

REPORT = "not_required_observed"
KINDS = {"authorization.changed", "handoff.reconciled", "authorization.settled"}


@pytest.mark.promise(6)
async def test_a_report_that_is_wrong_is_never_published_as_the_payers_truth(gateway):
    (authorization,) = gateway.collate.create(truth="denied")
    opened = await gateway.command(authorization, "handoffs")
    close = {"result": {"type": "completed", "reportedOutcome": REPORT}}
    await gateway.command(authorization, f"handoffs/{opened['handoffId']}/close", close)
    async with listening(gateway.bootstrap, gateway.prefix) as listener:
        settled = await listener.wait_for("authorization.settled", 60)
    assert (settled.data["reported"], settled.data["payer"]["outcome"]) == (REPORT, "denied")
    about_the_payer = [event.data.get("payer", event.data) for event in listener.events if event.kind in KINDS]
    assert {truth.get("outcome") for truth in about_the_payer} == {None, "denied"}
