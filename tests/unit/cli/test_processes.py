"""What `gateway top` and `gateway check` read from an admin port."""

import json

import httpx
import pytest

from cli.check.process import check_process
from cli.top.processes import read_process, read_processes
from runtime.http_client import Fetched, HttpClient
from runtime.settings import AdminSettings

PARTITION = {
    "partition": 0,
    "phase": "running",
    "detail": "",
    "stopped": False,
    "paused": False,
    "lag": 2,
    "oldestUnfinishedSeconds": 4.0,
    "running": 1,
    "waiting": {"credentials": 2},
}
METRICS = """
collate_gateway_build_info{process="worker",version="1.0.0"} 1.0
collate_gateway_collate_breaker 0.0
collate_gateway_collate_breakers{calls="all",reason="credentials"} 2.0
collate_gateway_collate_breakers{calls="reads",reason="faults"} 0.0
collate_gateway_collate_in_flight{priority="command"} 3.0
collate_gateway_collate_limit 64.0
"""


@pytest.fixture
def port(monkeypatch):
    """The answers of an admin port by path; the test changes them."""
    answers = {
        "/readyz": (200, {"good": True, "summary": "ready", "parts": {}}),
        "/partitions": (200, {"partitions": [PARTITION]}),
        "/metrics": (200, METRICS),
    }

    def send(_client, _method, url):
        status, body = answers[f"/{url.rpartition('/')[2]}"]
        return Fetched(status, httpx.Headers(), (body if isinstance(body, str) else json.dumps(body)).encode())

    monkeypatch.setattr(HttpClient, "send", send)
    return answers


def test_every_kind_of_breaker_that_holds_calls_is_read(port):
    found = read_process("http://worker-0:9090")
    assert found["breaker"] == "open"
    assert found["breakers"] == [{"reason": "credentials", "calls": "all", "state": "open"}]
    assert (found["inFlight"], found["limit"], found["process"]) == (3.0, 64.0, "worker")


def test_stopped_and_paused_partitions_are_read(port):
    stopped = PARTITION | {"partition": 1, "stopped": True, "paused": True, "detail": "too many dead letters"}
    paused = PARTITION | {"partition": 2, "paused": True}
    starting = PARTITION | {"partition": 3, "phase": "starting", "paused": True}
    port["/partitions"] = (200, {"partitions": [PARTITION, stopped, paused, starting]})
    found = read_process("http://worker-0:9090")
    assert found["stopped"] == [{"partition": 1, "detail": "too many dead letters"}]
    assert found["paused"] == [2]


def test_a_process_that_is_not_ready_answers_with_its_reason(port):
    port["/readyz"] = (503, {"good": False, "summary": "not ready: kafka waiting (no broker)", "parts": {}})
    port["/partitions"] = (404, {"summary": "this process has no partitions"})
    (found,) = read_processes(["http://ingress:9090"])
    assert (found["ready"], found["summary"]) == (False, "not ready: kafka waiting (no broker)")
    assert "partitions" not in found


def test_a_process_that_does_not_answer_keeps_the_name_that_it_was_given():
    (found,) = read_processes(["worker-0=http://127.0.0.1:1"])
    assert (found["url"], found["process"]) == ("http://127.0.0.1:1", "worker-0")
    assert "refused" in found["problem"]


def test_a_check_fails_for_a_running_process_that_is_not_ready(port):
    assert check_process(AdminSettings(), "worker").state == "ok"
    assert check_process(AdminSettings(), "ingress").state == "skipped"
    port["/readyz"] = (503, {"good": False, "summary": "not ready: kafka waiting (no broker)", "parts": {}})
    result = check_process(AdminSettings(), "worker")
    assert (result.state, result.code) == ("FAILED", 69)
    assert result.detail == "worker is not ready: kafka waiting (no broker)"


def test_the_subscriptions_of_a_deliverer_are_read_without_its_partitions(port):
    own = {"name": "billing", "state": "down", "engine": {"partitions": [PARTITION]}}
    port["/partitions"] = (200, {"file": {"problem": None}, "subscriptions": [own]})
    port["/metrics"] = (200, METRICS.replace("worker", "deliverer"))
    found = read_process("http://deliverer-0:9090")
    assert found["subscriptions"] == [{"name": "billing", "state": "down"}]
    assert "partitions" not in found
