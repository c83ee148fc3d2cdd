import base64
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.processes.patience import slowness

PROGRAM = Path(__file__).with_name("program.py")


class Started:
    """A running program, and the log lines that it wrote."""

    def __init__(self, log, *arguments):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen([sys.executable, *arguments], stderr=out, stdout=subprocess.PIPE)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def line(self, event):
        return next((line for line in self.lines() if line["event"] == event), None)

    def signal(self, number):
        self.process.send_signal(number)

    def code(self, within=40):
        return self.process.wait(within * slowness())

    def get(self, path):
        return httpx.get(self.line("process.started")["admin"] + path, timeout=120)


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(how, *, port=0, flags=(), api_key=PROGRAM):
        program = Started(tmp_path / f"{len(started)}.log", *flags, PROGRAM, how, str(port), api_key)
        started.append(program)
        return program

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_process_in_order(start, eventually, number):
    program = start("works")
    await eventually(lambda: program.line("working"))
    program.signal(number)
    assert program.code() == 0
    assert [line["event"] for line in program.lines()] == [
        "process.started",
        "working",
        "process.stop_requested",
        "drained",
        "process.stopped",
    ]
    assert program.line("process.stop_requested")["why"] == number.name


async def test_work_beyond_the_stop_deadline_is_cancelled(start, eventually):
    program = start("drains_without_end")
    await eventually(lambda: program.line("working"))
    program.signal(signal.SIGTERM)
    assert program.code() == 75
    assert program.line("process.stop_deadline_exceeded")["seconds"] == 0.5


@pytest.mark.parametrize("how", ["drains_without_end", "blocks_when_stopping"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_process_immediately_even_if_its_loop_is_blocked(start, eventually, how, number):
    program = start(how)
    await eventually(lambda: program.line("working"))
    program.signal(signal.SIGTERM)
    await eventually(lambda: program.line("drained"))
    at = time.monotonic()
    program.signal(number)
    assert program.code() == 128 + number
    assert time.monotonic() - at < 2.0 * slowness()
    assert "second signal" in program.log.read_text()


async def test_the_watchdog_ends_a_process_whose_loop_is_blocked(start, eventually):
    program = start("blocks_when_stopping")
    await eventually(lambda: program.line("working"))
    program.signal(signal.SIGTERM)
    assert program.code() == 75
    assert "not stopped after 5.5 s" in program.log.read_text()


def test_a_failed_task_is_logged_and_ends_the_process(start):
    program = start("has_a_task_that_fails")
    assert program.code() == 1
    line = program.line("process.task_failed")
    assert (line["task"], line["error"]) == ("reader", "LookupError")
    assert "no such record" in line["traceback"]
    assert program.line("drained")


def test_a_task_that_returns_before_the_stop_ends_the_process(start):
    program = start("has_a_task_that_returns")
    assert program.code() == 1
    assert program.line("process.task_failed")["task"] == "reader"


def test_an_error_of_the_main_function_is_logged(start):
    program = start("raises")
    assert program.code() == 1
    assert "at the start" in program.line("process.run_failed")["traceback"]


def test_a_startup_error_lists_every_problem(start):
    program = start("raises_startup_error")
    assert program.code() == 78
    assert program.line("process.start_rejected")["problems"] == ["first reason", "second reason"]
    assert [line["event"] for line in program.lines()] == ["process.started", "process.start_rejected"]


def test_an_address_in_use_is_a_startup_error(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        program = start("works", port=port)
        assert program.code() == 78
    assert program.line("process.start_rejected")["problems"] == [
        f"can't listen on 127.0.0.1:{port}: address already in use"
    ]


def test_a_process_does_not_run_without_assertions(start):
    program = start("works", flags=["-O"])
    assert program.code() == 78
    assert "aiokafka depends on" in program.line("process.start_rejected")["problems"][0]


async def test_the_admin_port_serves_probes_status_and_metrics(start, eventually):
    program = start("works")
    await eventually(lambda: program.line("working"))
    for path in ("/livez", "/readyz", "/startupz"):
        answer = program.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.json()["good"] is True
    assert program.get("/readyz").json()["parts"]["work"]["detail"] == "nothing to do"
    assert program.get("/partitions").json() == {"keyQueues": [{"key": "a", "reason": "breaker"}]}
    metrics = program.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    assert 'collate_gateway_build_info{process="program",version="' in metrics.text
    assert "collate_gateway_ready 1.0" in metrics.text
    assert "process_resident_memory_bytes " in metrics.text
    assert program.get("/").json()["paths"] == ["/livez", "/readyz", "/startupz", "/metrics", "/partitions", "/resume"]
    assert program.get("/nope").status_code == 404


async def test_a_process_shows_when_its_credentials_end(start, eventually, tmp_path):
    claims = base64.urlsafe_b64encode(b'{"exp": 1780000000, "iat": 1779999000}').decode()
    (tmp_path / "key").write_text(f"e30.{claims}.c2ln\n")
    program = start("works", api_key=tmp_path / "key")
    await eventually(lambda: program.line("working"))
    shown = 'collate_gateway_credential_expires_timestamp_seconds{credential="collate.api_key_file"} 1.78e+09'
    await eventually(lambda: shown in program.get("/metrics").text)


async def test_without_kafka_a_process_waits_and_stays_live(start, eventually):
    program = start("waits_for_kafka")
    await eventually(lambda: program.line("kafka.broker_waiting"))
    message = program.line("kafka.broker_waiting")
    assert message["reason"] == "127.0.0.1:1: connection refused"
    # It tries again every three seconds, and writes one line a minute about it.
    assert [line["event"] for line in program.lines()] == ["process.started", "kafka.broker_waiting"]
    ready = program.get("/readyz")
    assert ready.status_code == 503
    assert "kafka waiting (127.0.0.1:1: connection refused)" in ready.json()["summary"]
    assert program.get("/livez").status_code == 200
    assert program.get("/startupz").status_code == 503
    program.signal(signal.SIGTERM)
    assert program.code() == 0
    assert program.line("waited")["arrived"] is False
