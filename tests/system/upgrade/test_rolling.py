"""docs/upgrade.md, done under load: two builds side by side, forth and back; nothing is lost, doubled or misplaced."""

import asyncio
import itertools
import shutil
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from local import installation as local_installation
from local.event_listener import listening
from local.processes.patience import within
from tests.system.outcomes import assert_each_is_applied_once

ROOT = Path(__file__).parents[3]
NEXT = "99.0.0"
COMMANDS_AT_ONCE = 4
PAUSE_SECONDS = 0.2
GIVE_UP_SECONDS = 60


def build(version, directory):
    """Make a program of this tree under that version; that a wheel is the same is shown by tests/system/image."""
    for package in ("cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas"):
        shutil.copytree(ROOT / package, directory / "installed" / package)
    if version is not None:
        module = directory / "installed" / "runtime" / "version.py"
        module.write_text(f'"""The next version."""\n\nVERSION = "{version}"\n')
    program = directory / "gateway"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(directory / 'installed')!r})\n"
        "from cli.app import main\nmain()\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def builds(tmp_path):
    return build(None, tmp_path / "this"), build(NEXT, tmp_path / "next")


@pytest.fixture
async def rolling(install, kafka, builds, monkeypatch):
    """Two ingresses and two workers of this build, each of which can be replaced by one of the other."""
    monkeypatch.setattr(local_installation, "GATEWAY", builds[0])
    installed = await install(kafka)
    programs = {}

    async def replace(name, program):
        """Stop what runs under this name, as Kubernetes would, and start that build in its place."""
        if name in programs:
            assert await asyncio.to_thread(programs[name].stop) == 0, programs[name].log.read_text()[-2000:]
        monkeypatch.setattr(local_installation, "GATEWAY", program)
        programs[name] = installed.start(name.partition("-")[0], name)
        await asyncio.to_thread(programs[name].await_ready)

    for name in ("worker-0", "worker-1", "ingress-0", "ingress-1"):
        await replace(name, builds[0])
    return installed, programs, replace


class Load:
    """Callers that never stop asking, and keep to the rule: no definite answer, the same key again, anywhere."""

    def __init__(self, http, programs, key, authorizations):
        self._http, self._programs, self._key = http, programs, key
        self._authorizations = iter(authorizations)
        self.accepted, self.retried, self.is_over = {}, 0, False

    async def run(self):
        while not self.is_over:
            authorization = next(self._authorizations)
            async with within(GIVE_UP_SECONDS):
                self.accepted[authorization] = await self._ask(authorization)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, authorization):
        for number in itertools.count():
            ingress = self._programs[f"ingress-{number % 2}"]
            try:
                answer = await self._http.post(
                    f"{ingress.url}/v1/authorizations/{authorization}/handoffs",
                    json={},
                    headers={"Authorization": f"Bearer {self._key}", "Idempotency-Key": f"open-{authorization}"},
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                return answer.json()["commandId"]
            assert answer is None or answer.status_code == 503, answer.text
            self.retried += 1
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError


async def versions(programs):
    found = []
    async with httpx.AsyncClient(timeout=120) as http:
        for program in programs.values():
            metrics = (await http.get(f"{program.admin_url}/metrics")).text
            found.append("next" if f'version="{NEXT}"' in metrics else "this")
    return found


async def test_a_rolling_upgrade_and_its_rollback_under_load_lose_and_double_nothing(
    rolling, builds, collate, kafka, prefix
):
    installed, programs, replace = rolling
    this, following = builds
    authorizations = collate.create(count=3_000)
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        load = Load(http, programs, installed.caller_key, authorizations)
        asking = [asyncio.create_task(load.run()) for _ in range(COMMANDS_AT_ONCE)]
        # Workers before ingress on the way up, ingress before workers on the way back.
        for name in ("worker-0", "worker-1", "ingress-0", "ingress-1"):
            await replace(name, following)
        assert await versions(programs) == ["next"] * 4
        for name in ("ingress-0", "worker-1"):
            await replace(name, this)
        assert Counter(await versions(programs)) == {"this": 2, "next": 2}
        load.is_over = True
        await asyncio.gather(*asking)
        print(f"{len(load.accepted)} commands through six replacements, {load.retried} requests repeated")
        await assert_each_is_applied_once(listener, collate, load.accepted.keys(), load.accepted.values())
