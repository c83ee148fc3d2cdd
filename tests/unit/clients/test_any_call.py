"""`send`, `send_if_changed` and `stream`: the call of any operation, with its own credential, and no retry if asked."""

from dataclasses import replace

import httpx
import pytest

from collate_gateway_client import AsyncGateway, Gateway, GatewayProblem, NotAnswered, RetryPolicy, operations

from .conftest import scripted

ME = {"caller": "intake", "later": {"field": 1}}
PROBLEM = {"type": "urn:collate-gateway:problem:not-found", "title": "T", "detail": "D"}


def json(body, status=200, **headers):
    return httpx.Response(status, json=body, headers=headers)


def client(*answers, seconds=5.0, **options):
    return scripted(*answers, credential="client's", retries=RetryPolicy.none(seconds), **options)


def test_the_answer_has_the_status_the_headers_and_each_field_of_a_newer_gateway():
    answer = client(json(ME, etag='"7"')).send(operations.read_me())
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, ME, '"7"')
    assert answer.content == httpx.Response(200, json=ME).content


def test_a_call_has_its_own_credential_and_request_id():
    gateway = client(json(ME), json(ME))
    gateway.send(replace(operations.read_me(), credential="person's", request_id="r-1"))
    gateway.send(operations.read_me())
    first, second = gateway.requests
    assert (first.headers["authorization"], first.headers["x-request-id"]) == ("Bearer person's", "r-1")
    assert second.headers["authorization"] == "Bearer client's"
    assert "x-request-id" not in second.headers


def test_an_unchanged_answer_is_none():
    gateway = client(httpx.Response(304), json(ME, etag='"8"'))
    call = replace(operations.read_me(), etag='"7"')
    assert gateway.send_if_changed(call) is None
    assert gateway.send_if_changed(call).body == ME
    assert [request.headers["if-none-match"] for request in gateway.requests] == ['"7"', '"7"']


@pytest.mark.parametrize("lost", [httpx.RemoteProtocolError("x"), httpx.ReadError("x"), httpx.WriteError("x")])
def test_without_retries_a_read_of_a_lost_connection_is_sent_once_more(lost):
    assert client(lost, json(ME)).send(operations.read_me()).body == ME
    gateway = client(lost, lost, json(ME))
    with pytest.raises(NotAnswered):
        gateway.send(operations.read_me())
    assert len(gateway.left) == 1


@pytest.mark.parametrize("failure", [httpx.ReadError("x"), httpx.ConnectError("x"), httpx.ReadTimeout("x")])
def test_without_retries_a_command_is_sent_once(failure):
    gateway = client(failure, json(ME))
    with pytest.raises(NotAnswered) as raised:
        gateway.send(operations.watch_authorization("auth_1", key="k"))
    assert (raised.value.result_is_unknown, raised.value.idempotency_key, len(gateway.left)) == (True, "k", 1)


def test_a_wait_is_sent_once_and_has_its_own_time():
    gateway = client(json({"status": "accepted"}, 202), seconds=1.0)
    answer = gateway.send(operations.watch_authorization("auth_1"), wait=3.5)
    assert (answer.status, gateway.requests[0].headers["prefer"]) == (202, "wait=3")
    assert 3 < gateway.requests[0].extensions["timeout"]["read"] <= 4.5


@pytest.mark.parametrize(("length", "fits"), [(100, True), (101, False)])
def test_an_answer_larger_than_the_bound_is_not_read(length, fits):
    answer = httpx.Response(200, content=b'"' + b"x" * (length - 2) + b'"')
    gateway = client(answer, most_bytes=100)
    if fits:
        assert len(gateway.send(operations.read_me()).content) == length
    else:
        with pytest.raises(NotAnswered, match="larger than 100 bytes"):
            gateway.send(operations.read_me())


def test_a_list_goes_on_behind_its_cursor():
    gateway = client(
        json({"commands": [1], "next": "c&1"}), json({"commands": [2], "next": "c2"}), json({"commands": []})
    )
    assert list(gateway.commands(status="waiting", metadata={"case": "x"})) == [1, 2]
    query = "status=waiting&metadata.case=x"
    assert [request.url.query.decode() for request in gateway.requests] == [
        query,
        f"{query}&cursor=c%261",
        f"{query}&cursor=c2",
    ]


def test_a_stream_is_the_raw_body_and_ends_with_the_block():
    gateway = client(httpx.Response(200, content=iter([b": hello\n\n"])))
    with gateway.stream(operations.stream_events(), {"last-event-id": "3-1"}) as response:
        assert b"".join(response.iter_raw()) == b": hello\n\n"
    assert response.is_closed
    assert gateway.requests[0].headers["last-event-id"] == "3-1"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(json(PROBLEM, 403), GatewayProblem), (httpx.ConnectError("x"), NotAnswered), (json("x" * 99, 403), NotAnswered)],
)
def test_a_refused_stream_raises_before_the_block(answer, error):
    with pytest.raises(error), client(answer, most_bytes=90).stream(operations.stream_events()):
        pytest.fail("the block runs")


def test_a_ca_file_that_cannot_be_read_is_an_error_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        Gateway("https://gateway.example", "k", ca_file=tmp_path / "none.pem")


async def test_a_client_closes_only_its_own_connections():
    async with AsyncGateway("https://gateway.example", "k") as own:
        pass
    assert own._own_http.is_closed
    http = httpx.AsyncClient()
    async with AsyncGateway("https://gateway.example", "k", http=http):
        pass
    assert not http.is_closed
    await http.aclose()
