"""The queries of the read model on rows that a test writes."""

import json
from datetime import UTC, datetime, timedelta

from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.queries import CommandById
from adapters.postgres.rows import AuthorizationRow, CommandRow, HandoffRow, Rank, TimelineRow
from adapters.postgres.views.overview import overview

COMMAND, OTHER, UNKNOWN = (f"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b1{number}" for number in range(3))


def finished(now, number, caller, reason, minutes=1):
    return CommandRow(
        command_id=f"c-{number}",
        authorization_id=f"auth_{number % 2}",
        type="collate-gateway.authorization.watch.v1",
        caller=caller,
        status="finished",
        outcome="rejected",
        reason=reason,
        changed_at=now - timedelta(minutes=minutes),
    )


async def test_the_overview_names_the_callers_whose_share_is_full(database):
    now = datetime.now(UTC)
    rows = [
        *(finished(now, number, "reporting", "too_many_commands") for number in range(0, 6, 2)),
        finished(now, 7, "reporting", "too_many_commands"),
        finished(now, 8, "portal", "handoff_not_found"),
        finished(now, 10, "intake", "too_many_commands", minutes=11),
    ]
    await database.write(*rows)
    full = (await overview(database.connection)).full_callers
    assert [(one.authorization_id, one.caller, one.rejected) for one in full] == [
        ("auth_0", "reporting", 3),
        ("auth_1", "reporting", 1),
    ]
    assert full[0].last_at == now - timedelta(minutes=1)


async def test_the_status_of_a_waiting_command_has_its_last_calls(database):
    """The seven calls of another command and the call with another result are not among them."""
    now = datetime(2026, 6, 2, 11, 4, 10, tzinfo=UTC)
    command = CommandRow(
        command_id=COMMAND,
        authorization_id="auth_100",
        type="collate-gateway.handoff.request.v1",
        caller="intake",
        status="waiting",
        reason="backoff",
        changed_at=now,
    )

    def call(second, command_id=COMMAND, status=500):
        data = {
            "operation": "get-authorization",
            "result": "ambiguous",
            "status": status,
            "code": "server_error",
            "ms": 3,
        }
        at = now + timedelta(seconds=second)
        return TimelineRow("auth_100", at, Rank.ATTEMPT, 0, "attempt", command_id, json.dumps(data))

    rows = [call(-1, status=503), *map(call, range(8)), *(call(second + 0.5, OTHER) for second in range(7))]
    await database.write(command, *rows)
    found = await CommandById(COMMAND)(database.connection)
    unknown = await CommandById(UNKNOWN)(database.connection)
    calls = found.status.waiting.last_calls
    assert (calls.operation, calls.status, calls.code, calls.count) == ("get-authorization", 500, "server_error", 8)
    assert (calls.since, calls.until) == (now, now + timedelta(seconds=7))
    assert unknown.status is None


def authorization(now, number, *, payer=None, waits=None, handoff=None, is_handoff=True):
    since = None if waits is None else now - waits
    return AuthorizationRow(
        authorization_id=f"auth_{number}",
        sequence=1,
        status="requires_action",
        settled=False,
        active_handoff_id=handoff,
        active_since=now if handoff else None,
        updated_at=now,
        record="{}",
        payer_id=payer,
        action_required_at=since,
        handoff_required_at=since if is_handoff and handoff is None else None,
    )


async def test_the_numbers_of_the_people_show_who_waits_and_what_is_open(database):
    now = datetime.now(UTC)
    authorizations = [
        authorization(now, 1, payer="payer_a", waits=timedelta(minutes=5)),
        authorization(now, 2, payer="payer_a", waits=timedelta(hours=2)),
        authorization(now, 3, waits=timedelta(days=2)),
        authorization(now, 4, waits=timedelta(days=9), is_handoff=False),
        authorization(now, 5, waits=timedelta(days=9), handoff="mh_5"),
        authorization(now, 6, handoff="mh_6"),
        authorization(now, 7),
    ]
    handoffs = [HandoffRow("auth_5", "mh_5", risk="grant_expired"), HandoffRow("auth_7", "mh_7", risk="grant_expired")]
    await database.write(*authorizations, *handoffs)
    numbers = await people_numbers(database.connection)
    assert numbers.waiting == {"15m": 1, "4h": 1, "longer": 1}
    assert numbers.waiting_payers == {"payer_a": 2, None: 1}
    assert timedelta(days=2).total_seconds() <= numbers.oldest_seconds < timedelta(days=2, hours=1).total_seconds()
    assert (numbers.handoffs_open, numbers.handoffs_at_risk) == (2, {"grant_expired": 1})
