"""Several callers of one gateway, each with its own key."""

import asyncio
import hashlib
import itertools
import secrets

CALLERS = ("portal", "billing", "triage")
PERMISSIONS = '"handoff:request", "handoff:close", "authorization:watch"'


class Service:
    """A caller of the gateway with a key of its own."""

    def __init__(self, http, ingress, key):
        self._http, self._ingress, self._key = http, ingress, key
        self._numbers = itertools.count()

    async def request(self, authorization):
        return await self._post(f"{authorization}/handoffs", {})

    async def close(self, authorization, handoff):
        result = {"type": "unable_to_complete", "reason": "a_reason_that_collate_refuses"}
        return await self._post(f"{authorization}/handoffs/{handoff}/close", {"result": result})

    async def watch(self, authorization):
        return await self._post(f"{authorization}/watch", {})

    async def _post(self, path, body):
        key = f"n-{next(self._numbers)}"
        while True:
            answer = await self.post(path, body, key)
            if answer.status_code != 429:
                break
            await asyncio.sleep(int(answer.headers["retry-after"]))
        assert answer.status_code == 202, answer.text
        return answer.json()["commandId"]

    async def post(self, path, body, key):
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": key}
        return await self._http.post(f"{self._ingress.url}/v1/authorizations/{path}", json=body, headers=headers)


def add_callers(run):
    """Add callers to the callers' file; return their keys by name."""
    keys = {}
    with (run.directory / "callers.toml").open("a") as file:
        for name in CALLERS:
            key_id = secrets.token_hex(4)
            keys[name] = key = f"cgk_{key_id}_{secrets.token_urlsafe(32)}"
            digest = hashlib.sha256(key.encode()).hexdigest()
            file.write(f'[[caller]]\nname = "{name}"\npermissions = [{PERMISSIONS}]\n')
            file.write("rate_per_second = 1000\nburst = 2000\n")
            file.write(f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{digest}"\n')
    return keys
