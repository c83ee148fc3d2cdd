"""`gateway local …`, as a user runs it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

GATEWAY = Path(sys.executable).with_name("gateway")


@pytest.fixture
def start():
    started = []

    def start(*arguments):
        process = subprocess.Popen([GATEWAY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_gateway_local_kafka_that_cannot_start_prints_the_reason_and_exits_69(start, kafka):
    taken = kafka.partition(",")[0].rpartition(":")[2]

    process = start("local", "kafka", "--port", taken)

    _, errors = process.communicate()
    assert process.returncode == 69
    assert "Address already in use" in errors
    assert "Traceback" not in errors


def test_gateway_local_collate_prints_its_address_and_ends_on_ctrl_c(start):
    process = start("local", "collate")

    url = json.loads(process.stdout.readline())["url"]
    assert httpx.get(f"{url}/health", timeout=120).status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0


def test_gateway_local_postgres_prints_how_to_connect_and_ends_on_ctrl_c(start):
    process = start("local", "postgres")
    conninfo = process.stdout.readline().strip()

    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
