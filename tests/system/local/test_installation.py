"""The gateway as local processes: their start, and the error of a failed start."""

import pytest

from local.failures import StartFailed
from local.installation import Installation, start_collate
from local.processes.cache import cache_directory
from local.processes.run import Run


def test_the_error_of_a_process_that_ends_shows_its_log_and_the_log_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Run("test") as run:
        wrong = Installation(
            run, bootstrap="127.0.0.1:1", collate_url="http://127.0.0.1:1", settings={"GATEWAY_INGRESS__CALLER": "x"}
        )
        ingress = wrong.start("ingress")

        with pytest.raises(StartFailed, match=r"exit code 78(?s:.*)GATEWAY_INGRESS__CALLER: unknown"):
            ingress.await_ready()

    assert "GATEWAY_INGRESS__CALLER" in (cache_directory() / "failed" / "ingress" / "ingress.log").read_text()


def test_only_the_owner_can_read_secrets(tmp_path):
    with Run("test") as run:
        Installation(run, bootstrap="127.0.0.1:1", collate_url="http://127.0.0.1:1")

        for name in ("callers.toml", "collate-key"):
            assert (run.directory / name).stat().st_mode & 0o077 == 0


def test_the_processes_do_not_inherit_gateway_settings(monkeypatch):
    monkeypatch.setenv("GATEWAY_INGRESS__PORT", "1")
    with Run("test") as run:
        assert "GATEWAY_INGRESS__PORT" not in Installation(run, bootstrap="a:1", collate_url="http://a").environ


def test_the_error_of_a_simulated_collate_that_cannot_start_has_the_reason():
    with Run("test") as run, pytest.raises(StartFailed, match="invalid choice"):
        start_collate(run, "--profile", "v9")
