"""The stream of events: it resumes behind the last event that it returned, drops repeats and counts what is missing."""

import json

import httpx
import pytest

from collate_gateway_client import GatewayProblem, NotAnswered, progress
from collate_gateway_client.progress import StreamProgress
from collate_gateway_client.sse import Frame

CONNECTED = b"retry: 2000\nid: 0.0\n: connected\n\n"
HEARTBEAT = b": still here\n\n"


def structured(authorization, sequence, **changes):
    return {
        "specversion": "1.0",
        "id": f"{authorization}-{sequence}",
        "source": "/collate-gateway/test",
        "type": "collate-gateway.handoff.opened.v1",
        "subject": authorization,
        "time": "2026-06-02T14:06:01Z",
        "sequence": f"{sequence:020}",
        "data": {"handoffId": "mhand_55"},
    } | changes


def event(position, authorization, sequence, **changes):
    data = json.dumps(structured(authorization, sequence, **changes))
    return f"id: {position}\nevent: collate-gateway.handoff.opened.v1\ndata: {data}\n\n".encode()


def ended(reason):
    return b'event: stream.ended\ndata: {"reason":"%s"}\n\n' % reason.encode()


def stream(*pieces):
    """Return an answer with these pieces; an exception cuts the connection."""

    def content():
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    return lambda _: httpx.Response(200, content=content(), headers={"content-type": "text/event-stream"})


def problem(status, **headers):
    return httpx.Response(status, json={"title": "T", "type": "urn:collate-gateway:problem:x"}, headers=headers)


def positions(gateway):
    return [request.headers.get("last-event-id") for request in gateway.requests]


def take(events, count):
    return [(one.authorization_id, one.sequence, one.missing) for one in (next(events) for _ in range(count))]


def test_it_resumes_behind_the_last_event_that_was_returned(answering):
    gateway = answering(
        stream(CONNECTED, event("1.0", "a", 1) + event("1.1", "b", 1), b"id: 2.1\ndata: {", httpx.ReadError("cut")),
        stream(b"id: 1.1\n: connected\n\n", event("2.1", "a", 2)),
    )
    events = gateway.events()
    assert take(events, 3) == [("a", 1, 0), ("b", 1, 0), ("a", 2, 0)]
    assert positions(gateway) == [None, "1.1"]
    assert (events.position, events.reconnects) == ("2.1", 1)


def test_a_stream_without_an_event_resumes_where_it_began(answering):
    gateway = answering(stream(CONNECTED, HEARTBEAT, httpx.ReadTimeout("silent")), stream(event("0.1", "a", 1)))
    assert take(gateway.events(), 1) == [("a", 1, 0)]
    assert positions(gateway) == [None, "0.0"]


def test_the_block_begins_when_the_stream_is_open(answering, clock):
    gateway = answering(problem(503, **{"retry-after": "3"}), stream(CONNECTED, event("1.0", "a", 1)))
    with gateway.events() as events:
        assert events.position == "0.0"
        assert clock.pauses == [pytest.approx(4)]
        assert take(events, 1) == [("a", 1, 0)]


def test_a_stored_position_is_resumed(answering):
    gateway = answering(stream(b"id: 5.5\n: connected\n\n", event("6.5", "a", 7)))
    first = next(gateway.events(after="5.5"))
    assert positions(gateway) == ["5.5"]
    assert (first.position, first.sequence, first.type) == ("6.5", 7, "collate-gateway.handoff.opened.v1")
    assert (first.id, first.source, first.time) == ("a-7", "/collate-gateway/test", "2026-06-02T14:06:01Z")
    assert first.data == {"handoffId": "mhand_55"}
    assert first.attributes["specversion"] == "1.0"


def test_repeats_are_dropped_and_gaps_are_counted(answering):
    gateway = answering(
        stream(CONNECTED, event("1", "a", 1), event("2", "a", 2), event("2", "a", 2), event("5", "a", 5)),
        stream(event("5", "a", 5), event("6", "b", 9), event("7", "a", 6), event("8", "a", 1, id="second-life")),
    )
    assert take(gateway.events(), 6) == [
        ("a", 1, 0),
        ("a", 2, 0),
        ("a", 5, 2),
        ("b", 9, 0),
        ("a", 6, 0),
        ("a", 1, 0),
    ]


def test_a_filter_by_type_explains_every_gap(answering):
    gateway = answering(stream(CONNECTED, event("1", "a", 1), event("9", "a", 9)))
    assert take(gateway.events(types=["collate-gateway.handoff.opened.v1"]), 2) == [("a", 1, 0), ("a", 9, 0)]
    assert str(gateway.requests[0].url) == ("https://gateway.example/v1/events?type=collate-gateway.handoff.opened.v1")


def test_the_memory_of_repeats_and_numbers_is_bounded(monkeypatch):
    monkeypatch.setattr(progress, "_REMEMBERED", 3)
    followed = StreamProgress(None, is_filtered_by_type=False)

    def took(authorization, sequence):
        return followed.take(Frame("1", "t", json.dumps(structured(authorization, sequence))))

    for number in range(1, 9):
        assert took(f"a{number}", 1) is not None
    assert [took(f"a{number}", 1) for number in (8, 7, 6)] == [None] * 3
    assert took("a5", 1) is not None, "the oldest events are forgotten"
    assert [took(authorization, 9).missing for authorization in ("a8", "a7", "a6")] == [7, 7, 0]


@pytest.mark.parametrize(("reason", "longest"), [("renew", 0.5), ("stopping", 0.5), ("slow", 0.5), ("kafka_away", 2)])
def test_the_reason_of_the_end_sets_the_pause(answering, clock, reason, longest):
    gateway = answering(stream(CONNECTED, event("1", "a", 1), ended(reason)), stream(event("2", "a", 2)))
    assert take(gateway.events(), 2) == [("a", 1, 0), ("a", 2, 0)]
    assert clock.pauses == [longest / 2]


def test_pauses_double_until_a_byte_arrives(answering, clock):
    lost = httpx.ConnectError("refused")
    gateway = answering(lost, lost, lost, stream(CONNECTED), lost, stream(event("1", "a", 1)))
    take(gateway.events(), 1)
    # Half of 2, 4 and 8 s; after the first byte 2 s again, and the end of the stream without a reason counts too.
    assert clock.pauses == [1, 2, 4, 1, 2]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_ends_the_stream(answering, status, clock):
    gateway = answering(stream(CONNECTED), problem(status))
    with pytest.raises(GatewayProblem):
        next(gateway.events())
    assert len(clock.pauses) == 1


def test_it_never_gives_up_unless_the_program_says_so(answering, clock):
    gateway = answering(*[httpx.ConnectError("refused")] * 40, stream(event("1", "a", 1)))
    assert take(gateway.events(), 1) == [("a", 1, 0)]
    gateway = answering(*[httpx.ConnectError("refused")] * 40)
    clock.pauses.clear()
    with pytest.raises(NotAnswered, match="ConnectError"):
        next(gateway.events(give_up_after=60))
    assert 45 < sum(clock.pauses) <= 60


@pytest.mark.parametrize("data", ["[]", "{", '{"id": "x"}', json.dumps(structured("a", 1) | {"sequence": "one"})])
def test_an_event_that_is_no_cloudevent_is_an_error(answering, data):
    gateway = answering(stream(CONNECTED, f"id: 1\ndata: {data}\n\n".encode()))
    with gateway.events() as events:
        response = events._response
        with pytest.raises(NotAnswered, match="no CloudEvent"):
            next(events)
        assert response.is_closed


def test_closing_a_stream_closes_its_connection(answering):
    gateway = answering(stream(CONNECTED, event("1", "a", 1), event("2", "a", 2)))
    with gateway.events() as events:
        next(events)
        response = events._response
    assert response.is_closed
