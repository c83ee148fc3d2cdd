"""A changed callers file in a running ingress: each change counts once, and verified tokens are verified again."""

import asyncio
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from gateway.ingress.auth import callers_reload
from gateway.ingress.auth.callers_file import CallersFile
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics

CALLER = '[[caller]]\nname = "{}"\npermissions = ["handoff:request"]\n'


@pytest.fixture
async def running(tmp_path, monkeypatch):
    """The file, and a process that looks at it a hundred times a second."""
    monkeypatch.setattr(callers_reload, "CALLERS_CHECK_SECONDS", 0.01)
    file = tmp_path / "callers.toml"
    file.write_text(CALLER.format("a"))
    registry = CollectorRegistry()
    process = SimpleNamespace(metrics=Metrics(registry), health=Health(), log=get_log())
    tokens = SimpleNamespace(forgotten=0)

    def forget():
        tokens.forgotten += 1

    tokens.forget = forget
    callers = CallersFile(file)
    task = asyncio.create_task(callers_reload.reload_callers(callers, tokens, process))
    yield SimpleNamespace(file=file, callers=callers, tokens=tokens, registry=registry)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def replace(file, text):
    """Replace the file, as a mounted Secret is: a new file has the name at once."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


async def test_each_change_counts_once(running, eventually):
    def reloads():
        found = (
            running.registry.get_sample_value("collate_gateway_callers_reloads_total", {"result": one})
            for one in ("ok", "refused")
        )
        return *found, running.tokens.forgotten

    assert reloads() == (None, None, 0)
    replace(running.file, "no toml")
    await eventually(lambda: reloads() == (None, 1, 0))
    replace(running.file, CALLER.format("b") + CALLER.format("c"))
    await eventually(lambda: reloads() == (1, 1, 1))
    assert len(running.callers.current) == 2
    await asyncio.sleep(0.1)
    assert reloads() == (1, 1, 1), "an unchanged file is not read again"
