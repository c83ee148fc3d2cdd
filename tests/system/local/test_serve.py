"""`python -m local …`, as a user runs it."""

import signal
import subprocess
import sys

import psycopg
import pytest

RIG = (sys.executable, "-m", "local")


@pytest.fixture
def start():
    started = []

    def start(*arguments):
        process = subprocess.Popen([*RIG, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_kafka_that_cannot_start_prints_the_reason_and_exits_69(start, kafka):
    taken = kafka.partition(",")[0].rpartition(":")[2]

    process = start("kafka", "--port", taken)

    _, errors = process.communicate()
    assert process.returncode == 69
    assert "Address already in use" in errors
    assert "Traceback" not in errors


def test_postgres_prints_how_to_connect_and_ends_on_ctrl_c(start):
    process = start("postgres")
    conninfo = process.stdout.readline().strip()

    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
