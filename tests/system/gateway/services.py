"""Several callers of one gateway, each with its own key."""

import asyncio
import itertools

from local.installation import new_caller

CALLERS = ("portal", "billing")
PERMISSIONS = ("handoff:request", "handoff:close", "authorization:watch")


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
    callers = {name: new_caller(name, PERMISSIONS) for name in CALLERS}
    with (run.directory / "callers.toml").open("a") as file:
        file.writelines(entry for _, entry in callers.values())
    return {name: key for name, (key, _) in callers.items()}
