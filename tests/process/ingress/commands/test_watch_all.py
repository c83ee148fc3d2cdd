"""`gateway watch-all` against the ingress: thousands of lines, a rate, and rejected events."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from schemas.commands import AuthorizationWatch


@pytest.fixture
def settings_of():
    return {"GATEWAY_INGRESS__CALLER_RATE": "400", "GATEWAY_INGRESS__CALLER_BURST": "150"}


@pytest.fixture
def watch_all(ingress, monkeypatch):
    monkeypatch.setenv("COLLATE_GATEWAY_KEY", ingress.key)

    async def run(*arguments):
        url = f"http://127.0.0.1:{ingress.port}"
        return await asyncio.to_thread(CliRunner().invoke, app, ["watch-all", "--url", url, *map(str, arguments)])

    return run


async def test_every_line_becomes_a_watch_command_within_the_rate(watch_all, kafka, ingress, tmp_path):
    file = tmp_path / "ids.csv"
    rows = [f"auth_{number},c-{number}" for number in range(500)]
    file.write_text("\n".join(["authorizationId,metadata.case", *rows[:250], "not an id,x", *rows[250:]]))
    ended = await watch_all("--from", file)
    assert ended.exit_code == 1, ended.output
    assert "line 252: expected an authorization's id" in ended.output
    assert "1 of 502 lines were not accepted" in ended.output
    commands = kafka.read()
    assert {command.authorization_id for command in commands} == {f"auth_{number}" for number in range(500)}
    assert commands[0].data == AuthorizationWatch(metadata={"case": "c-0"})
    assert len(commands) == 500
    assert ingress.metric("batch_events_total", result="rate") > 0
    assert not file.with_name("ids.csv.progress").exists()


async def test_a_wrong_key_ends_the_run_and_another_run_continues(watch_all, kafka, tmp_path, monkeypatch, ingress):
    file = tmp_path / "ids"
    file.write_text("".join(f"auth_{number}\n" for number in range(120)))
    monkeypatch.setenv("COLLATE_GATEWAY_KEY", "cgk_wrong_key")
    ended = await watch_all("--from", file)
    assert (ended.exit_code, kafka.commands) == (1, [])
    monkeypatch.setenv("COLLATE_GATEWAY_KEY", ingress.key)
    ended = await watch_all("--from", file, "--json")
    assert (ended.exit_code, json.loads(ended.stdout.splitlines()[-1])) == (0, {"lines": 120, "failed": 0})
    assert len(kafka.commands) == 120
