"""Decisions about many dead letters by filter: only those that the operator saw, in bounded steps."""

from datetime import timedelta

import pytest

from gateway.ingress.commands.appending import AppendFailure, NotAppended
from gateway.ingress.dead_letters import bulk
from schemas.commands import Discard, Redrive
from tests.process.ingress.dead_letters.test_dead_letters import DEAD, add_dead_letters, dead_letter

__all__ = ["add_dead_letters"]
PATH = "/v1/dead-letters/decisions"


async def listed(ingress, query=""):
    reply = (await ingress.get(f"/v1/dead-letters?digest=true{query}")).json
    return {"count": reply["matching"], "digest": reply["digest"], "selection": {"before": reply["at"]}}


async def decide(ingress, seen, decision="discard", **changes):
    body = {"decision": decision, "operator": "op-7", "reason": "collate_recovered", **seen, **changes}
    return await ingress.call("POST", PATH, body)


@pytest.fixture
async def three(add_dead_letters):
    letters = [dead_letter(number, dead_at=DEAD + timedelta(minutes=number)) for number in range(3)]
    await add_dead_letters(*letters)
    return [letter.command_id for letter in letters]


@pytest.mark.parametrize(("decision", "record"), [("discard", Discard), ("redrive", Redrive)])
async def test_all_that_the_operator_saw_are_decided_oldest_first(ingress, kafka, three, decision, record):
    reply = await decide(ingress, await listed(ingress), decision)
    assert (reply.status, reply.json["decided"], reply.json["remaining"]) == (200, three, 0)
    written = [command.data for command in kafka.read()]
    assert [(type(one), one.command_id, one.requested_by) for one in written] == [
        (record, command_id, "op-7") for command_id in three
    ]
    again = await decide(ingress, await listed(ingress), decision)
    assert again.json["decided"] == three
    ids = [envelope.id for envelope in kafka.envelopes()]
    assert ids[:3] == ids[3:], "a repeat is the same decisions"


async def test_nothing_is_decided_if_the_set_has_changed(ingress, kafka, three, add_dead_letters):
    seen = await listed(ingress)
    await add_dead_letters(dead_letter(0, dead_at=DEAD, redrive=1))
    reply = await decide(ingress, seen)
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (409, "dead-letters-changed")
    assert kafka.commands == []
    wrong = seen | {"digest": "0" * 32}
    assert (await decide(ingress, wrong)).status == 409


async def test_a_run_is_bounded_and_goes_on_behind_the_decided_ones(ingress, kafka, three, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_DECISIONS", 2)
    seen = await listed(ingress)
    first = (await decide(ingress, seen)).json
    assert (first["decided"], first["remaining"]) == (three[:2], 1)
    rest = seen | {"count": first["remaining"], "digest": first["digest"], "after": first["next"]}
    second = (await decide(ingress, rest)).json
    assert (second["decided"], second["remaining"], second.get("next")) == (three[2:], 0, None)


async def test_filters_choose_and_what_cannot_be_redriven_is_left_out(ingress, kafka, add_dead_letters):
    broken = dead_letter(7, cause="invalid_record")
    await add_dead_letters(dead_letter(1), broken)
    seen = await listed(ingress, "&cause=invalid_record")
    assert seen["count"] == 1
    chosen = seen | {"selection": seen["selection"] | {"cause": "invalid_record"}}
    reply = await decide(ingress, chosen, "redrive")
    assert reply.json["notDecided"] == [{"commandId": broken.command_id, "problem": "not_redrivable"}]
    assert kafka.commands == []


async def test_without_kafka_nothing_is_decided_and_another_replica_may_be_asked(ingress, kafka, three, monkeypatch):
    def away(_):
        raise ConnectionError

    seen = await listed(ingress)
    monkeypatch.setattr(ingress.components.dead_letters, "_open", away)
    reply = await decide(ingress, seen, "redrive")
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (503, "dead-letters-unread")
    assert (reply.headers["connection"], kafka.commands) == ("close", [])


async def test_a_failure_after_some_decisions_answers_with_these(ingress, three, monkeypatch):
    publisher, seen, records = type(ingress.components.publisher), await listed(ingress), []
    append = publisher.append

    async def append_once(self, *record):
        records.append(record)
        if len(records) > 1:
            return NotAppended(AppendFailure.STOPPING, retry_after_seconds=1.0, is_certain=True)
        return await append(self, *record)

    monkeypatch.setattr(publisher, "append", append_once)
    reply = await decide(ingress, seen)
    assert (reply.status, reply.json["decided"], reply.json["remaining"]) == (200, three[:1], 2)
    assert (await decide(ingress, await listed(ingress))).status == 503


async def test_a_cursor_of_another_place_names_its_field(ingress, three):
    reply = await decide(ingress, await listed(ingress), after="bm90aGluZw")
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/after")
