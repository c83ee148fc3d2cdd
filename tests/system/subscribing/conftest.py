"""The example of docs/examples, and a gateway that accepts commands, for tests of subscribers."""

import importlib.util
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from local.collate import SimulatedCollate
from local.installation import Installation, Program

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "subscriber.py"


@pytest.fixture(scope="session")
def example():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("subscriber", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Gateway:
    """A running ingress and worker, the Collate behind them, and the addresses of their topics."""

    installation: Installation
    collate: SimulatedCollate
    bootstrap: str
    ingress: Program
    worker: Program
    http: httpx.AsyncClient
    numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def prefix(self):
        return self.installation.prefix

    async def command(self, authorization, path, body=None, *, wait=20):
        """Send a command; return its outcome, or with `wait=0` the response of its acceptance."""
        key = self.installation.caller_key
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"c-{next(self.numbers)}"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        url = f"{self.ingress.url}/v1/authorizations/{authorization}/{path}"
        answer = await self.http.post(url, json=body or {}, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
async def gateway(installation, start, collate, kafka):
    """A running gateway."""
    ingress, worker = await start(installation, "ingress"), await start(installation, "worker")
    async with httpx.AsyncClient(timeout=120) as http:
        yield Gateway(installation, collate, kafka, ingress, worker, http)
