"""`gateway shadow feed` against a real ingress of a shadow, and against one that writes."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from cli.app import app
from schemas.commands import HandoffClose, HandoffRequest

SHADOW = {
    "GATEWAY_COLLATE__WRITES": "off",
    "GATEWAY_ENVIRONMENT": "shadow",
    "GATEWAY_TOPICS__PREFIX": "shadow.",
    "GATEWAY_WORKER__GROUP": "shadow-worker",
}
TIME = "2026-06-02T14:06:00Z"
REQUEST = {"time": TIME, "caller": "intake", "type": "handoff.request", "authorizationId": "auth_1", "data": {}}
CLOSE = REQUEST | {
    "type": "handoff.close",
    "data": {"handoffId": "mhand_5", "result": {"type": "revoked", "reason": "r"}},
}


@pytest.fixture
def feed(ingress, monkeypatch, tmp_path):
    monkeypatch.setenv("COLLATE_GATEWAY_KEY", ingress.key)

    async def run(*lines):
        file = tmp_path / "mirror.jsonl"
        file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        arguments = ["shadow", "feed", str(file), "--url", f"http://127.0.0.1:{ingress.port}"]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)

    return run


class TestShadow:
    @pytest.fixture
    def settings_of(self):
        return SHADOW

    async def test_each_line_becomes_a_command_in_order_and_a_second_feed_the_same_commands(self, feed, kafka):
        ended = await feed(REQUEST, "", CLOSE)
        assert ended.exit_code == 0, ended.output
        assert "2 commands were accepted, 2 of them more than 30 s after their time" in ended.output
        first = kafka.read()
        assert [type(command.data) for command in first] == [HandoffRequest, HandoffClose]
        assert {command.data.metadata["mirrored-caller"] for command in first} == {"intake"}
        assert (await feed(REQUEST, CLOSE)).exit_code == 0
        assert {command.id for command in kafka.read()} == {command.id for command in first}

    async def test_a_wrong_line_is_named_and_the_others_are_sent(self, feed, kafka):
        broken = REQUEST | {"data": {"acceptedBy": 7}}
        ended = await feed(REQUEST, "no json", broken)
        assert ended.exit_code == 1
        assert "line 2: " in ended.output
        assert "line 3: " in ended.output
        assert "acceptedBy" in ended.output
        assert len(kafka.read()) == 1

    async def test_a_refused_key_ends_the_run(self, feed, kafka, monkeypatch):
        monkeypatch.setenv("COLLATE_GATEWAY_KEY", "cgk_wrong_key")
        assert (await feed(REQUEST)).exit_code == 1
        assert kafka.read() == []


async def test_a_gateway_that_writes_gets_no_mirrored_command(feed, kafka):
    ended = await feed(REQUEST)
    assert (ended.exit_code, kafka.read()) == (1, [])
    assert "is no shadow" in ended.output
