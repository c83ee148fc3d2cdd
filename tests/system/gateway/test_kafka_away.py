"""A broker that is killed or frozen: the worker measures it, and every screen of an operator says so in time."""

import asyncio
import json
import os
import re
import signal
from functools import partial

import pytest

from local.installation import http_here
from tests.preloaded import run_gateway

SESSION_SECONDS = 6.0  # the least that Kafka accepts by default
QUICK = {"GATEWAY_WORKER__SESSION_TIMEOUT": f"{SESSION_SECONDS:g}s"}
NO_ANSWER = "not ready: kafka waiting (no broker has answered for"


@pytest.fixture
async def worker(install, kafka1, start):
    return await start(await install(kafka1.bootstrap, settings=QUICK), "worker")


class Screens:
    """What an operator sees of one process."""

    def __init__(self, program, http):
        self._program, self._http = program, http

    def get(self, path):
        return self._http.get(self._program.admin_url + path)

    @property
    def summary(self):
        return self.get("/readyz").json()["summary"]

    @property
    def gauges(self):
        text = self.get("/metrics").text
        return tuple(
            float(re.search(rf"^collate_gateway_{name} (.+)$", text, re.MULTILINE)[1])
            for name in ("ready", "kafka_away")
        )

    @property
    def warnings(self):
        lines = map(json.loads, self._program.log.read_text().splitlines())
        return [line for line in lines if line["level"] in {"warning", "error"}]

    def top(self):
        return run_gateway(
            *("top", "--once", "--admin", self._program.admin_url, "--url", "http://127.0.0.1:1"),
            environ={**os.environ, "COLLATE_GATEWAY_KEY": "any", "COLUMNS": "200"},
        )


async def test_a_worker_says_within_the_session_timeout_that_no_broker_answers(worker, kafka1, eventually):
    frozen = (partial(kafka1.kill, 0, signal.SIGSTOP), partial(kafka1.kill, 0, signal.SIGCONT))
    killed = (partial(kafka1.kill, 0), partial(kafka1.start, 0))
    with http_here() as http:
        shown = Screens(worker, http)
        before = len(shown.warnings)
        for fault, repair in (frozen, killed):
            assert (shown.summary, shown.gauges) == ("ready", (1, 0))
            fault()
            try:
                await eventually(lambda: shown.summary.startswith(NO_ANSWER), within=SESSION_SECONDS + 4)
                assert shown.gauges == (0, 1)
                assert not shown.get("/partitions").json()["kafka"]["responds"]
                assert shown.get("/livez").status_code == 200, "a restart would not help"
                top = await asyncio.to_thread(shown.top)
                assert top.returncode == 69
                assert NO_ANSWER in top.stdout
            finally:
                repair()
            await eventually(lambda: shown.summary == "ready", within=60)
        written = shown.warnings[before:]
    # A line each minute repeats an outage while it lasts; on a busy machine Kafka's start takes longer than that.
    began = [line for line in written if line["event"] == "kafka.broker_lost" and line["seconds"] == 0]
    assert len(began) == 2
    assert len(written) < 40, "aiokafka alone writes a hundred lines a second while no broker listens"
