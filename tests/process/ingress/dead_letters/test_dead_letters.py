"""The operators' view of dead letters, and their decisions."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from local.phi_keys import new_keys
from schemas.commands import COMMANDS, Discard, HandoffClose, HandoffRequest, Redrive
from schemas.dead_letter import DeadLetter, DeadLetterEnded, OriginalRecord
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandDeadLettered, CommandFinished
from schemas.identity import command_id_from_key, request_id
from schemas.records import RecordedCommand, publish, write_command
from schemas.times import format_time
from tests.process.phi_keys import PHI_KEYS

ACCEPTED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=25)
DEAD = ACCEPTED + timedelta(hours=24)
DECISION = {
    "operator": "op-7",
    "reason": "checked_by_hand",
    "ticket": "OPS-1204",
    "why": "Looked at it in Collate.",
    "redrive": 0,
}
CLOSE = HandoffClose.from_caller(
    json.dumps(
        {
            "handoffId": "mhand_55",
            "result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "Ms Doe called."},
        }
    )
)
WRITE = {
    "n": 1,
    "operation": "complete",
    "handoff_id": "mhand_55",
    "if_match": 7,
    "version": 7,
    "key": "cg1-x",
    "body_digest": "00",
    "first_sent_at": 1.5e9,
}


def dead_letter(number=1, data=CLOSE, *, redrive=0, dead_at=DEAD, cause="outcome_unknown", record=None, **changes):
    authorization = changes.get("authorization_id", f"auth_{number}")
    command_id = command_id_from_key("intake", authorization, f"k-{number}")
    headers, value = record or write_command(
        RecordedCommand(command_id, "intake", authorization, ACCEPTED, data), "/collate-gateway/test", PHI_KEYS
    )
    fields = {
        "command_id": command_id,
        "command": data.TYPE.value,
        "caller": "intake",
        "authorization_id": authorization,
        "accepted_at": ACCEPTED,
        "dead_at": dead_at,
        "cause": cause,
        "advice": "Look in Collate.",
        "redrive": redrive,
        "intents": [WRITE],
        "record": OriginalRecord.of(3, number, headers, value),
    }
    return DeadLetter(**fields | changes)


@pytest.fixture
def add_dead_letters(ingress, kafka, eventually):
    """Append dead letters and wait until the ingress has read them."""

    async def add(*dead_letters):
        for number, one in enumerate(dead_letters):
            kafka.add_dead_letter(one, partition=number % 3)
        last = dead_letters[-1]
        await eventually(
            lambda: (
                (found := ingress.components.dead_letters.index.find(last.command_id, datetime.now(UTC)))
                and found.summary.redrive == last.redrive
            )
        )
        return last

    return add


async def test_a_list_has_no_content_of_callers(ingress, add_dead_letters):
    await add_dead_letters(dead_letter())
    reply = await ingress.get("/v1/dead-letters")
    (shown,) = reply.json["deadLetters"]
    assert (shown["cause"], shown["authorizationId"], shown["writes"], shown["canRedrive"]) == (
        "outcome_unknown",
        "auth_1",
        1,
        True,
    )
    assert b"Doe" not in reply.body


async def test_an_ended_dead_letter_is_not_listed(ingress, kafka, add_dead_letters, eventually):
    first, second = dead_letter(1), dead_letter(2)
    await add_dead_letters(first, second)
    ended = DeadLetterEnded(command_id=first.command_id, redrive=1, outcome=Outcome.APPLIED, ended_at=datetime.now(UTC))
    kafka.end(ended, partition=0)
    await eventually(lambda: len(ingress.components.dead_letters.index) == 1)
    assert [one["commandId"] for one in (await ingress.get("/v1/dead-letters")).json["deadLetters"]] == [
        second.command_id
    ]


async def test_a_failed_redrive_replaces_the_first_dead_letter(ingress, add_dead_letters):
    await add_dead_letters(dead_letter())
    await add_dead_letters(dead_letter(redrive=1, dead_at=DEAD + timedelta(minutes=1)))
    (shown,) = (await ingress.get("/v1/dead-letters")).json["deadLetters"]
    assert shown["redrive"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cause=too_old", [3]),
        ("command=handoff.request", [2]),
        ("command=collate-gateway.handoff.request.v1", [2]),
        ("caller=intake", [1, 2, 3]),
        ("caller=nobody", []),
        ("authorizationId=auth_2", [2]),
        pytest.param(f"since={(DEAD + timedelta(minutes=2)).isoformat()[:-6]}Z", [2, 3], id="since"),
        ("limit=2", [1, 2]),
    ],
)
async def test_a_list_is_filtered_and_sorted_by_age(ingress, add_dead_letters, query, expected):
    # Not in the order of the list.
    await add_dead_letters(
        dead_letter(3, dead_at=DEAD + timedelta(minutes=3), cause="too_old"),
        dead_letter(1, dead_at=DEAD + timedelta(minutes=1)),
        dead_letter(2, HandoffRequest(), dead_at=DEAD + timedelta(minutes=2)),
    )
    reply = await ingress.get(f"/v1/dead-letters?{query}")
    assert [one["authorizationId"] for one in reply.json["deadLetters"]] == [f"auth_{one}" for one in expected]


async def test_a_dead_letter_shows_command_and_writes_without_free_text(ingress, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    reply = await ingress.get(f"/v1/dead-letters/{dead.command_id}")
    assert reply.json["asks"] == {
        "handoffId": "mhand_55",
        "result": {"type": "completed", "reportedOutcome": "submitted"},
    }
    (sent,) = reply.json["sent"]
    assert (sent["n"], sent["operation"], sent["ifMatch"], sent["mayHaveArrived"]) == (1, "complete", 7, True)
    assert (reply.json["partition"], reply.json["offset"]) == (3, 1)
    assert b"Doe" not in reply.body
    assert b"cg1-" not in reply.body


async def test_requests_of_one_time_share_a_fetch_of_its_partition_alone_and_a_fifth_fetch_is_too_many(
    ingress, kafka, add_dead_letters
):
    letters = [dead_letter(number) for number in range(6)]
    await add_dead_letters(*letters)
    kafka.opened.clear()
    shown = await asyncio.gather(*(ingress.get(f"/v1/dead-letters/{letters[1].command_id}") for _ in range(6)))
    assert {one.status for one in shown} == {200}
    assert kafka.opened == [[1]]
    shown = await asyncio.gather(*(ingress.get(f"/v1/dead-letters/{one.command_id}") for one in letters))
    assert sorted(one.status for one in shown) == [200] * 4 + [503] * 2
    assert (await ingress.get(f"/v1/dead-letters/{letters[1].command_id}")).status == 200


async def test_the_original_needs_a_named_operator_and_writes_a_log_line(lines, ingress, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    path = f"/v1/dead-letters/{dead.command_id}/original"
    assert (await ingress.get(path)).status == 400
    reply = await ingress.get(f"{path}?operator=op-7")
    assert reply.json["data"]["result"]["operatorNotes"] == "Ms Doe called."
    (line,) = [line for line in lines() if line["event"] == "ingress.original_revealed"]
    assert (line["operator"], line["caller"], line["command_id"]) == ("op-7", "desk", dead.command_id)
    assert "Doe" not in json.dumps(lines())


async def test_a_command_whose_key_is_missing_names_the_key_and_is_not_redriven(ingress, kafka, add_dead_letters):
    keys = new_keys()
    command = RecordedCommand(command_id_from_key("intake", "auth_1", "k-1"), "intake", "auth_1", ACCEPTED, CLOSE)
    record = write_command(command, "/collate-gateway/test", keys)
    dead = await add_dead_letters(dead_letter(cause="undecryptable", record=record))
    path = f"/v1/dead-letters/{dead.command_id}"
    assert "asks" not in (await ingress.get(path)).json
    assert "data" not in (await ingress.get(f"{path}/original?operator=op-7")).json
    reply = await ingress.post(f"{path}/redrive", DECISION)
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "not-redrivable")
    assert "Add the missing key" in reply.json["detail"]
    assert not any(isinstance(written.data, Redrive) for written in kafka.read())


def reasons_of(data):
    return data.requested_by, data.reason, data.ticket, data.why


async def test_a_redrive_record_has_operator_reason_and_last_write(lines, ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    reply = await ingress.post(f"/v1/dead-letters/{dead.command_id}/redrive", DECISION)
    (command,) = kafka.read()
    assert (reply.status, reply.json["commandId"], reply.json["status"]) == (202, dead.command_id, "accepted")
    assert isinstance(command.data, Redrive)
    assert (command.id, command.redrive) == (request_id("redrive", dead.command_id, 1), 1)
    assert (command.caller, command.authorization_id) == ("desk", "auth_1")
    assert reasons_of(command.data) == ("op-7", "checked_by_hand", "OPS-1204", "Looked at it in Collate.")
    assert command.data.intent == WRITE
    original = command.data.command
    assert (original.type, original.caller, original.accepted_at) == (CommandType.HANDOFF_CLOSE, "intake", ACCEPTED)
    assert COMMANDS[original.type].from_record(json.dumps(original.data)) == CLOSE
    assert "Looked" not in json.dumps(lines())


async def test_a_retry_of_a_redrive_is_the_same_record(ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    for _ in range(2):
        assert (await ingress.post(f"/v1/dead-letters/{dead.command_id}/redrive", DECISION)).status == 202
    first, second = kafka.read()
    assert (first.id, first.data) == (second.id, second.data)


async def test_a_second_redrive_has_the_callers_original_command(ingress, kafka, add_dead_letters):
    first = await add_dead_letters(dead_letter())
    await ingress.post(f"/v1/dead-letters/{first.command_id}/redrive", DECISION)
    (_, _, headers, value) = kafka.commands[0]
    again = await add_dead_letters(dead_letter(redrive=1, record=(headers, value)))
    reply = await ingress.post(f"/v1/dead-letters/{again.command_id}/redrive", DECISION | {"redrive": 1})
    assert reply.status == 202
    before, after = kafka.read()
    assert (after.redrive, after.data.command) == (2, before.data.command)


async def test_a_decision_on_an_older_dead_letter_gets_409(ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter(redrive=1))
    for deciding in ("redrive", "discard"):
        reply = await ingress.post(f"/v1/dead-letters/{dead.command_id}/{deciding}", DECISION)
        assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "dead-letter-moved")
    assert kafka.commands == []


def ended(dead, kind=CommandDeadLettered, **fields):
    """The event with which the command of a dead letter ends, or becomes a dead letter again."""
    if kind is CommandDeadLettered:
        fields["cause"] = "outcome_unknown"
    data = kind(command_id=dead.command_id, command=CommandType.HANDOFF_CLOSE, caller="intake", **fields)
    now = datetime.now(UTC)
    return publish(data, authorization_id="auth_1", causation_id=dead.command_id, sequence=1, life=1, time=now)


@pytest.mark.parametrize("outcome", ["applied", "rejected"])
async def test_a_waiting_request_returns_the_outcome(ingress, kafka, add_dead_letters, eventually, outcome):
    dead = await add_dead_letters(dead_letter())
    end = ended(dead, CommandFinished, redrive=1, outcome=Outcome(outcome), effect=Effect.NONE)
    asking = asyncio.create_task(
        ingress.post(f"/v1/dead-letters/{dead.command_id}/redrive", DECISION, Prefer="wait=10")
    )
    await eventually(lambda: kafka.commands)
    kafka.publish(end)
    reply = await asking
    assert (reply.status, reply.json["outcome"], reply.json["redrive"]) == (200, outcome, 1)


async def test_a_waiting_request_passes_the_dead_letter_of_before_and_returns_that_the_redrive_failed(
    ingress, kafka, add_dead_letters, eventually
):
    dead = await add_dead_letters(dead_letter())
    asking = asyncio.create_task(
        ingress.post(f"/v1/dead-letters/{dead.command_id}/redrive", DECISION, Prefer="wait=10")
    )
    await eventually(lambda: kafka.commands)
    kafka.publish(ended(dead))  # the tail of `events` is behind that of the dead letters
    assert (await asyncio.wait({asking}, timeout=0.2))[1], "the request still waits"
    kafka.publish(ended(dead, redrive=1))
    reply = await asking
    assert (reply.status, reply.json["status"], reply.json.get("redrive")) == (202, "dead_lettered", 1)


async def test_yesterdays_page_decides_no_dead_letter_of_today(ingress, kafka, add_dead_letters):
    """A day after its end the same key is another command, and its first dead letter has the number 0 again."""
    dead = await add_dead_letters(dead_letter())
    (seen,) = (await ingress.call("GET", "/v1/dead-letters")).json["deadLetters"]
    yesterday = DECISION | {"deadAt": format_time(dead.dead_at - timedelta(days=1))}
    for deciding in ("redrive", "discard"):
        path = f"/v1/dead-letters/{dead.command_id}/{deciding}"
        reply = await ingress.post(path, yesterday)
        assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "dead-letter-moved")
        assert kafka.commands == []
    assert (await ingress.post(path, DECISION | {"deadAt": seen["deadAt"]})).status == 202


async def test_a_waiting_discard_is_told_that_a_redrive_came_first(ingress, kafka, add_dead_letters, eventually):
    dead = await add_dead_letters(dead_letter())
    path = f"/v1/dead-letters/{dead.command_id}"
    assert (await ingress.post(f"{path}/redrive", DECISION)).status == 202
    asking = asyncio.create_task(ingress.post(f"{path}/discard", DECISION, Prefer="wait=10"))
    await eventually(lambda: len(kafka.commands) == 2)
    kafka.publish(ended(dead, redrive=1))
    reply = await asking
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "dead-letter-moved")
    assert "decision was about number 0" in reply.json["detail"]


async def test_a_discard_record_has_operator_and_reason(ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    reply = await ingress.post(f"/v1/dead-letters/{dead.command_id}/discard", DECISION)
    (command,) = kafka.read()
    assert reply.status == 202
    assert isinstance(command.data, Discard)
    assert (command.id, command.data.command_id) == (request_id("discard", dead.command_id, 0), dead.command_id)
    assert command.data.redrive == 0
    assert reasons_of(command.data) == ("op-7", "checked_by_hand", "OPS-1204", "Looked at it in Collate.")


async def test_an_unreadable_record_can_only_be_discarded(ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter(cause="invalid_record", record=((), b"hello"), intents=[]))
    path = f"/v1/dead-letters/{dead.command_id}"
    shown = (await ingress.get(path)).json
    assert (shown["canRedrive"], "asks" in shown) == (False, False)
    reply = await ingress.post(f"{path}/redrive", DECISION)
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "not-redrivable")
    assert (await ingress.post(f"{path}/discard", DECISION)).status == 202
    assert len(kafka.commands) == 1


async def test_without_an_authorization_there_is_no_decision(ingress, kafka, add_dead_letters):
    dead = await add_dead_letters(dead_letter(cause="invalid_record", authorization_id="no id at all"))
    path = f"/v1/dead-letters/{dead.command_id}"
    assert "authorizationId" not in (await ingress.get(path)).json
    assert (await ingress.post(f"{path}/discard", DECISION)).status == 409
    assert kafka.commands == []


BARE = {"operator": "op-7", "reason": "caller_asked", "redrive": 0}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operator": "op-7", "redrive": 0},
        {"operator": "op-7", "why": "Looked at it in Collate.", "redrive": 0},
        BARE | {"reason": "Ms Doe called."},
        BARE | {"reason": "a_word_of_next_year"},
        BARE | {"ticket": "Ms Doe"},
        BARE | {"ticket": ""},
        BARE | {"why": ""},
        BARE | {"operator": ""},
        BARE | {"x": 1},
    ],
)
async def test_operator_and_reason_are_required_and_well_formed(ingress, kafka, add_dead_letters, body):
    dead = await add_dead_letters(dead_letter())
    assert (await ingress.post(f"/v1/dead-letters/{dead.command_id}/discard", body)).status == 422
    assert kafka.commands == []


async def test_a_command_without_dead_letter_is_not_found(ingress):
    path = f"/v1/dead-letters/{command_id_from_key('a', 'b', 'c')}"
    assert (await ingress.get(path)).json["type"].endswith("not-a-dead-letter")
    assert (await ingress.post(f"{path}/redrive", DECISION)).status == 404
    assert (await ingress.get("/v1/dead-letters/none")).status == 400


async def test_unreadable_dead_letters_are_503_for_operators_only(ingress, kafka, add_dead_letters, eventually):
    dead = await add_dead_letters(dead_letter())
    kafka.dead_letters_unavailable = True
    await eventually(lambda: not ingress.components.dead_letters.is_caught_up)
    for path in ("/v1/dead-letters", f"/v1/dead-letters/{dead.command_id}"):
        reply = await ingress.get(path)
        assert (reply.status, reply.headers["retry-after"], reply.headers["connection"]) == (503, "2", "close")
    assert (await ingress.post("/v1/authorizations/auth_1/handoffs")).status == 202
    assert ingress.process.health.ready().good
    assert ingress.process.health.is_degraded("dead_letters")
    assert ingress.metric("degraded", part="dead_letters") == 1
    kafka.dead_letters_unavailable = False
    await eventually(lambda: ingress.components.dead_letters.is_caught_up)
    assert (await ingress.get(f"/v1/dead-letters/{dead.command_id}")).status == 200


async def test_a_decision_without_kafka_is_503_and_not_accepted(ingress, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    ingress.lose_kafka()
    reply = await ingress.post(f"/v1/dead-letters/{dead.command_id}/redrive", DECISION)
    assert (reply.status, reply.json["kept"], reply.headers["connection"]) == (503, "no", "close")


async def test_a_situation_is_collates_current_state(ingress, collate, add_dead_letters):
    (authorization,) = collate.create("handoff_active", review_backed=True)
    dead = await add_dead_letters(dead_letter(1, HandoffRequest(), authorization_id=authorization))
    reply = await ingress.get(f"/v1/dead-letters/{dead.command_id}/situation")
    assert reply.status == 200
    assert (reply.json["status"], reply.json["nextAction"]) == ("requires_action", "complete_payer_interaction")
    assert reply.json["handoff"]["id"] == reply.json["activeHandoffId"]
    assert reply.json["handoff"]["state"] == "active"


async def test_a_situation_of_an_unknown_authorization_is_collates_404(ingress, add_dead_letters):
    dead = await add_dead_letters(dead_letter())
    reply = await ingress.get(f"/v1/dead-letters/{dead.command_id}/situation")
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (404, "authorization-not-found")


async def test_open_dead_letters_are_counted_by_cause(ingress, kafka, add_dead_letters):
    await add_dead_letters(dead_letter(1), dead_letter(2), dead_letter(3, cause="too_old"))
    value = ingress.process.registry.get_sample_value
    name = "collate_gateway_dead_letters_open"
    assert value(name, {"cause": "outcome_unknown"}) == 2
    assert value(name, {"cause": "too_old"}) == 1
