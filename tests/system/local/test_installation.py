"""The gateway as local processes: their start, and the error of a failed start."""

import httpx
import pytest

from local.failures import StartFailed
from local.installation import Installation, start_collate
from local.processes.cache import cache_directory
from local.processes.run import Run


def responds(url):
    try:
        return bool(httpx.get(f"{url}/livez").status_code)
    except httpx.TransportError:
        return False


async def test_ingress_accepts_a_command_and_stops_in_order(installation, start):
    ingress = await start(installation, "ingress")

    async with httpx.AsyncClient(base_url=ingress.url) as http:
        answer = await http.post(
            "/v1/authorizations/auth_1/watch",
            headers={"Authorization": f"Bearer {installation.caller_key}", "Idempotency-Key": "once"},
        )

    assert answer.status_code == 202
    assert ingress.stop() == 0


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


def test_the_error_of_a_process_that_is_never_ready_names_the_missing_part(tmp_path, monkeypatch, eventually_blocking):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Run("test") as run:
        lonely = Installation(run, bootstrap="127.0.0.1:1", collate_url="http://127.0.0.1:1")
        ingress = lonely.start("ingress")

        eventually_blocking(lambda: responds(ingress.admin_url))
        with pytest.raises(StartFailed, match=r"not ready(?s:.*)kafka"):
            ingress.await_ready(within_seconds=1)


def test_only_the_owner_can_read_secrets(tmp_path):
    with Run("test") as run:
        Installation(run, bootstrap="127.0.0.1:1", collate_url="http://127.0.0.1:1")

        for name in ("callers.toml", "collate-key"):
            assert (run.directory / name).stat().st_mode & 0o077 == 0


def test_the_processes_do_not_inherit_gateway_settings(monkeypatch):
    monkeypatch.setenv("GATEWAY_INGRESS__PORT", "1")
    with Run("test") as run:
        assert "GATEWAY_INGRESS__PORT" not in Installation(run, bootstrap="a:1", collate_url="http://a").environ


def test_the_simulated_collate_responds_once_started():
    with Run("test") as run:
        url = start_collate(run)

        assert httpx.get(f"{url}/health").status_code == 200


def test_the_error_of_a_simulated_collate_that_cannot_start_has_the_reason():
    with Run("test") as run, pytest.raises(StartFailed, match="invalid choice"):
        start_collate(run, "--profile", "v9")
