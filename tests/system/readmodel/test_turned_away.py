"""The payers that turn people away, from events that the projector folds, on a real PostgreSQL without Kafka."""

import itertools
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

import pytest

from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.turned_away import MOST_TURNED_AWAY, TURNED_AWAY
from adapters.postgres.views.overview import overview
from consumers.projector.fold import fold
from consumers.projector.parsing import EventRecord
from schemas.commands import TURNING_AWAY, UNABLE_REASONS
from schemas.enums import AssertedBy, ClosedBy, CloseReport
from schemas.events import HandoffClosed, HandoffOpened
from schemas.records import publish

LOGIN, OUTAGE = "credential_or_mfa_issue", "channel_outage"
SUBMITTED = "submitted"
# The ends without a report of ours: result, cause and report.
UNREPORTED = {
    None: ("expired", ClosedBy.EXPIRY, None),
    "revoked": ("revoked", ClosedBy.US, None),
    "of another actor": ("unable_to_complete", ClosedBy.OTHER, CloseReport.UNABLE_TO_COMPLETE),
}


@dataclass(frozen=True)
class End:
    """A handoff that ended. `what` is a reason, a reported outcome, or a key of UNREPORTED."""

    minutes_ago: float
    what: str | None = LOGIN
    by: str | None = "jo"
    payer: str | None = "payer_a"
    caller: str | None = None


def told(*ends):
    """The same report by persons in turns, the last one `ends` minutes ago."""
    return [End(minutes, by="jo" if number % 2 else "sam") for number, minutes in enumerate(ends)]


@pytest.fixture
def read(database):
    """Write ends of handoffs as the projector does; return what the overview and the metrics say, by payer."""
    names = (f"auth_{number}" for number in itertools.count())

    async def read(*ends):
        now = datetime.now(UTC)
        items = []
        for end in ends:
            name, at = next(names), now - timedelta(minutes=end.minutes_ago)
            events = [
                HandoffOpened(handoff_id="mh", access_available=True, final_submit_capable=True, payer_id=end.payer),
                closed(end),
            ]
            items += [
                EventRecord(publish(event, authorization_id=name, sequence=number, life=1, time=at))
                for number, event in enumerate(events, 1)
            ]
        await database.fold(lambda rows: fold(rows, items))
        found = (await overview(database.connection)).work.turned_away
        counted = (await people_numbers(database.connection)).turned_away
        assert counted == {one.payer_id: one.handoffs for one in found}

        def ago(at):
            return None if at is None else round((now - at).total_seconds() / 60)

        return {one.payer_id: (one.reason, one.handoffs, ago(one.since), ago(one.last_submitted_at)) for one in found}

    return read


def closed(end):
    _, what, by, _, caller = astuple(end)
    is_reason = what not in {*CloseReport, *UNREPORTED}
    told_as = CloseReport.UNABLE_TO_COMPLETE if is_reason else what
    result = "completed_reported" if what == SUBMITTED else "unable_to_complete"
    result, closer, reported = UNREPORTED.get(what, (result, ClosedBy.US, told_as))
    return HandoffClosed(
        handoff_id="mh",
        result=result,
        by=closer,
        reported=reported and CloseReport(reported),
        reason=what if is_reason else None,
        caller=caller or f"people:{by}",
        reported_by=by,
        asserted_by=AssertedBy.CALLER if caller else AssertedBy.PERSON,
    )


async def test_three_reports_of_two_persons_within_two_hours_are_seen_until_the_first_submission(read):
    assert await read(End(300, SUBMITTED), *told(90, 60)) == {}
    assert await read(*told(30)) == {"payer_a": (LOGIN, 3, 90, 300)}
    assert await read(*told(20), End(10, by="kim")) == {"payer_a": (LOGIN, 5, 90, 300)}
    assert await read(End(5, SUBMITTED)) == {}
    assert await read(*told(4, 3)) == {}
    assert await read(*told(2)) == {"payer_a": (LOGIN, 3, 4, 5)}, "only what was reported since then counts"


@pytest.mark.parametrize(
    ("ends", "is_seen"),
    [
        ([End(3), End(2), End(1)], False),
        ([End(3), *told(2, 1, 0.5)], True),
        # The third person back is another one, but the last three are of one.
        ([End(4, by="sam"), End(3), End(2), End(1)], False),
        (told(121, 2, 1), False),
        (told(119, 2, 1), True),
        # Another reason, or a report of another kind, among the last three.
        ([*told(4, 3), End(2, OUTAGE), End(1)], False),
        ([*told(4, 3), End(2, "decision_observed"), End(1, by="sam")], False),
        ([End(4, OUTAGE), *told(3, 2, 1)], True),
        # An end without a report says nothing about the payer.
        *(([*told(4, 3), End(2, unreported), *told(1)], True) for unreported in UNREPORTED),
        ([End(number, by="jo" if number % 2 else "sam", payer=None) for number in (3, 2, 1)], False),
        ([End(3), End(2, by="sam"), End(1, by="sam", payer="payer_b")], False),
        # A service: each name that it states is a person, and without a name it is one itself.
        ([End(3, by=None, caller="desk"), End(2, by=None, caller="desk"), End(1, by=None, caller="desk")], False),
        ([End(3, by=None, caller="desk"), End(2, by=None, caller="portal"), End(1, by=None, caller="desk")], True),
        ([End(3, by="op-7", caller="desk"), End(2, by="op-8", caller="desk"), End(1, by="op-8", caller="desk")], True),
        ([End(3, caller="desk"), End(2), End(1, caller="portal")], False),
    ],
)
async def test_a_payer_is_seen_only_if_the_next_person_would_meet_the_same(read, ends, is_seen):
    assert bool(await read(*ends)) is is_seen


@pytest.mark.parametrize("reason", [*UNABLE_REASONS, "a_newer_reason"])
async def test_only_the_reasons_of_the_table_count(read, reason):
    ends = [End(minutes, reason, by) for minutes, by in ((3, "jo"), (2, "sam"), (1, "jo"))]
    assert bool(await read(*ends)) is (reason in TURNING_AWAY)
    assert {reason for reason, is_met_again in UNABLE_REASONS.items() if is_met_again} == set(TURNING_AWAY)
    assert "other" not in TURNING_AWAY


async def test_each_payer_is_judged_alone_and_at_most_twenty_are_named(read):
    many = [
        End(minutes, by=by, payer=f"payer_{number}")
        for number in range(MOST_TURNED_AWAY + 2)
        for minutes, by in ((3, "jo"), (2, "sam"), (1, "jo"))
    ]
    found = await read(*many, End(0.5, by="sam", payer="payer_20"), End(0.2, SUBMITTED, payer="payer_3"))
    assert len(found) == MOST_TURNED_AWAY
    assert "payer_3" not in found
    first, *others = found
    assert first == "payer_20", "the most handoffs first"
    assert others == sorted(others)


async def test_another_payer_neither_ends_a_refusal_nor_gives_its_last_submission(read):
    other = [End(9, SUBMITTED, payer="payer_b"), End(2.5, payer="payer_b"), End(1.5, OUTAGE, payer="payer_b")]
    assert await read(*told(3, 2, 1), *other, End(0.5, payer="payer_b")) == {"payer_a": (LOGIN, 3, 3, None)}


async def test_the_last_two_hours_and_the_last_submission_are_read_by_their_indexes(database):
    await database.connection.execute("SET enable_seqscan = off")
    plan = str(await (await database.connection.execute(f"EXPLAIN {TURNED_AWAY}")).fetchall())
    for index in ("handoffs_closed", "handoffs_submitted", "timeline_pkey"):
        assert index in plan
