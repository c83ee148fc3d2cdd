"""`local.kafka.nodes` starts, stops, kills and restarts real brokers."""

import signal
import socket
from pathlib import Path

import pytest

from local.failures import StartFailed
from local.kafka import nodes as kafka_module
from local.kafka import readiness, storage
from local.kafka.broker import Node
from local.kafka.jars import fetch, read_lock
from local.kafka.nodes import Cluster
from local.processes import logs, ports
from local.processes.cache import cache_directory
from local.processes.run import Run


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A private cache for the logs of failures. Jars at another path would need an archive of classes of their own."""
    monkeypatch.setattr(logs, "cache_directory", lambda: tmp_path)
    return tmp_path


def test_a_copied_storage_has_the_files_of_a_formatted_one():
    jars = fetch(read_lock(), cache_directory() / "jars")
    with Run("storage") as run:
        formatted, copied = [Node(1, run.directory / name, 1, 2) for name in ("formatted", "copied")]
        formatted.write([formatted], jars, {})
        tool = run.spawn(formatted.format_command(storage.random_id()), log=run.directory / "log")
        assert tool.wait(120) == 0
        template = run.directory / "template"
        storage.keep(template, formatted)
        storage.keep(template, formatted)  # as a second process does
        cluster_id = storage.random_id()
        storage.copy(template, copied, cluster_id)
        files = [{file.relative_to(node.data) for file in node.data.rglob("*")} for node in (formatted, copied)]
        ids = [meta_properties(node) for node in (formatted, copied)]
    assert files[0] == files[1]
    assert ids[0].keys() == ids[1].keys()
    assert ids[1] | {"cluster.id": None, "directory.id": None} == ids[0] | {"cluster.id": None, "directory.id": None}
    assert ids[1]["cluster.id"] == cluster_id
    assert ids[0]["directory.id"] != ids[1]["directory.id"]


def meta_properties(node):
    lines = (node.data / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_a_revived_node_starts_after_the_others_have_removed_it(kafka3, monkeypatch):
    ports = [int(address.rpartition(":")[2]) for address in kafka3.bootstrap.split(",")]
    listed = []
    monkeypatch.setattr(kafka3, "start", lambda index: listed.extend(readiness.lists(port, 1) for port in ports[1:]))
    kafka3.kill(0)

    kafka3.revive(0)

    assert listed == [False, False]


def threads_of(pid):
    return Path(f"/proc/{pid}/task").glob("*/stat")


def test_a_frozen_node_can_be_stopped(kafka3):
    kafka3.kill(2, signal.SIGSTOP)
    assert kafka3.is_running(2)
    states = [thread.read_text().rpartition(")")[2].split()[0] for thread in threads_of(kafka3.pid(2))]
    assert set(states) == {"T"}, "every thread is stopped when `kill` returns"

    kafka3.stop(2)

    assert not kafka3.is_running(2)


def test_a_failed_start_shows_and_keeps_the_log_and_leaves_no_files(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_DATA", str(tmp_path))

    with pytest.raises(StartFailed) as failed:
        Cluster(properties={"num.io.threads": "none"}).open()

    assert "num.io.threads" in str(failed.value)
    assert "num.io.threads" in (cache / "failed" / "kafka-1" / "kafka.log").read_text()
    assert not list(tmp_path.glob("collate-gateway-*"))


def test_a_port_lost_between_finding_and_using_it_is_replaced(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lost = taken.getsockname()[1]
        found = iter([[lost, *ports.free_ports(1)], ports.free_ports(2)])
        monkeypatch.setattr(kafka_module, "free_ports", lambda count: next(found))

        with Cluster() as cluster:
            assert cluster.bootstrap != f"127.0.0.1:{lost}"
