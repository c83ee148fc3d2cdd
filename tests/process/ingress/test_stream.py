import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from gateway.ingress.auth.callers import new_key
from gateway.ingress.event_stream import stream as module
from gateway.ingress.event_stream import stream_route
from local.issuer import LocalIssuer
from local.processes.patience import within
from schemas.enums import EventType
from schemas.events import AuthorizationActionRequired, HandoffOpened
from schemas.records import publish

START = ".".join(["0"] * 12)  # before the first event of every partition
OPENED = HandoffOpened(handoff_id="mhand_1", access_available=True, final_submit_capable=False)
REQUIRED = AuthorizationActionRequired(action="complete_payer_interaction")


def opened(sequence, authorization="auth_1", event=OPENED):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return publish(event, authorization_id=authorization, sequence=sequence, life=1, time=at)


def required(sequence):
    return opened(sequence, event=REQUIRED)


class Stream:
    """A client's side of the event stream."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.last_id = None

    async def frame(self):
        """The next frame with data, as (event, data)."""
        event = data = None
        async with within(20):
            while True:
                name, value = await self._field()
                if name == "event":
                    event = value
                elif name == "data":
                    data = json.loads(value)
                elif not name and data is not None:
                    return event, data

    async def place(self):
        """The position in the next heartbeat."""
        self.last_id = None
        async with within(5):
            while await self._field() != ("", "still here"):
                pass
        return self.last_id

    async def sequence(self):
        return int((await self.frame())[1]["sequence"])

    async def _field(self):
        """The next line, as (name, value): a comment has no name."""
        line = (await self.reader.readuntil(b"\n")).rstrip(b"\r\n").decode()
        name, _, value = line.partition(": ")
        if name == "id":
            self.last_id = value
        return name, value

    def close(self):
        self.writer.close()


@pytest.fixture
async def connect(ingress):
    streams = []

    async def connect(query="", last_id=None):
        reader, writer = await ingress.open()
        writer.write(ingress.head("GET", f"/v1/events{query}", {"Last-Event-ID": last_id}) + b"\r\n")
        async with within(20):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"200 OK" in head, head + await reader.read(500)
            assert b"text/event-stream" in head
            stream = Stream(reader, writer)
            streams.append(stream)
            first = await reader.readuntil(b": connected\n")
            stream.last_id = first.decode().split("id: ")[1].split("\n")[0]
        return stream

    yield connect
    for stream in streams:
        stream.close()


async def test_a_client_receives_events_from_now_on(ingress, kafka, connect, eventually):
    kafka.publish(opened(1))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)
    stream = await connect()
    kafka.publish(opened(2))
    kafka.publish(required(3), partition=5)
    event, data = await stream.frame()
    assert event == data["type"] == EventType.HANDOFF_OPENED
    assert (data["subject"], data["data"]["handoffId"]) == ("auth_1", "mhand_1")
    assert (data["sequence"], data["dataschema"]) == ("00000000000000000002", "urn:collate-gateway:handoff:opened:v1")
    assert await stream.sequence() == 3


async def test_a_stream_resumes_from_every_id(kafka, connect):
    stream = await connect()
    ids = {}
    for sequence in range(1, 6):
        kafka.publish(opened(sequence))
        assert await stream.sequence() == sequence
        ids[sequence] = stream.last_id
    for sequence, last_id in ids.items():
        again = await connect(last_id=last_id)
        kafka.publish(opened(100 + sequence), partition=1)
        rest = [await again.sequence() for _ in range(5 - sequence)]
        assert rest == list(range(sequence + 1, 6))


async def test_events_during_the_catch_up_are_sent_once(kafka, connect, eventually):
    stream = await connect()
    for sequence in range(1, 200):
        kafka.publish(opened(sequence))
    connecting = asyncio.create_task(connect(last_id=START))
    for sequence in range(200, 400):
        kafka.publish(opened(sequence))
        await asyncio.sleep(0)
    again = await connecting
    assert [await again.sequence() for _ in range(399)] == list(range(1, 400))
    assert [await stream.sequence() for _ in range(399)] == list(range(1, 400))


async def test_a_client_receives_only_events_of_its_filter(kafka, connect):
    by_type = await connect(f"?type={EventType.AUTHORIZATION_ACTION_REQUIRED}")
    by_authorization = await connect("?authorizationId=auth_2&authorizationId=auth_3")
    for sequence, authorization in enumerate(["auth_1", "auth_2", "auth_3"], 1):
        kafka.publish(opened(sequence, authorization))
    kafka.publish(required(4))
    assert await by_type.sequence() == 4
    assert [await by_authorization.sequence() for _ in range(2)] == [2, 3]


async def test_a_filter_applies_to_past_events(kafka, connect):
    for sequence, authorization in enumerate(["auth_1", "auth_2", "auth_3"], 1):
        kafka.publish(opened(sequence, authorization))
    stream = await connect("?authorizationId=auth_2", last_id=START)
    assert await stream.sequence() == 2


async def test_a_quiet_stream_has_heartbeats(monkeypatch, connect):
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    stream = await connect()
    async with within(10):
        await stream.reader.readuntil(b": still here\n\n")


async def test_a_client_without_an_event_of_its_filter_receives_its_place(
    monkeypatch, ingress, kafka, connect, eventually
):
    kafka.publish(opened(1))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)
    stream = await connect("?authorizationId=auth_9", last_id=START)
    assert (await stream.place())[0] == "1"
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    kafka.publish(opened(2, "auth_9"))
    kafka.publish(opened(3))
    assert await stream.sequence() == 2
    while (await stream.place())[0] != "3":
        pass


@pytest.fixture
async def slow_history(ingress, kafka, eventually, monkeypatch):
    """A history of one event that never ends and has none for the client."""

    class Source:
        def seek(self, positions):
            self.at = dict(positions)

        async def read(self):
            await asyncio.sleep(0.01)
            return {}

        async def positions(self):
            return self.at

    @asynccontextmanager
    async def open_history():
        yield Source()

    monkeypatch.setattr(ingress.components.streams, "_open_history", open_history)
    kafka.publish(opened(1))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)


@pytest.mark.usefixtures("slow_history")
async def test_a_client_that_leaves_during_the_catch_up_frees_its_slot(
    monkeypatch, ingress, kafka, connect, eventually
):
    monkeypatch.setattr(stream_route, "MAX_CATCHING_UP", 2)  # one for each caller
    stream = await connect(last_id=START)
    assert (await ingress.get("/v1/events", Last_Event_ID=START)).status == 503
    stream.close()
    await eventually(lambda: ingress.metric("streams") == 0)
    await connect(last_id=START)


@pytest.mark.usefixtures("slow_history")
async def test_one_caller_cannot_take_all_places_for_the_history(ingress, kafka, connect, eventually):
    other = new_key()
    caller = f'[[caller]]\nname = "other"\npermissions = ["authorization:read"]\n{other.entry}'
    ingress.add_callers(caller)
    streams = [await connect(last_id=START) for _ in range(stream_route.MAX_CATCHING_UP // 2)]
    assert (await ingress.get("/v1/events", Last_Event_ID=START)).status == 503
    ingress.key = other.key
    streams.append(await connect(last_id=START))
    for stream in streams:
        stream.close()


@pytest.fixture
def people(ingress):
    """Let the ingress send as this person."""
    with LocalIssuer() as issuer:
        entry = issuer.callers_file_entry({"staff": ["authorization:read"]})
        ingress.add_callers(entry)

        def become(name):
            ingress.key = issuer.token(name, ["staff"])

        yield become


@pytest.mark.parametrize("settings_of", [{"GATEWAY_INGRESS__MAX_STREAMS": "4"}])
async def test_all_people_of_a_prefix_share_half_of_the_streams(ingress, people, connect):
    service = ingress.key
    for name in ("jo", "sam"):
        people(name)
        await connect()
    people("alex")
    reply = await ingress.get("/v1/events")
    assert (reply.status, "retry-after" in reply.headers) == (503, True)
    ingress.key = service
    await connect()


@pytest.mark.usefixtures("slow_history")
async def test_all_people_of_a_prefix_share_the_places_for_the_history(ingress, kafka, people, connect, eventually):
    service = ingress.key
    for number in range(stream_route.MAX_CATCHING_UP // 2):
        people(f"jo-{number}")
        await connect(last_id=START)
    people("alex")
    assert (await ingress.get("/v1/events", Last_Event_ID=START)).status == 503
    ingress.key = service
    await connect(last_id=START)


@pytest.mark.usefixtures("slow_history")
async def test_a_long_catch_up_has_heartbeats_and_ends_with_the_process(
    monkeypatch, ingress, kafka, connect, eventually
):
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    stream = await connect(last_id=START)
    async with within(10):
        await stream.reader.readuntil(b": still here\n\n")
    ingress.components.streams.stop()
    assert await stream.frame() == ("stream.ended", {"reason": "stopping"})


async def test_a_slow_client_gets_the_reason_and_is_disconnected(monkeypatch, ingress, kafka, connect, eventually):
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    stream = await connect()
    for sequence in range(1, 50):
        kafka.publish(opened(sequence))
    while (frame := await stream.frame())[0] != "stream.ended":
        pass
    assert frame[1] == {"reason": "slow"}
    await eventually(lambda: ingress.metric("streams") == 0)


async def test_a_client_that_reads_nothing_is_disconnected(monkeypatch, ingress, kafka, connect, eventually):
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.1)
    await connect()

    def flood():
        for sequence in range(1, 400):
            kafka.publish(opened(sequence))
        return ingress.metric("streams") == 0

    await eventually(flood)


async def test_a_client_that_left_is_removed(ingress, connect, eventually):
    stream = await connect()
    assert ingress.metric("streams") == 1
    stream.close()
    await eventually(lambda: ingress.metric("streams") == 0)
    assert ingress.metric("requests_in_flight") == 0


async def test_a_stopping_process_ends_streams_with_a_reason(ingress, connect):
    stream = await connect()
    ingress.components.streams.stop()
    assert await stream.frame() == ("stream.ended", {"reason": "stopping"})
    assert (await ingress.get("/v1/events")).status == 503


class TestLife:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__STREAM_LIFE": "1ms"}

    async def test_a_stream_ends_after_its_life(self, connect):
        assert await (await connect()).frame() == ("stream.ended", {"reason": "renew"})

    @pytest.mark.parametrize(("query", "read"), [("", [1]), ("?authorizationId=auth_9", [])], ids=["all", "none"])
    async def test_a_stream_that_catches_up_ends_too_and_resumes_where_it_was(
        self, ingress, kafka, connect, eventually, *, query, read
    ):
        for sequence in range(1, 11):
            kafka.publish(opened(sequence))
        await eventually(lambda: ingress.components.tail.vector()[0] == 10)
        stream = await connect(query, last_id=START)
        received = [await stream.sequence() for _ in read]
        assert received == read
        assert await stream.frame() == ("stream.ended", {"reason": "renew"})
        assert stream.last_id.partition(".")[0] == str(len(read) or 10)


class TestBounds:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_STREAMS": "20"}

    async def test_the_streams_of_a_caller_are_bounded(self, ingress, connect, eventually):
        first = await connect()
        await connect()
        reply = await ingress.get("/v1/events")
        assert (reply.status, reply.json["type"].rpartition(":")[2]) == (503, "overloaded")
        assert ingress.metric("shed_total", reason="streams") == 1
        first.close()
        await eventually(lambda: ingress.metric("streams") == 1)
        await connect()


async def test_a_head_request_ends_immediately(ingress):
    assert (await ingress.raw(ingress.head("HEAD", "/v1/events", {}) + b"\r\n")).status == 200
