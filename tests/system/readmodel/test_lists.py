"""The work list, the list of commands and their indexes, on a real PostgreSQL without Kafka."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.queries import AuthorizationById, HandoffPage, TimelinePage
from adapters.postgres.rows import AuthorizationRow, CommandRow, HandoffRow, MinuteRow, Rank, Rows, TimelineRow
from adapters.postgres.store import Store
from adapters.postgres.views import lists
from adapters.postgres.views.lists import CommandPage, IdsByPrefix, TroublesOf
from adapters.postgres.views.overview import OVERVIEW, overview, overview_with_history
from adapters.postgres.views.work import AuthorizationPage
from consumers.projector.fold import fold
from consumers.projector.parsing import SnapshotRecord
from schemas.api.cursor import read_cursor
from schemas.api.lists import Needs
from schemas.api.queries import (
    LABELLED_COMMANDS,
    AuthorizationsQuery,
    CommandsQuery,
    HandoffsQuery,
    TimelineQuery,
)
from schemas.authorization import ActiveHandoff, AuthorizationRecord
from schemas.public_fields import public_json

AT = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)


def minutes(number):
    return AT + timedelta(minutes=number)


def work_list(limit, needs=Needs.PERSON, **query):
    return AuthorizationPage(
        AuthorizationsQuery.model_construct(**{"limit": limit, "needs": needs, "metadata": {}} | query)
    )


def commands_page(limit, **query):
    return CommandPage(CommandsQuery.model_construct(**{"limit": limit, "metadata": {}} | query))


def changed(page, **query):
    return replace(page, query=page.query.model_copy(update=query))


def authorization(name, **changes):
    active_since = changes.get("active_since")
    active = None
    if active_since is not None:
        active = ActiveHandoff(id="mhand_1", state="active", access_available=True, final_submit_capable=True)
    record = AuthorizationRecord(
        sequence=1,
        version=1,
        status="requires_action",
        next_action="complete_payer_interaction",
        receipt_seen=False,
        decision_seen=False,
        active_handoff=active,
        watched_since=AT,
        updated_at=AT,
    )
    row = AuthorizationRow(
        authorization_id=name,
        sequence=1,
        status="requires_action",
        settled=False,
        active_handoff_id=active.id if active else None,
        active_since=None,
        updated_at=AT,
        record=public_json(record),
        handoff_required_at=None if active else changes.get("action_required_at"),
    )
    return replace(row, **changes)


def command(number, authorization_id, **changes):
    command_id, type_ = f"{number:08}-0000-4000-8000-000000000000", "collate-gateway.authorization.watch.v1"
    row = CommandRow(command_id, authorization_id, type_, "intake", accepted_at=AT)
    return replace(row, **changes)


async def test_the_longest_wait_comes_first_and_an_open_handoff_stays_on_the_work_list(database):
    await database.write(
        authorization("later", action_required_at=minutes(9), payer_id="payer_1"),
        authorization("first", action_required_at=minutes(1)),
        authorization("opened", active_since=minutes(5), payer_id="payer_1"),
        authorization("nothing"),
        authorization("wrong", contradicted_at=minutes(2)),
        HandoffRow("opened", "mhand_1", grants=2, operator="jo", grant_expires_at=minutes(8), risk="open_too_long"),
    )
    assert await database.all(work_list(10)) == ["first", "opened", "later"]
    assert await database.all(work_list(10, Needs.HANDOFF)) == ["first", "later"]
    assert await database.all(work_list(10, Needs.CONTRADICTED)) == ["wrong"]
    assert await database.all(work_list(10, payer="payer_1")) == ["opened", "later"]
    assert await database.all(work_list(10, since=minutes(5))) == ["opened", "later"]
    assert await database.all(work_list(10, before=minutes(5))) == ["first"]
    opened = (await work_list(10)(database.connection)).authorizations[1]
    assert opened.waiting_since == minutes(5)
    assert (opened.handoff.last_grant.operator, opened.handoff.grants) == ("jo", 2)
    assert opened.handoff.risk.reason == "open_too_long"


async def test_the_earliest_due_date_comes_first_then_the_longest_wait(database):
    names = ("a", "b", "c", "d", "e")
    # `b` and `d` are due at the same time; `a` and `e` are not due, and `e` waits longer.
    dues, waits = (None, 30, 20, 30, None), (4, 9, 8, 3, 1)
    rows = [
        authorization(name, action_required_at=minutes(wait), payer_id="payer_1")
        for name, wait in zip(names, waits, strict=True)
    ]
    rows = [row if due is None else replace(row, due_at=minutes(due)) for row, due in zip(rows, dues, strict=True)]
    await database.write(
        *rows,
        *(
            replace(
                row,
                authorization_id=f"x{row.authorization_id}",
                payer_id="payer_2",
                action_required_at=None,
                handoff_required_at=None,
                contradicted_at=row.action_required_at,
            )
            for row in rows
        ),
    )
    for page in (work_list(2), work_list(2, Needs.HANDOFF), work_list(2, payer="payer_1")):
        found, after = await database.ids(page)
        while after is not None:
            more, after = await database.ids(replace(page, after=after))
            found += more
        assert found == ["c", "d", "b", "e", "a"], page
    assert await database.all(work_list(9, Needs.CONTRADICTED)) == ["xc", "xd", "xb", "xe", "xa"]


async def test_what_ends_within_the_hour_comes_first_then_what_is_overdue(database):
    now = datetime.now(UTC)
    rows = {  # by name: since when it waits, when it is due, when its handoff ends, its payer; in minutes from now
        "overdue": (-9, -5, None, "payer_2"),
        "due": (-20, 300, None, "payer_1"),
        "ends_first": (-3, None, 0.3, None),
        "ends_next": (-2, -90, 59, "payer_1"),
        "ends_later": (-7, None, 61, "payer_2"),
        "waits": (-30, None, None, "payer_1"),
    }

    def at(number):
        return now + timedelta(minutes=number)

    for name, (since, due, ends, payer) in rows.items():
        times = {"action_required_at": at(since)} if ends is None else {"active_since": at(since)}
        await database.write(
            authorization(name, **times, payer_id=payer, **({} if due is None else {"due_at": at(due)})),
            HandoffRow(name, "mhand_1", risk=None if ends is None else "abandonment", risk_ends_at=ends and at(ends)),
        )
    await database.write(HandoffRow("waits", "mhand_0", risk="abandonment", risk_ends_at=at(1)))  # not an open one
    orders = {
        "urgent": ["ends_first", "ends_next", "overdue", "due", "waits", "ends_later"],
        "due": ["ends_next", "overdue", "due", "waits", "ends_later", "ends_first"],
        "wait": ["waits", "due", "overdue", "ends_later", "ends_first", "ends_next"],
        "payer": ["ends_first", "ends_next", "due", "waits", "overdue", "ends_later"],
    }
    for order, expected in orders.items():
        for limit in (1, 2, 9):
            page = work_list(limit, order=order)
            found, after = await database.ids(page)
            while after is not None:
                more, after = await database.ids(replace(page, after=after))
                found += more
            assert found == expected, (order, limit)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    reports = ((midnight, "agrees"), (now, "contradicts"), (now, None), (midnight - timedelta(seconds=1), "agrees"))
    await database.write(
        *(HandoffRow("done", f"mhand_{n}", closed_at=at, agreement=said) for n, (at, said) in enumerate(reports)),
        command(1, "due", metadata='{"case": "c-1"}'),
        command(2, "due", metadata='{"case": "c-2"}', accepted_at=minutes(1)),
        command(3, "due", accepted_at=minutes(2)),
    )
    numbers = await overview(database.connection)
    assert (numbers.work.closed_today, numbers.work.agreed_today) == (3, 1)
    assert json.loads(await AuthorizationById("due")(database.connection))["metadata"] == {"case": "c-2"}
    assert "metadata" not in json.loads(await AuthorizationById("waits")(database.connection))
    counted = {
        Needs.PERSON: numbers.work.person,
        Needs.OPEN: numbers.active_handoffs,
        Needs.AT_RISK: numbers.work.at_risk,
        Needs.OVERDUE: numbers.work.overdue,
    }
    listed = {needs: await database.all(work_list(9, needs)) for needs in counted}
    assert (
        {needs: len(ids) for needs, ids in listed.items()} == counted == dict(zip(counted, (6, 3, 3, 2), strict=True))
    )
    assert listed[Needs.AT_RISK] == listed[Needs.OPEN] == ["ends_first", "ends_next", "ends_later"]
    assert listed[Needs.OVERDUE] == ["ends_next", "overdue"]


async def test_the_work_list_is_filtered_by_one_command_of_the_authorization(database):
    await database.write(
        *(authorization(name, action_required_at=minutes(1)) for name in ("a", "b", "c")),
        command(1, "a", metadata='{"case": "c-7", "team": "x"}'),
        command(2, "b", caller="portal", metadata='{"case": "c-7"}'),
        command(3, "c", caller="portal", metadata='{"case": "c-8"}'),
        command(4, "c", metadata='{"case": "c-7"}'),
    )
    assert await database.all(work_list(10, caller="portal")) == ["b", "c"]
    assert await database.all(work_list(10, metadata={"case": "c-7"})) == ["a", "b", "c"]
    assert await database.all(work_list(10, metadata={"case": "c-7", "team": "x"})) == ["a"]
    assert await database.all(work_list(10, caller="portal", metadata={"case": "c-7"})) == ["b"]
    assert await database.all(work_list(10, caller="intake", metadata={"case": "c-8"})) == []
    await database.write(command(5, "a", accepted_at=minutes(1)), authorization("d", action_required_at=minutes(2)))
    await database.write(command(6, "b", accepted_at=minutes(1), metadata='{"case": "c-9"}'))
    page = await work_list(10)(database.connection)
    shown = {one.authorization_id: one.metadata for one in page.authorizations}
    # The newest command that has some.
    assert shown == {"a": {"case": "c-7", "team": "x"}, "b": {"case": "c-9"}, "c": {"case": "c-7"}, "d": None}


async def labelled(database):
    rows = await database.connection.execute(
        "SELECT authorization_id, jsonb_array_length(command_labels) FROM authorizations"
        " WHERE command_labels IS NOT NULL"
    )
    return dict(await rows.fetchall())


async def test_an_action_with_another_resolution_waits_for_a_person_but_not_for_a_handoff(database):
    rows, record = Rows(), AuthorizationRecord.EXAMPLE | {"settledAt": None, "activeHandoff": None, "dueAt": None}
    resolutions = {"v2": None, "v3": "manual_handoff", "other": "document_upload"}
    items = [
        SnapshotRecord(
            name,
            AuthorizationRecord.model_validate(
                record
                | {"nextAction": "complete_payer_interaction", "resolution": resolution, "actionRequiredAt": AT}
                | {"watchedSince": AT, "updatedAt": AT, "lastHandoff": None, "status": "requires_action"}
            ),
        )
        for name, resolution in resolutions.items()
    ]
    fold(rows, items)
    await database.write(*rows.authorizations.values())
    assert await database.all(work_list(10, Needs.PERSON)) == ["other", "v2", "v3"]
    assert await database.all(work_list(10, Needs.HANDOFF)) == ["v2", "v3"]
    assert sum((await people_numbers(database.connection)).waiting.values()) == 2
    await database.connection.execute("SET enable_seqscan = off")
    statement, values = work_list(10, Needs.HANDOFF).statement()
    plan = await database.connection.execute("EXPLAIN " + statement, values | {"limit": 11})
    assert "authorizations_handoff" in str(await plan.fetchall())


async def test_the_filters_follow_commands_and_waits_in_any_order(database):
    by_portal = work_list(10, caller="portal")
    await database.write(command(1, "a", caller="portal"), authorization("b", action_required_at=minutes(1)))
    await database.write(authorization("a", action_required_at=minutes(2)))
    await database.write(command(2, "b", caller="portal"), command(3, "b", caller="portal"))
    assert await database.all(by_portal) == ["b", "a"]
    assert await database.all(changed(by_portal, needs=Needs.CONTRADICTED)) == []
    await database.write(authorization("b"), authorization("a", contradicted_at=minutes(3)))
    assert await database.all(by_portal) == []
    assert await database.all(changed(by_portal, needs=Needs.CONTRADICTED)) == ["a"]
    assert await labelled(database) == {"a": 1}, "one that is on no list has no labels"


async def test_the_filters_know_the_newest_commands_of_an_authorization(database):
    await database.write(
        authorization("a", action_required_at=minutes(1)),
        *(command(one, "a", caller=f"caller-{one}", accepted_at=minutes(one)) for one in range(LABELLED_COMMANDS + 1)),
    )
    assert await database.all(work_list(10, caller=f"caller-{LABELLED_COMMANDS}")) == ["a"]
    assert await database.all(work_list(10, caller="caller-1")) == ["a"]
    assert await database.all(work_list(10, caller="caller-0")) == []


async def test_labels_that_are_missing_are_repaired_in_pieces(database, monkeypatch):
    monkeypatch.setattr("adapters.postgres.store._REPAIRED_ROWS", 2)
    names = ["a", "b", "c", "d", "e"]
    await database.write(
        *(authorization(name, action_required_at=minutes(1)) for name in names),
        authorization("wrong", contradicted_at=minutes(2)),
        authorization("nothing"),
        *(command(number, name) for number, name in enumerate(names)),
    )
    await database.connection.execute("UPDATE authorizations SET command_labels = NULL WHERE authorization_id <> 'b'")
    beats = []
    assert await Store(database.connection).repair_labels(lambda: beats.append(1)) == 5
    assert len(beats) == 3
    assert await labelled(database) == dict.fromkeys(names, 1) | {"wrong": 0}
    assert await Store(database.connection).repair_labels() == 0


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_pages_repeat_and_lose_nothing_while_rows_are_written(database, order):
    # Many rows with the same time: the id decides their order.
    waiting = [authorization(f"auth_{one}", action_required_at=minutes(one // 3)) for one in range(9)]
    commands = [command(one, "auth_0", accepted_at=minutes(one // 3)) for one in range(9)]
    await database.write(*waiting, *commands)
    numbers = list(range(9)) if order == "oldest" else list(range(8, -1, -1))
    pages = (work_list(2), [row.authorization_id for row in waiting]), (commands_page(2, order=order), numbers)
    for page, expected in pages:
        found, after = await database.ids(page)
        while after is not None:
            number = len(found)
            # A row before the cursor leaves the list, new ones arrive at both ends, others are updated.
            await database.write(
                authorization(found[0] if isinstance(page, AuthorizationPage) else "auth_9"),
                authorization(f"new_{number}", action_required_at=minutes(100)),
                command(100 + number, "auth_0", accepted_at=minutes(100)),
                command(200 + number, "auth_0", accepted_at=minutes(-100)),
                command(8, "auth_0", accepted_at=minutes(2), status="finished", sequence=number),
            )
            more, after = await database.ids(replace(page, after=after))
            found += more
        assert [one for one in found if one in expected] == expected
        assert len(found) == len(set(found))


async def test_commands_are_found_by_each_filter(database):
    await database.write(
        command(1, "a", status="finished", reason="expired", accepted_at=minutes(1)),
        command(2, "a", caller="portal", status="waiting", reason="backoff", accepted_at=minutes(2)),
        command(3, "b", status="dead_lettered", reason="backoff", accepted_at=minutes(3)),
        command(4, "b", status="dead_lettered", reason="backoff", asked_redrive=1, accepted_at=minutes(4)),
        command(5, "c", type="collate-gateway.handoff.close.v1", metadata='{"case": "c-7"}', accepted_at=minutes(5)),
        command(6, "c", accepted_at=None),
    )
    for filters, expected in (
        ({}, "12345"),
        ({"order": "newest"}, "54321"),
        ({"authorization_id": "a"}, "12"),
        ({"status": "accepted"}, "45"),
        ({"status": "waiting"}, "2"),
        ({"status": "dead_lettered"}, "3"),
        ({"status": "finished"}, "1"),
        ({"kind": "handoff.close"}, "5"),
        ({"kind": "authorization.watch", "caller": "portal"}, "2"),
        ({"reason": "backoff"}, "234"),
        ({"reason": "backoff", "caller": "portal"}, "2"),
        ({"metadata": {"case": "c-7"}}, "5"),
        ({"since": minutes(2), "before": minutes(4)}, "23"),
    ):
        assert await database.all(commands_page(10, **filters)) == [int(one) for one in expected], filters


async def test_a_dead_letter_with_a_pending_redrive_is_accepted_wherever_it_is_shown(database):
    dead = {"status": "dead_lettered", "reason": "outcome_unknown", "sequence": 1}
    await database.write(
        command(1, "a", accepted_at=minutes(1), **dead, asked_redrive=1),
        command(2, "a", accepted_at=minutes(2), **dead),
        command(3, "a", accepted_at=minutes(3), **dead, asked_redrive=1, redrive=1),
    )
    found = (await commands_page(10)(database.connection)).commands
    assert [(one.status, one.redrive, one.waiting is None) for one in found] == [
        ("accepted", 1, True),
        ("dead_lettered", None, False),
        ("dead_lettered", 1, False),
    ]
    assert await database.all(commands_page(10, status="dead_lettered")) == [2, 3]
    shown = await overview(database.connection)
    assert shown.unfinished == {"accepted": 1, "dead_lettered": 2}
    assert [(int(one.command_id[:8]), one.status, one.waiting) for one in shown.oldest] == [(1, "accepted", None)]
    assert [int(one.command_id[:8]) for one in shown.dead_letters] == [2, 3]


async def test_the_unfinished_commands_are_read_by_their_index(database):
    await database.connection.execute("SET enable_seqscan = off")

    async def plan(statement, values=None):
        return str(await (await database.connection.execute("EXPLAIN " + statement, values)).fetchall())

    for status in ("accepted", "waiting", "dead_lettered"):
        statement, values = commands_page(10, status=status).statement()
        assert "commands_unfinished" in await plan(statement, values | {"limit": 11})
    assert (await plan(OVERVIEW)).count("commands_unfinished") == 3


async def test_a_timeline_and_closed_handoffs_are_read_backwards_and_since_a_time(database):
    await database.write(
        *(TimelineRow("a", minutes(one), Rank.EVENT, one, "note", None, "{}") for one in range(4)),
        *(HandoffRow("a", f"h{one}", state="closed", closed_at=minutes(one)) for one in range(4)),
    )

    async def numbers(page):
        found = await page(database.connection)
        if isinstance(page, TimelinePage):
            return [one.sequence for one in found.entries], found.next
        return [int(one.handoff_id[1]) for one in found.handoffs], found.next

    newest = {"limit": 3, "order": "newest"}
    for page, types in (
        (TimelinePage("a", TimelineQuery.model_construct(**newest)), (datetime, int, int)),
        (HandoffPage(HandoffsQuery.model_construct(state="closed", **newest)), (datetime, str, str)),
    ):
        found, following = await numbers(page)
        assert found == [3, 2, 1]
        assert (await numbers(replace(page, after=read_cursor(following, *types))))[0] == [0]
        assert (await numbers(changed(page, since=minutes(2))))[0] == [3, 2]
        assert (await numbers(changed(page, order="oldest", since=minutes(2))))[0] == [2, 3]


async def test_ids_are_found_by_their_beginning_in_the_order_of_their_bytes(database):
    await database.write(
        *(
            authorization(name)
            for name in ("auth_7", "auth_7Q~", "auth_7Qa", "auth_7QZ", "auth_7q", "authX7Q", "auth_8")
        ),
        command(1, "auth_7"),
        command(2, "auth_7"),
    )

    async def found(prefix):
        ids = await IdsByPrefix(prefix)(database.connection)
        return ids.authorizations, [int(one[:8]) for one in ids.commands]

    assert await found("auth_7Q") == (["auth_7QZ", "auth_7Qa", "auth_7Q~"], [])
    assert await found("00000002") == ([], [2])
    plan = await database.connection.execute("EXPLAIN " + lists._IDS, {"prefix": "auth_7Q", "limit": 20})
    text = str(await plan.fetchall())
    assert "authorizations_pkey" in text
    assert "commands_pkey" in text
    assert text.count("Index Cond: ((") == 2, "both ends of the range are those of the index"


async def test_the_overview_counts_what_the_last_minute_brought(database):
    now = datetime.now(UTC)
    await database.write(
        authorization("a"),
        TimelineRow("a", now, Rank.EVENT, 1, "command.finished", None, "{}"),
        TimelineRow("a", now, Rank.EVENT, 2, "handoff.opened", None, "{}"),
        TimelineRow("a", now, Rank.ATTEMPT, 3, "attempt", None, "{}"),
        TimelineRow("a", now - timedelta(minutes=2), Rank.EVENT, 4, "command.finished", None, "{}"),
    )
    found = (await overview(database.connection)).last_minute
    assert (found.finished, found.events, found.attempts) == (1, 2, 1)


async def test_the_overview_counts_the_work_and_names_who_has_it_in_hand(database):
    claim = {"by": "jo", "caller": "people:jo", "since": AT.isoformat()}
    rows = [
        replace(
            row, claimed_by="people:jo", record=json.dumps(json.loads(row.record) | {"activeHandoff": {"claim": claim}})
        )
        for row in (authorization("a", active_since=minutes(1)), authorization("b", active_since=minutes(2)))
    ]
    await database.write(
        *rows,
        authorization("c", action_required_at=minutes(1)),
        authorization("d", contradicted_at=minutes(1)),
        authorization("e"),
        HandoffRow("a", "mhand_1", risk="not_entered"),
        HandoffRow("b", "mhand_0", risk="grant_expired"),  # not the open one
    )
    work = (await overview(database.connection)).work
    assert (work.person, work.contradicted, work.waiting_since, work.at_risk) == (3, 1, minutes(1), 1)
    assert [(one.caller, one.by, one.handoffs) for one in work.claims] == [("people:jo", "jo", 2)]


def claimed(name, by):
    record = json.dumps({"activeHandoff": {"claim": {"by": by, "caller": f"people:{by}", "since": AT.isoformat()}}})
    return replace(authorization(name, active_since=minutes(1)), claimed_by=f"people:{by}", record=record)


def contradicted(name, by):
    last = {"id": "mhand_1", "reported": "submitted", "reportedBy": by, "closedAt": AT.isoformat()}
    return authorization(name, contradicted_at=minutes(2), record=json.dumps({"lastHandoff": last}))


def ended(name, operator, closed_by, at):
    return HandoffRow(name, "mhand_1", closed_at=at, closed_by=closed_by, operator=operator)


async def test_the_troubles_of_a_person_are_found_among_those_of_all_others(database):
    others = range(lists.MOST_TROUBLES + 1)
    await database.write(
        *(contradicted(f"a{number}", "sam") for number in others),
        *(ended(f"a{number}", "sam", "loss", minutes(number)) for number in others),
        *(claimed(name, by) for name, by in (("risk", "jo"), ("calm", "jo"), ("sams", "sam"))),
        HandoffRow("risk", "mhand_1", risk="not_entered", risk_ends_at=minutes(9)),
        HandoffRow("risk", "mhand_0", risk="grant_expired"),  # not the open one
        HandoffRow("sams", "mhand_1", risk="not_entered"),
        ended("lost", "jo", "loss", minutes(3)),
        ended("own", "jo", "us", minutes(4)),
        ended("before", "jo", "expiry", minutes(-1)),
        contradicted("wrong", "jo"),
    )

    async def found(operator, since=None, caller=None):
        troubles = (await TroublesOf(operator, caller, since)(database.connection)).troubles
        return [(str(one.kind), one.authorization_id, one.reason, one.at) for one in troubles]

    mine = [
        ("at_risk", "risk", "not_entered", minutes(9)),
        ("ended", "lost", "loss", minutes(3)),
        ("contradicted", "wrong", "submitted", AT),
    ]
    assert await found("jo", AT) == mine
    assert await found("jo", AT, "people:jo") == mine
    assert await found("jo", AT, "contractors:jo") == mine[1:], "another person of this name has the claim"
    assert await found("jo") == [*mine[:2], ("ended", "before", "expiry", minutes(-1)), mine[2]]
    of_sam = await found("sam")
    assert len(of_sam) == 1 + 2 * lists.MOST_TROUBLES
    assert of_sam[1] == ("ended", f"a{others[-1]}", "loss", minutes(others[-1])), "the newest are not left out"
    assert await found("nobody") == []


async def test_the_history_has_every_minute_of_the_last_hour(database):
    now = (await (await database.connection.execute("SELECT date_trunc('minute', now())")).fetchone())[0]
    await database.write(MinuteRow(now, 1, 2), MinuteRow(now - timedelta(minutes=61), 8, 8))
    await database.write(MinuteRow(now, 3, 0))
    history = (await overview_with_history(database.connection)).history
    assert len(history) == 60
    assert all(after.at - before.at == timedelta(minutes=1) for before, after in itertools.pairwise(history))
    assert {one.at: (one.accepted, one.finished) for one in history}[now] == (4, 2), "counts of batches are added"
    assert sum(one.accepted for one in history) == 4
