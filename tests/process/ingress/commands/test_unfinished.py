"""The bound of a caller's unfinished commands (decision 0023)."""

import json
from dataclasses import replace

import pytest

from gateway.ingress.auth.callers import new_key
from schemas.api.messages import BatchedCommands
from schemas.enums import CommandType
from schemas.events import CommandDeadLettered
from schemas.topics import partition_for
from tests.process.ingress.test_batches import CLOSE as CLOSE_TYPE
from tests.process.ingress.test_batches import event, send, slugs
from tests.process.ingress.test_commands import SUBMITTED, finished

CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"


@pytest.fixture
def settings_of():
    return {"GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "3"}


def watch(ingress, number, **headers):
    return ingress.post(f"/v1/authorizations/auth_{number}/watch", key=f"k-{number}", **headers)


async def fill(ingress, count=3):
    replies = [await watch(ingress, number) for number in range(count)]
    assert [reply.status for reply in replies] == [202] * count
    return [reply.json["commandId"] for reply in replies]


def is_full(reply):
    return reply.status == 429 and reply.json["type"] == "urn:collate-gateway:problem:too-many-unfinished"


async def test_a_caller_at_its_bound_gets_429_until_a_command_ends(ingress, kafka, eventually):
    first, *_ = await fill(ingress)
    refused = await watch(ingress, 4)
    assert is_full(refused)
    assert 1 <= int(refused.headers["retry-after"]) <= 900
    assert len(kafka.commands) == 3
    assert ingress.metric("unfinished_commands") == 3
    assert ingress.metric("shed_total", reason="unfinished") == 1
    kafka.publish(finished(first))
    await eventually(lambda: ingress.metric("unfinished_commands") == 2)
    assert (await watch(ingress, 4)).status == 202


async def test_another_caller_is_served(ingress):
    await fill(ingress)
    ours, other = new_key(), new_key()
    entries = [("desk", ours), ("intake", other)]
    ingress.use_callers(
        "".join(f'[[caller]]\nname = "{n}"\npermissions = ["authorization:watch"]\n{k.entry}' for n, k in entries)
    )
    assert is_full(await watch(ingress, 4, authorization=f"Bearer {ours.key}"))
    assert (await watch(ingress, 4, authorization=f"Bearer {other.key}")).status == 202


async def test_a_dead_letter_frees_the_place(ingress, kafka, eventually):
    command_id, *_ = await fill(ingress)
    event = CommandDeadLettered(
        command_id=command_id, command=CommandType.AUTHORIZATION_WATCH, caller="desk", cause="outcome_unknown"
    )
    kafka.publish(replace(finished(command_id), data=event))
    await eventually(lambda: ingress.metric("unfinished_commands") == 2)


async def test_a_remembered_repeat_is_answered_at_the_bound(ingress):
    first, *_ = await fill(ingress)
    again = await watch(ingress, 0)
    assert (again.status, again.json["commandId"], again.headers["idempotency-replayed"]) == (202, first, "true")


async def test_a_flood_of_closes_is_refused_at_a_bound_that_requests_neither_take_nor_lose(ingress, kafka, eventually):
    await fill(ingress)
    accepted = [await ingress.post(CLOSE, SUBMITTED, key=f"c-{number}") for number in range(3)]
    assert [reply.status for reply in accepted] == [202] * 3, "requests take no place of a close"
    assert is_full(await ingress.post(CLOSE, SUBMITTED, key="c-3"))
    assert len(kafka.commands) == 6
    kafka.publish(finished(accepted[0].json["commandId"]))
    await eventually(lambda: ingress.metric("unfinished_commands") == 5)
    assert is_full(await watch(ingress, 4)), "the place of a close is no place of a request"
    assert (await ingress.post(CLOSE, SUBMITTED, key="c-3")).status == 202


async def test_a_certain_failure_gives_the_place_back_and_an_unknown_result_keeps_it(ingress, kafka):
    publisher = ingress.components.publisher
    publisher._max_in_flight = 0
    assert (await watch(ingress, 1)).json["kept"] == "no"
    assert (await ingress.post(CLOSE, SUBMITTED, key="c-1")).json["kept"] == "no"
    assert ingress.metric("unfinished_commands") == 0
    publisher._max_in_flight = 10
    publisher._deadline_seconds = 0.2
    kafka.is_silent = True
    assert (await watch(ingress, 2)).json["kept"] == "unknown"
    assert ingress.metric("unfinished_commands") == 1


async def test_events_of_a_batch_above_the_bound_get_429_and_later_ones_of_their_authorization_503(ingress, kafka):
    await fill(ingress, 1)
    close = {"handoffId": "mhand_1"} | SUBMITTED
    reply = await send(
        ingress,
        [
            event(1),
            event(2),
            event(3),
            event(30, subject="auth_3", type=CLOSE_TYPE, data=close),
            event(4, type=CLOSE_TYPE, data=close),
        ],
    )
    assert slugs(reply) == [None, None, "too-many-unfinished", "unavailable", None]
    assert [command.authorization_id for command in kafka.read()] == ["auth_0", "auth_1", "auth_2", "auth_4"]
    assert ingress.metric("batch_events_total", result="unfinished") == 1
    answer = BatchedCommands.from_caller(reply.body)
    assert (answer.unfinished, answer.ended_per_second) == (3, 0.0)
    assert int(reply.headers["retry-after"]) == max(row.get("retryAfter", 0) for row in reply.json["results"])


class TestPartition:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_WORKER__READ_AHEAD": "48", "GATEWAY_INGRESS__MAX_REPLICAS": "3"}

    async def test_a_caller_fills_a_part_of_the_partition_that_the_record_goes_to(self, ingress, kafka):
        same = [number for number in range(200) if partition_for(f"auth_{number}".encode(), 12) == 0]
        one, two, three, *_ = same
        assert [(await watch(ingress, number)).status for number in (one, two)] == [202, 202]
        assert is_full(await watch(ingress, three))
        other = next(number for number in range(200) if number not in same)
        assert (await watch(ingress, other)).status == 202
        assert [partition == 0 for partition, *_ in kafka.commands] == [True, True, False]


async def test_me_shows_the_bound(ingress):
    assert json.loads((await ingress.get("/v1/me")).body)["limits"]["unfinishedCommands"] == 3
