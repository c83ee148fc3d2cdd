"""A stranger's connections close neither the console nor an admin port; both belong to a real process."""

import resource
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from .test_process import GATEWAY, environ_in, ready

SILENT = 2_050


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    return environ_in(tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def console(environ):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with subprocess.Popen([GATEWAY, "console"], env=environ, stderr=subprocess.DEVNULL) as process:
        with httpx.Client(trust_env=False, timeout=120) as http:
            assert ready(http, f"http://127.0.0.1:{environ['GATEWAY_ADMIN__PORT']}")
        yield process
        process.send_signal(signal.SIGTERM)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def ports(environ):
    return {"console": int(environ["GATEWAY_CONSOLE__PORT"]), "admin": int(environ["GATEWAY_ADMIN__PORT"])}


def resident_mib(process):
    with Path(f"/proc/{process.pid}/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1_024


def seconds_of(port, path):
    began = time.monotonic()
    assert httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=120).status_code == 200
    return time.monotonic() - began


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nA: " + b"x" * 30_000], ids=["silent", "long heads"])
@pytest.mark.parametrize("flooded", ["console", "admin"])
def test_2050_connections_of_a_stranger_leave_every_port_open(console, ports, flooded, begin, record_property):
    before = resident_mib(console)
    with ExitStack() as held:
        for _ in range(SILENT):
            one = held.enter_context(closing(socket.create_connection(("127.0.0.1", ports[flooded]))))
            one.settimeout(60)
            try:
                one.sendall(begin)
            except ConnectionError:
                assert begin
        taken = {
            path: seconds_of(ports[port], path)
            for port, path in (("admin", "/livez"), ("admin", "/metrics"), ("console", "/sign-in"))
        }
        after = resident_mib(console)
    record_property("seconds", taken)
    record_property("mib", (before, after))
    print(f"{flooded}, {SILENT} connections: {taken}, memory {before:.0f} → {after:.0f} MiB")
    assert max(taken.values()) < 30, "about 0.01 s on a quiet machine"
    assert after - before < 100


@pytest.mark.parametrize("attacked", ["console", "admin"])
def test_an_endless_head_takes_no_memory(console, ports, attacked):
    before, most = resident_mib(console), 0.0
    with closing(socket.create_connection(("127.0.0.1", ports[attacked]))) as one:
        one.settimeout(60)
        one.sendall(b"GET / HTTP/1.1\r\nA: ")
        try:
            for _ in range(55):
                one.sendall(b"x" * (1 << 20))
                most = max(most, resident_mib(console))
        except ConnectionError:
            pass
    print(f"{attacked}, a head of 55 MiB: memory {before:.0f} → {most:.0f} MiB")
    assert most - before < 16
