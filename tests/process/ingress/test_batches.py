import asyncio
import json
import tomllib

import pytest

from schemas.api.messages import BatchedCommands
from schemas.commands import AuthorizationWatch, HandoffClose
from schemas.identity import command_id_from_cloudevent

from .auth.test_signatures import SECRET, STRUCTURED, signed
from .conftest import read_reply

BATCH = "application/cloudevents-batch+json"
WATCH = "collate-gateway.authorization.watch.v1"
CLOSE = "collate-gateway.handoff.close.v1"
COMMANDS = "/v1/commands"


def event(number=0, **change):
    members = {"specversion": "1.0", "id": f"e-{number}", "source": "/desk", "type": WATCH, "subject": f"auth_{number}"}
    return {name: value for name, value in (members | change).items() if value is not None}


async def send(ingress, events, **headers):
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    return await ingress.call("POST", COMMANDS, body, {"content-type": BATCH} | headers)


def results(reply):
    assert reply.status == 207, reply.body
    return BatchedCommands.from_caller(reply.body).results


def slugs(reply):
    return [each.problem and each.problem.type.rpartition(":")[2] for each in results(reply)]


async def test_each_event_of_a_batch_is_a_command(ingress, kafka):
    reply = await send(ingress, [event(1), event(2, data={"metadata": {"case": "42"}})])
    one, two = results(reply)
    assert [(each.index, each.status, each.problem) for each in (one, two)] == [(0, 202, None), (1, 202, None)]
    assert {command.id for command in kafka.read()} == {one.command.command_id, two.command.command_id}
    assert one.command.command_id == command_id_from_cloudevent("desk", "auth_1", "/desk", "e-1")
    assert kafka.read()[1].data == AuthorizationWatch(metadata={"case": "42"})
    assert ingress.metric("batch_events_total", result="accepted") == 2
    assert ingress.metric("batch_events_total", result="rate") == 0


async def test_an_event_of_a_batch_is_the_same_command_as_alone(ingress, kafka):
    alone = await ingress.call("POST", COMMANDS, event(1), {"content-type": "application/cloudevents+json"})
    first, second = results(await send(ingress, [event(1), event(2)]))
    assert first.command.command_id == alone.json["commandId"]
    assert (first.replayed, second.replayed) == (True, None)
    assert len(kafka.commands) == 2


async def test_an_event_twice_in_a_batch_is_one_command(ingress, kafka):
    reply = await send(ingress, [event(1), event(1), event(1, data={"metadata": {"case": "1"}})])
    assert slugs(reply) == [None, None, "idempotency-key-reused"]
    assert results(reply)[1].replayed
    assert len(kafka.commands) == 1


@pytest.mark.parametrize(
    ("wrong", "slug", "pointer"),
    [
        (7, "invalid-command", "/1"),
        (None, "invalid-command", "/1"),
        (event(1, id=7), "invalid-command", "/1/id"),
        (event(1, specversion="0.3"), "invalid-command", "/1/specversion"),
        (event(1, subject="a b"), "invalid-command", "/1/subject"),
        (event(1, type="collate-gateway.handoff.drop.v1"), "invalid-command", "/1/type"),
        (event(1, type=CLOSE, data={"handoffId": "h"}), "invalid-command", "/1/data/result"),
        (event(1, data_base64="e30x"), "malformed-json", None),
        (event(1, datacontenttype="text/plain"), "unsupported-media-type", None),
        (event(1, data={"x": "y" * 70_000}), "body-too-large", None),
    ],
    ids=str,
)
async def test_a_wrong_event_is_rejected_alone(ingress, kafka, wrong, slug, pointer):
    reply = await send(ingress, [event(0), wrong, event(2)])
    assert slugs(reply) == [None, slug, None]
    problem = results(reply)[1].problem
    assert results(reply)[1].status == problem.status
    assert (problem.errors or [None])[0] is None or problem.errors[0].pointer == pointer
    assert [command.authorization_id for command in kafka.read()] == ["auth_0", "auth_2"]
    assert ingress.metric("batch_events_total", result="rejected") == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b"[", 400),
        (b'[{"a":1,"a":2}]', 400),
        (b"\xff", 400),
        (json.dumps([event(number) for number in range(101)]).encode(), 422),
        (b'["' + b"a" * (512 << 10) + b'"]', 413),
    ],
    ids=["object", "cut", "repeated name", "not UTF-8", "101 events", "more than 512 KiB"],
)
async def test_a_body_that_is_no_batch_is_rejected_as_a_whole(ingress, kafka, body, status):
    assert (await send(ingress, body)).status == status
    assert kafka.commands == []


async def test_a_batch_may_have_a_hundred_events_and_512_kib(ingress, kafka):
    padding = {"x": "y" * 4_900}
    events = [event(number, **padding) for number in range(100)]
    assert 480 << 10 < len(json.dumps(events)) < 512 << 10
    assert [each.status for each in results(await send(ingress, events))] == [202] * 100
    assert len(kafka.commands) == 100


async def test_only_a_batch_may_be_larger_than_other_bodies(ingress):
    body = json.dumps([event(0, x="y" * (80 << 10))]).encode()
    for path, content_type in ((COMMANDS, "application/cloudevents+json"), ("/v1/authorizations/a/watch", BATCH)):
        reply = await ingress.call("POST", path, body, {"content-type": content_type, "Idempotency-Key": "1"})
        assert reply.status == 413


async def test_a_batch_in_another_charset_is_rejected(ingress):
    assert (await send(ingress, [], **{"content-type": f"{BATCH}; charset=latin-1"})).status == 415
    assert (await send(ingress, [], **{"content-type": f"{BATCH}; charset=utf-8"})).status == 207


class TestPermissions:
    async def test_each_event_needs_its_own_permission(self, ingress, kafka):
        entry = tomllib.loads(ingress.callers_file.read_text())["caller"][0]["key"][0]
        ingress.use_callers(
            f'[[caller]]\nname = "desk"\npermissions = ["authorization:watch"]\n[[caller.key]]\n'
            f'id = "{entry["id"]}"\nsha256 = "{entry["sha256"]}"\n'
        )
        close = {"handoffId": "mhand_1", "result": {"type": "revoked", "reason": "over"}}
        reply = await send(ingress, [event(1), event(2, type=CLOSE, data=close)])
        assert slugs(reply) == [None, "not-permitted"]
        assert not any(isinstance(command.data, HandoffClose) for command in kafka.read())


class TestRate:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__CALLER_RATE": "0.5", "GATEWAY_INGRESS__CALLER_BURST": "5"}

    async def test_an_event_counts_as_a_request(self, ingress, kafka):
        reply = await send(ingress, [event(number) for number in range(8)])
        assert slugs(reply) == [None] * 5 + ["too-many-requests"] * 3
        assert len(kafka.commands) == 5
        assert ingress.metric("shed_total", reason="rate") == 3
        waits = [each.retry_after for each in results(reply)[5:]]
        assert waits[0] in {5, 6}  # three events at one in two seconds
        assert reply.headers["retry-after"] == str(max(waits))
        assert (await send(ingress, [event(9)])).status == 429


class TestPlaces:
    async def test_a_caller_has_two_batches_at_a_time(self, ingress, kafka, eventually):
        kafka.is_silent = True
        waiting = [asyncio.create_task(send(ingress, [event(number)])) for number in range(2)]
        await eventually(lambda: len(kafka.commands) == 2)
        third = await send(ingress, [event(3)])
        assert (third.status, third.headers["retry-after"]) == (429, "1")
        kafka.confirm()
        assert [(await each).status for each in waiting] == [207, 207]
        kafka.is_silent = False
        assert (await send(ingress, [event(3)])).status == 207

    async def test_an_unfinished_batch_leaves_its_place_to_the_next(self, ingress, eventually):
        body = json.dumps([event(1)]).encode()
        headers = {"Content-Type": BATCH, "Content-Length": str(len(body))}
        slow = []
        for number in range(2):
            slow.append(await ingress.open())
            slow[-1][1].write(ingress.head("POST", "/v1/commands", headers) + b"\r\n" + body[:5])
            await eventually(lambda number=number: ingress.metric("requests_in_flight") == number + 1)
        assert (await send(ingress, [event(2)])).status == 207
        assert (await read_reply(slow[0][0])).status == 408
        slow[1][1].write(body[5:])
        assert (await read_reply(slow[1][0])).status == 207
        for _, writer in slow:
            writer.close()


class TestKafka:
    async def test_the_events_of_different_authorizations_are_produced_together(self, ingress, kafka, eventually):
        kafka.is_silent = True
        reply = asyncio.create_task(send(ingress, [event(number) for number in range(50)]))
        await eventually(lambda: len(kafka.commands) == 50)
        kafka.confirm()
        assert len(results(await reply)) == 50

    async def test_events_of_an_authorization_keep_their_order(self, ingress, kafka):
        events = [event(number, subject="auth_1") for number in range(20)]
        statuses = [each.status for each in results(await send(ingress, events))]
        wanted = [command_id_from_cloudevent("desk", "auth_1", "/desk", f"e-{number}") for number in range(20)]
        assert (statuses, [command.id for command in kafka.read()]) == ([202] * 20, wanted)

    @pytest.mark.usefixtures("silent_kafka")
    async def test_after_a_failure_later_events_of_the_authorization_are_not_sent(self, ingress, kafka):
        reply = await send(ingress, [event(1, subject="a"), event(2, subject="a")])
        first, second = results(reply)
        assert [(each.status, each.problem.kept) for each in (first, second)] == [(503, "unknown"), (503, "no")]
        assert first.retry_after == second.retry_after == 1
        assert (reply.headers["retry-after"], reply.headers["connection"]) == ("1", "close")
        assert len(kafka.commands) == 1
        assert ingress.metric("batch_events_total", result="unavailable") == 2

    async def test_a_batch_after_a_broken_connection_is_the_same_commands(self, ingress, kafka, eventually):
        body = json.dumps([event(1), event(2)]).encode()
        head = ingress.head("POST", COMMANDS, {"content-type": BATCH, "content-length": str(len(body))})
        _, writer = await ingress.open()
        writer.write(head + b"\r\n" + body)
        await writer.drain()
        writer.transport.abort()
        await eventually(lambda: len(kafka.commands) == 2)
        again = results(await send(ingress, [event(1), event(2)]))
        assert [each.replayed for each in again] == [True, True]
        assert len(kafka.commands) == 2


async def test_a_batch_has_one_log_line_without_content(lines, ingress):
    await send(ingress, [event(1, data={"metadata": {"case": "SECRETCASE"}}), event(2, type="nonsense")])
    (line,) = [line for line in lines() if line.get("route") == COMMANDS]
    assert (line["status"], line["events"], line["accepted"]) == (207, 2, 1)
    assert line["problems"] == {"invalid-command": 1}
    assert "SECRETCASE" not in json.dumps(line)


class TestSignature:
    @pytest.fixture
    def ingress(self, ingress, tmp_path):
        (tmp_path / "secret").write_text(SECRET)
        ingress.use_callers(
            '[[caller]]\nname = "intake"\npermissions = ["authorization:watch"]\n'
            f'[[caller.signature]]\nsecret_file = "{tmp_path}/secret"\n'
        )
        ingress.key = None
        return ingress

    async def signed(self, ingress, events, content_type=BATCH):
        body = json.dumps(events).encode()
        headers = signed(body, "msg_batch") | {"content-type": content_type}
        return await ingress.call("POST", f"{COMMANDS}?caller=intake", body, headers)

    async def test_a_batch_is_signed_as_a_whole(self, ingress, kafka):
        assert [each.status for each in results(await self.signed(ingress, [event(1), event(2)]))] == [202, 202]
        assert {command.caller for command in kafka.read()} == {"intake"}
        again = results(await self.signed(ingress, [event(1), event(2)]))
        assert all(each.replayed for each in again)

    async def test_a_signed_event_is_no_batch_and_a_signed_batch_no_event(self, ingress, kafka):
        assert (await self.signed(ingress, event(1))).status == 400
        assert (await self.signed(ingress, [event(1)], STRUCTURED)).status == 400
        assert kafka.commands == []
