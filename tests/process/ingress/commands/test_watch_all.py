"""docs/examples/watch_all.py against the ingress: a rate, a rejected row, and a run that was interrupted."""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

import pytest

from schemas.commands import AuthorizationWatch

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "watch_all.py"


@pytest.fixture
def settings_of():
    return {"GATEWAY_INGRESS__CALLER_RATE": "400", "GATEWAY_INGRESS__CALLER_BURST": "150"}


async def watch_all(ingress, file, key=None):
    environ = {"COLLATE_GATEWAY_URL": f"http://127.0.0.1:{ingress.port}", "COLLATE_GATEWAY_KEY": key or ingress.key}
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(sys.executable, EXAMPLE, file, env=environ, stdout=pipe, stderr=pipe)
    out, err = await running.communicate()
    return running.returncode, (out + err).decode()


async def test_every_row_becomes_a_watch_command_within_the_rate(kafka, ingress, tmp_path):
    file = tmp_path / "ids.csv"
    rows = [f"auth_{number},c-{number},x" for number in range(500)]
    file.write_text("\n".join(["authorizationId,metadata.case,other", *rows[:250], "not an id,x", *rows[250:]]))
    code, output = await watch_all(ingress, file)
    assert (code, "501 rows, 1 not accepted" in output) == (1, True), output
    (failed,) = [json.loads(line) for line in (tmp_path / "ids.csv.failed").read_text().splitlines()]
    assert (failed["row"], failed["status"]) == (251, 422)
    commands = kafka.read()
    assert {command.authorization_id for command in commands} == {f"auth_{number}" for number in range(500)}
    assert commands[0].data == AuthorizationWatch(metadata={"case": "c-0"})
    assert len(commands) == 500
    assert ingress.metric("batch_events_total", result="rate") > 0
    assert not (tmp_path / "ids.csv.place").exists()


async def test_a_run_that_was_interrupted_continues_at_its_place_with_the_same_commands(kafka, ingress, tmp_path):
    file = tmp_path / "ids.csv"
    file.write_text("\n".join(["authorizationId", *(f"auth_{number}" for number in range(120))]))
    code, output = await watch_all(ingress, file, "cgk_wrong_key")
    assert (code, kafka.commands) == (1, [])
    assert "0 rows are done" in output
    assert (await watch_all(ingress, file))[0] == 0
    place = tmp_path / "ids.csv.place"
    first = {command.id for command in kafka.read()}
    # As a process leaves it that was killed behind its last saved place.
    place.write_text(
        json.dumps({"run": hashlib.sha256(file.read_bytes()).hexdigest()[:16], "rows": 100, "failures": 0})
    )
    code, output = await watch_all(ingress, file)
    assert (code, "120 rows, 0 not accepted" in output) == (0, True), output
    assert {command.id for command in kafka.read()} == first
    assert not place.exists()
