"""Practice with `make dev`: the shell's environment, a held port, and parts that end."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from local.failures import StartFailed
from local.practice.environment_script import script
from local.practice.part_watch import Part, PartWatch
from local.processes.ports import free_ports, hold, hold_or


def test_a_shell_that_reads_the_script_has_the_settings_of_the_processes(tmp_path):
    path = tmp_path / "env.sh"
    path.write_text(
        script(
            {"GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1", "GATEWAY_READMODEL__DSN_FILE": "/a dir/d'sn", "HOME": "/root"},
            url="http://127.0.0.1:8080",
            key="cgk_1_a$b",
            admin_urls={"ingress": "http://127.0.0.1:2", "worker": "http://127.0.0.1:3"},
            pids={"kafka": 7, "worker": 8},
            start_lines={"worker": "GATEWAY_ADMIN__PORT=3 gateway worker", "console": "A='b c' gateway console"},
            bin_path=Path("/opt/a b/bin"),
        )
    )
    done = subprocess.run(
        ["/usr/bin/env", "-i", "/bin/sh", "-c", f". {path}; env; restart_help"],
        capture_output=True,
        text=True,
        check=True,
    )
    shown, _, said = done.stdout.partition("To start a process again after its end:\n")
    found = dict(line.split("=", 1) for line in shown.splitlines())
    assert (
        found.items()
        >= {
            "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "GATEWAY_READMODEL__DSN_FILE": "/a dir/d'sn",
            "COLLATE_GATEWAY_URL": "http://127.0.0.1:8080",
            "COLLATE_GATEWAY_KEY": "cgk_1_a$b",
            "COLLATE_GATEWAY_ADMIN": "http://127.0.0.1:2 http://127.0.0.1:3",
            "KAFKA_PID": "7",
            "WORKER_PID": "8",
            "WORKER_ADMIN": "http://127.0.0.1:3",
        }.items()
    )
    assert not [name for name in found if name.endswith("__PORT")], "these ports are taken"
    assert len(done.stderr.splitlines()) == 1
    assert "  GATEWAY_ADMIN__PORT=3 gateway worker" in said.splitlines()
    assert "  A='b c' gateway console" in said.splitlines()
    assert "HOME" not in found
    assert found["PATH"].startswith("/opt/a b/bin:")


def test_a_held_port_is_taken_until_its_server_starts():
    (port,) = free_ports(1)
    held = hold(port)
    with pytest.raises(StartFailed, match=rf"Another process has port {port} of 127\.0\.0\.1\. .* --port {port + 1}"):
        hold(port)
    other = hold_or(port)
    assert other.number != port
    other.release()
    assert held.release() == port
    assert hold(port).release() == port


def test_each_end_is_reported_once_and_a_part_that_starts_again_can_end_again():
    running = {"kafka": True, "worker": True}
    kafka = Part("kafka", lambda: running["kafka"], "", lambda: running.update(kafka=True))
    worker = Part("worker", lambda: running["worker"], "")
    watch = PartWatch([kafka, worker])
    assert watch.newly_ended() == []
    running.update(kafka=False, worker=False)
    assert watch.newly_ended() == [kafka, worker]
    assert watch.newly_ended() == []
    assert watch.start_again() == [kafka]
    assert watch.newly_ended() == []
    running["kafka"] = False
    assert watch.newly_ended() == [kafka]


def test_the_program_shows_its_version_and_completes_words():
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).output == runner.invoke(app, ["version"]).output
    completion = {"_GATEWAY_COMPLETE": "complete_bash", "COMP_WORDS": "gateway topics a", "COMP_CWORD": "2"}
    done = runner.invoke(app, [], env=completion, prog_name="gateway")
    assert done.output.split() == ["apply", "acls"] or sorted(done.output.split()) == ["acls", "apply"]
