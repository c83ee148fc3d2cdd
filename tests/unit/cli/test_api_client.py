"""What a verb shows, and its exit code, for each kind of answer of the gateway, over a real connection."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli.api_client import ONE_TRY, RetryPolicy, connected, operations
from cli.app import app

KEY = "cgk_key_SECRET"
PROBLEM = {
    "type": "urn:collate-gateway:problem:invalid-query",
    "title": "The query is invalid.",
    "detail": "Correct it.",
    "errors": [{"parameter": "limit", "detail": "expected a whole number"}],
}
ME = {"kind": "caller", "caller": "desk"}


class Ingress:
    """Answers in order: a status, a document (or text), headers. The last answer is repeated."""

    def __init__(self):
        self.answers, self.requests, self.bodies = [(200, ME, {})], [], []

    def next(self, request):
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def ingress():
    answering = Ingress()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answering.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
            status, body, headers = answering.next((self.command, self.path, dict(self.headers.items())))
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            kind = "text/html" if isinstance(body, str) else "application/problem+json"
            self.send_response(status)
            for name, value in {"content-type": kind, "content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if status == 304 else content)

        do_POST = do_GET  # noqa: N815 - the name of http.server

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answering.url = f"http://127.0.0.1:{server.server_port}"
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answering
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments, key=KEY):
    return CliRunner().invoke(app, arguments, env={"COLLATE_GATEWAY_KEY": key, "COLUMNS": "200"})


@pytest.mark.parametrize(
    ("status", "body", "code", "shown"),
    [
        (422, PROBLEM, 1, "422: The query is invalid. Correct it.\n  limit: expected a whole number"),
        (404, PROBLEM | {"detail": "The query is invalid: again."}, 1, "404: The query is invalid: again."),
        (403, "<html>", 1, "403: the response is not from a gateway"),
        (503, PROBLEM, 69, "503: The query is invalid. Correct it."),
        (502, "<html>", 69, "502: the response is not from a gateway"),
        (200, "<html>", 69, "the answer is no JSON"),
        (302, {}, 1, "302: the response is not from a gateway"),
    ],
)
def test_a_problem_becomes_a_text_and_an_exit_code(ingress, status, body, code, shown):
    ingress.answers = [(status, body, {})]
    ended = run("commands", "--url", ingress.url)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert shown in ended.stderr
    assert KEY not in ended.stderr
    assert len(ingress.requests) == 1


def test_an_absent_gateway_is_unavailable():
    ended = run("commands", "--url", "http://127.0.0.1:1")
    assert (ended.exit_code, ended.stderr) == (69, "gateway: http://127.0.0.1:1: connection refused\n")


@pytest.mark.parametrize("url", ["gateway.example", "ftp://gateway.example", "http://host:port", "http://u@h"])
def test_a_wrong_address_is_a_usage_error(url):
    ended = run("commands", "--url", url)
    assert (ended.exit_code, ended.stderr) == (2, f"gateway: {url}: expected a URL like https://gateway.example\n")


@pytest.mark.parametrize(("key", "shown"), [("", "no key"), ("two SECRET", "visible ASCII")])
def test_a_key_that_cannot_be_sent_is_a_usage_error_without_the_key(ingress, key, shown):
    ended = run("commands", "--url", ingress.url, key=key)
    assert ended.exit_code == 2
    assert shown in ended.stderr
    assert "SECRET" not in ended.stderr
    assert not ingress.requests


def test_json_is_the_answer_of_the_api_with_unknown_members(ingress):
    entry = {"commandId": "c-1", "status": "accepted", "ofANewerGateway": {"a": 1}}
    ingress.answers = [(200, {"commands": [entry]}, {})]
    ended = run("commands", "--url", ingress.url, "--metadata", "case=c-7", "--limit", "3", "--json")
    assert (ended.exit_code, json.loads(ended.stdout)) == (0, entry)
    ((_, path, headers),) = ingress.requests
    assert path == "/v1/commands?metadata.case=c-7&order=newest&limit=3"
    assert headers["authorization"] == f"Bearer {KEY}"


@pytest.fixture
def used(ingress, monkeypatch):
    """Use the API of the ingress for a block."""
    monkeypatch.setenv("COLLATE_GATEWAY_KEY", KEY)
    return lambda retries=ONE_TRY: connected(ingress.url, None, retries)


def test_a_decision_is_sent_again_with_the_same_key(ingress, used):
    ingress.answers = [(503, PROBLEM, {}), (200, {"recordId": "r"}, {})]
    call = operations.empty_recent_commands("auth_1", {"reason": "other"})
    with used(RetryPolicy(first_pause_seconds=0.01)) as gateway:
        assert gateway.send(call) == {"recordId": "r"}
    first, second = (headers["idempotency-key"] for *_, headers in ingress.requests)
    assert first == second


@pytest.mark.parametrize(
    ("verb", "tries"),
    [
        (["recent-commands", "empty", "a", "--reason", "other", "--operator", "o", "--yes"], 2),
        (["dead-letters", "discard", "c-1", "--reason", "other", "--operator", "o"], 2),
        (["dead-letters", "list"], 1),
    ],
)
def test_the_verbs_of_a_decision_try_again_and_reads_for_people_do_not(ingress, monkeypatch, verb, tries):
    monkeypatch.setattr("collate_gateway_client.synchronous.sender.random.random", lambda: 0.0)
    ingress.answers = [(503, PROBLEM, {}), (403, PROBLEM, {})]
    assert run(*verb, "--url", ingress.url).exit_code == (1 if tries == 2 else 69)
    assert len(ingress.requests) == tries


def test_a_decision_is_about_the_number_that_the_operator_names(ingress):
    letter = {"commandId": "c-1", "redrive": 1, "cause": "too_old"}
    ingress.answers = [(200, letter, {}), (409, PROBLEM, {})]
    verb = ["dead-letters", "discard", "c-1", "--reason", "other", "--operator", "o", "--url", ingress.url]
    assert run(*verb, "--number", "0").exit_code == 1
    assert json.loads(ingress.bodies[-1])["redrive"] == 0
    assert run(*verb, "c-2", "--number", "0").exit_code == 2
    assert len(ingress.bodies) == 2


def not_found(**members):
    return 404, PROBLEM | {"type": "urn:collate-gateway:problem:not-found", "detail": "Not here."} | members, {}


FOUND = (200, {"commandId": "c-1", "status": "accepted"}, {})


@pytest.mark.parametrize(
    ("answers", "exit_code", "requests"),
    [
        pytest.param([not_found(behind=7, agoSeconds=0.1), not_found(), FOUND], 0, 3, id="late"),
        pytest.param([not_found(behind=0, agoSeconds=3.0), FOUND], 0, 2, id="reported before the verb began"),
        pytest.param(
            [not_found(behind=0, agoSeconds=3.0), not_found(behind=0, agoSeconds=0.1), FOUND], 1, 2, id="none"
        ),
        pytest.param([not_found(behind=7, agoSeconds=0.1)], 1, 5, id="too late"),
        pytest.param([(404, PROBLEM, {}), FOUND], 1, 1, id="another problem"),
    ],
)
def test_a_status_waits_for_the_read_model_and_says_so(ingress, monkeypatch, answers, exit_code, requests):
    clock = iter(range(100))
    monkeypatch.setattr("cli.history.status.time", SimpleNamespace(monotonic=lambda: next(clock) * 2.0, sleep=id))
    ingress.answers = answers
    ended = run("status", "c-1", "--url", ingress.url)
    assert (ended.exit_code, len(ingress.requests)) == (exit_code, requests)
    assert ended.stderr.count("read model, up to 10 s") == (requests > 1)


def test_a_wait_of_the_operator_is_sent_to_the_gateway(ingress):
    letter = {"commandId": "c-1", "redrive": 0, "cause": "too_old"}
    outcome = {"status": "finished", "outcome": "discarded", "effect": "none", "advice": "Nothing."}
    ingress.answers = [(200, letter, {}), (200, outcome, {})]
    verb = ["dead-letters", "discard", "c-1", "--reason", "other", "--operator", "o", "--wait", "7", "--json"]
    ended = run(*verb, "--url", ingress.url)
    assert json.loads(ended.stdout) == {
        "commandId": "c-1",
        "authorizationId": None,
        "asked": "discard",
        "result": "finished",
        "outcome": "discarded",
        "effect": "none",
        "advice": "Nothing.",
    }
    assert ingress.requests[1][2]["prefer"] == "wait=7"
