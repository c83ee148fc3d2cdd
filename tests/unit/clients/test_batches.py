"""Many events: the batches, the window that keeps the caller's other commands alive, and what is sent again."""

import json

import httpx
import pytest

from collate_gateway_client import GatewayProblem, NotAnswered
from collate_gateway_client.batching import MOST_BYTES, batches_of, pause_before
from collate_gateway_client.calls import batch


def events(count):
    return [{"id": f"run:{number}", "subject": f"auth_{number}"} for number in range(count)]


def refused(status, **more):
    return {"status": status, "problem": {"title": "No", "detail": "Do something."}, **more}


@pytest.fixture
def gateway(answering):
    """Return a client of a gateway with this bound, these unfinished commands, and results by subject."""

    def gateway(bound=1000, unfinished=(), results=()):
        loads, refusals = list(unfinished), list(results)
        sent = []

        def answer(request):
            if request.method == "GET":
                return httpx.Response(200, json={"limits": {"unfinishedCommands": bound}})
            subjects = [event["subject"] for event in json.loads(request.content)]
            sent.append(subjects)
            now = refusals.pop(0) if refusals and subjects else {}
            count, rate = loads.pop(0) if loads else (0, 0.0)
            found = [now.get(subject, {"status": 202}) | {"index": place} for place, subject in enumerate(subjects)]
            return httpx.Response(207, json={"results": found, "unfinished": count, "endedPerSecond": rate})

        client = answering(*[answer] * 5000)
        client.sent = sent
        return client

    return gateway


def test_each_result_has_its_place_among_all_events(gateway):
    client = gateway()
    results = list(client.send_events(iter(events(250))))
    assert [len(subjects) for subjects in client.sent] == [100, 100, 50]
    assert [(result["index"], result["status"]) for result in results] == [(place, 202) for place in range(250)]


def test_a_batch_is_not_larger_than_half_of_the_bound(gateway):
    client = gateway(bound=20)
    assert len(list(client.send_events(events(25)))) == 25
    assert [len(subjects) for subjects in client.sent] == [10, 10, 5]


def test_a_batch_is_smaller_than_the_bound_of_bytes():
    large = [event | {"data": "v" * 9_000} for event in events(200)]
    found = list(batches_of(large, 500))
    assert [event for part in found for event in part] == large
    assert all(len(batch(part).body) <= MOST_BYTES for part in found)


def test_only_events_above_a_bound_are_sent_again_after_their_retry_after(gateway, clock):
    client = gateway(results=[{"auth_1": refused(429, retryAfter=7), "auth_2": refused(503, retryAfter=2)}])
    assert {result["status"] for result in client.send_events(events(3))} == {202}
    assert client.sent == [["auth_0", "auth_1", "auth_2"], ["auth_1", "auth_2"]]
    assert clock.pauses == [7]


def test_a_rejected_event_is_final(gateway):
    client = gateway(results=[{"auth_1": refused(422)}])
    assert [result["status"] for result in client.send_events(events(3))] == [202, 422, 202]
    assert len(client.sent) == 1


def test_a_batch_waits_until_it_fits_into_the_window_at_the_rate_of_ended_commands(gateway, clock):
    client = gateway(unfinished=[(480, 10.0), (460, 10.0), (400, 10.0)])
    assert len(list(client.send_events(events(200)))) == 200
    assert [len(subjects) for subjects in client.sent] == [100, 0, 0, 100]
    assert clock.pauses == [8.0, 6.0]


def test_it_gives_up_after_ten_minutes_without_success_and_continues_while_commands_end(gateway, clock):
    with pytest.raises(GatewayProblem, match="Do something"):
        list(gateway(results=[{"auth_0": refused(503)}] * 2000).send_events(events(1)))
    with pytest.raises(NotAnswered, match="has ended"):
        list(gateway(unfinished=[(480, 0.0)] * 2000).send_events(events(200)))
    began = clock.now
    slow = gateway(unfinished=[(480 - number // 10, 0.1) for number in range(1000)])
    assert len(list(slow.send_events(events(200)))) == 200
    assert clock.now - began > 2 * 600


@pytest.mark.parametrize(
    ("excess", "rate", "seconds"),
    [(0, 5.0, 0.0), (1, 10.0, 1.0), (50, 10.0, 5.0), (100, 0.1, 30.0), (100, 0.0, 30.0), (-400, 0.0, 0.0)],
)
def test_a_pause_is_the_time_of_the_excess_between_a_second_and_half_a_minute(excess, rate, seconds):
    assert pause_before(excess, rate) == seconds
