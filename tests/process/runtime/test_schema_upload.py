"""`gateway schemas`: what it sends to a registry, and what its exit codes mean.

The registry here answers as Confluent's documents say. `TEST_REGISTRY=URL` runs the upload against a real one too.
"""

import base64
import http.server
import json
import os
import threading

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from schemas.events import EVENTS

OPENED = "collate-gateway.handoff.opened.v1"


class Registry:
    """Answers as Confluent's API documents it, and keeps what it gets."""

    def __init__(self):
        self.subjects, self.credentials, self.answer = {}, [], None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.credentials.append(self.headers["Authorization"])
                _, root, subject, versions = self.path.split("/")
                assert (root, versions) == ("subjects", "versions")
                outer.subjects[subject] = body
                status, answer = outer.answer or (200, b'{"id": %d}' % len(outer.subjects))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def registry():
    found = Registry()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def run(*arguments):
    return CliRunner().invoke(app, ["schemas", *arguments])


def test_upload_registers_every_event_and_the_authorization_under_its_type(registry, tmp_path):
    (tmp_path / "credentials").write_text("user:pass\n")
    ended = run("upload", "--registry", registry.url, "--credentials-file", str(tmp_path / "credentials"), "--json")
    assert ended.exit_code == 0, ended.output
    assert set(registry.subjects) == {*EVENTS, "collate-gateway.authorization.v1"}
    sent = registry.subjects[OPENED]
    assert sent["schemaType"] == "JSON"
    assert json.loads(sent["schema"])["$id"] == "urn:collate-gateway:handoff:opened:v1"
    assert set(registry.credentials) == {f"Basic {base64.b64encode(b'user:pass').decode()}"}
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {line["subject"] for line in lines} == set(registry.subjects)
    assert all(line["id"] > 0 for line in lines)


def test_subjects_can_begin_with_the_topic(registry):
    assert run("upload", "--registry", registry.url, "--naming", "topic-record", "--prefix", "north.").exit_code == 0
    assert f"north.events-{OPENED}" in registry.subjects
    assert "north.authorizations-collate-gateway.authorization.v1" in registry.subjects


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ((409, b'{"error_code": 409, "message": "incompatible"}'), 1, "409 incompatible"),
        ((401, b"who?"), 77, "rejects the credentials (401)"),
        ((503, b"later"), 69, "the registry answered 503"),
        ((200, b"<html>"), 1, "not one of a Confluent-compatible registry"),
    ],
)
def test_each_failure_has_its_exit_code(registry, answer, code, message):
    registry.answer = answer
    ended = run("upload", "--registry", registry.url)
    assert (ended.exit_code, message in ended.output) == (code, True), ended.output


def test_a_registry_that_does_not_answer_is_unavailable_and_a_wrong_url_is_usage():
    assert run("upload", "--registry", "http://127.0.0.1:9").exit_code == 69
    assert run("upload", "--registry", "registry.example.com").exit_code == 2


@pytest.mark.parametrize("name", [OPENED, "urn:collate-gateway:handoff:opened:v1"])
def test_show_prints_the_schema_of_a_type_or_a_dataschema(name):
    ended = run("show", name)
    assert json.loads(ended.stdout)["$id"] == "urn:collate-gateway:handoff:opened:v1"
    assert run("show", "nothing").exit_code == 2


@pytest.mark.skipif("TEST_REGISTRY" not in os.environ, reason="TEST_REGISTRY names no registry")
def test_a_real_registry_takes_all_schemas_and_keeps_their_ids():
    url = os.environ["TEST_REGISTRY"]
    first, second = (run("upload", "--registry", url, "--json") for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert first.stdout == second.stdout
