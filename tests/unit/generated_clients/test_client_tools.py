"""The tools of `make clients`: what happens without one, and what a failed command shows."""

import sys
from pathlib import Path

import pytest

from tests.clients import tools
from tests.clients.handoffs import _expect


def test_without_go_the_error_says_what_to_install(tmp_path):
    with pytest.raises(tools.NoTool, match=r"Install Go 1\.26 or newer"):
        tools.go_program(tmp_path, path=str(tmp_path))


def test_go_of_the_machine_is_used_only_without_the_packaged_one(tmp_path):
    on_path, packages = tmp_path / "path", tmp_path / "packages"
    for directory in (on_path, packages):
        directory.mkdir()
    (on_path / "go").write_text("#!/bin/sh\n")
    (on_path / "go").chmod(0o755)
    assert tools.go_program(packages, path=str(on_path)) == on_path / "go"
    (packages / "go").write_text("")
    assert tools.go_program(packages, path=str(on_path)) == packages / "go"


def test_a_failed_command_shows_its_output(tmp_path):
    with pytest.raises(tools.CommandFailed, match=r"exit code 3:\nno such type"):
        tools.run([sys.executable, "-c", "print('no such type'); raise SystemExit(3)"], tmp_path)


def test_a_changed_lock_gets_a_new_place_and_an_interrupted_installation_begins_again(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "cache_directory", lambda: tmp_path / "cache")
    lock, made = tmp_path / "lock", []

    def install(target: Path):
        target.mkdir()
        made.append(target)
        if len(made) == 1:
            raise tools.CommandFailed("interrupted")

    lock.write_text("1")
    with pytest.raises(tools.CommandFailed):
        tools.cached_folder("tool", [lock], install)
    first = tools.cached_folder("tool", [lock], install)
    assert tools.cached_folder("tool", [lock], install) == first
    assert made == [first, first]
    lock.write_text("2")
    assert tools.cached_folder("tool", [lock], install) != first


def test_a_walk_that_tells_something_else_than_collate_fails():
    with pytest.raises(AssertionError, match="the result at Collate is 'revoked', expected 'completed_reported'"):
        _expect("the result at Collate", "revoked", "completed_reported")


def test_no_lock_names_a_host_of_a_registry():
    assert '"resolved"' not in (tools.NPM / "package-lock.json").read_text()
    assert "://" not in tools.REQUIREMENTS.read_text() + tools.GENERATOR_LOCK.read_text()
