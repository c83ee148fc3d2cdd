"""A real CONNECT proxy, a process of its own, for the calls that leave through one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


class ConnectProxy:
    """A running proxy; `stop` ends it and returns what it printed."""

    def __init__(self, *arguments):
        program = Path(__file__).with_name("connect_proxy.py")
        self._process = subprocess.Popen(
            [sys.executable, program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        out, _ = self._process.communicate()
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def proxy():
    """Start a proxy: `proxy(behaviour, credentials)`; see connect_proxy.py."""
    started = []

    def start(behaviour="relay", *credentials):
        started.append(ConnectProxy(behaviour, *credentials))
        return started[-1]

    yield start
    for one in started:
        one._process.kill()
        one._process.communicate()
