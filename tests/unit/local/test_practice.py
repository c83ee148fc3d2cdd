"""Practice with `make dev`: the shell's environment, a held port, and parts that end."""

import pytest
from typer.testing import CliRunner

from cli.app import app
from local.failures import StartFailed
from local.practice.part_watch import Part, PartWatch
from local.processes.ports import free_ports, hold, hold_or


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
    assert watch.startable == [kafka]
    assert watch.start_again() == [kafka]
    assert watch.newly_ended() == watch.startable == []
    running["kafka"] = False
    assert watch.newly_ended() == [kafka]


def test_the_program_shows_its_version_and_completes_words():
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).output == runner.invoke(app, ["version"]).output
    completion = {"_GATEWAY_COMPLETE": "complete_bash", "COMP_WORDS": "gateway topics a", "COMP_CWORD": "2"}
    done = runner.invoke(app, [], env=completion, prog_name="gateway")
    assert done.output.split() == ["apply", "acls"] or sorted(done.output.split()) == ["acls", "apply"]
