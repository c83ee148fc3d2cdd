"""A simulated Collate on a real socket with a frozen clock, and a caller that reads before it writes."""

import httpx
import pytest

from local.collate import DEFAULT_KEY, SimulatedCollate

ROOT = "/v1/prior-authorizations"
TAKEN_FROM_THE_READ = object()


class Caller:
    """An integrator that calls over the socket. Each call has a new key, unless one is given."""

    def __init__(self, http):
        self.http = http
        self._keys = 0

    def key(self):
        self._keys += 1
        return f"key-{self._keys}"

    async def read(self, authorization_id):
        answer = await self.http.get(f"{ROOT}/{authorization_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def read_handoff(self, authorization_id, handoff_id):
        answer = await self.http.get(f"{ROOT}/{authorization_id}/manual-handoffs/{handoff_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, authorization_id, path, body=None, *, key=None, if_match=None):
        headers = {}
        if key is not None:
            headers["idempotency-key"] = key
        if if_match is not None:
            headers["if-match"] = if_match
        return await self.http.post(f"{ROOT}/{authorization_id}/{path}", json=body or {}, headers=headers)

    async def write(self, authorization_id, path, body=None, *, key=None, version=TAKEN_FROM_THE_READ):
        """POST with a key and the version from a fresh read, as an integrator should."""
        if version is TAKEN_FROM_THE_READ:
            version = (await self.read(authorization_id))["version"]
        return await self.post(authorization_id, path, body, key=key or self.key(), if_match=f'"{version}"')

    async def open(self, authorization_id, **given):
        answer = await self.write(authorization_id, "manual-handoffs", **given)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    async def complete(self, authorization_id, handoff_id, outcome="submitted", **given):
        return await self.write(
            authorization_id, f"manual-handoffs/{handoff_id}/complete", {"reportedOutcome": outcome}, **given
        )

    async def mint(self, authorization_id, handoff_id, key=None):
        return await self.post(authorization_id, f"manual-handoffs/{handoff_id}/access-grants", key=key or self.key())


@pytest.fixture
async def sim():
    async with SimulatedCollate() as simulated:
        simulated.clock.freeze()
        yield simulated


@pytest.fixture
async def http(sim):
    # Loading certificates, which plain HTTP does not need, takes longer than a test.
    headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
    async with httpx.AsyncClient(base_url=sim.url, headers=headers, timeout=120, verify=False) as client:
        yield client


@pytest.fixture
def caller(http):
    return Caller(http)


@pytest.fixture
def effects(sim):
    """Count effects of a kind in the ledger."""

    def count(kind, **like):
        return sum(
            effect.kind == kind and all(getattr(effect.cause, name) == value for name, value in like.items())
            for _, effect in sim.ledger.effects
        )

    return count


@pytest.fixture
def code():
    """Check a refusal's status and envelope (docs/collate-contract.md §7), and return its code."""

    def checked(answer, status):
        assert answer.status_code == status, answer.text
        envelope = answer.json()
        assert set(envelope) == {"error", "requestId"}
        assert set(envelope["error"]) == {"code", "message", "retryable", "details", "issues"}
        return envelope["error"]["code"]

    return checked
