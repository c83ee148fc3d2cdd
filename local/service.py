"""A service or a person that uses the gateway: a caller's HTTP calls, as in the README."""

import secrets
from typing import Any

import httpx

from local.failures import LocalError


class UnexpectedResponse(LocalError):
    """The gateway's response has an unexpected status."""


class Service:
    """A caller with its key, or a person with a token. Each command gets a new Idempotency-Key."""

    def __init__(self, http: httpx.AsyncClient, url: str, key: str) -> None:
        self._http, self._url = http, f"{url}/v1/authorizations"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def watch(self, authorization_id: str) -> str:
        """Watch an authorization; return the command's id."""
        return await self._command(f"{authorization_id}/watch", {})

    async def review_snapshot(self, authorization_id: str) -> dict[str, Any]:
        """Return the review snapshot of an authorization."""
        response = await self._http.get(f"{self._url}/{authorization_id}/review-snapshot", headers=self._headers)
        return _expect(response, 200)

    async def request_handoff(self, authorization_id: str, accepted_review_snapshot_id: str) -> str:
        """Request a handoff; return the command's id."""
        return await self._command(
            f"{authorization_id}/handoffs", {"acceptedReviewSnapshotId": accepted_review_snapshot_id}
        )

    async def grant_access(self, authorization_id: str) -> dict[str, Any]:
        """Create a link into the payer session for the person whose token this client has."""
        response = await self._http.post(
            f"{self._url}/{authorization_id}/handoffs/active/access-grants",
            headers=self._headers,
            json={},
        )
        return _expect(response, 201)

    async def close_handoff(self, authorization_id: str, handoff_id: str, result: dict[str, str]) -> str:
        """Close a handoff with a report; return the command's id."""
        return await self._command(f"{authorization_id}/handoffs/{handoff_id}/close", {"result": result})

    async def _command(self, path: str, body: dict[str, Any]) -> str:
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(8)}
        response = await self._http.post(f"{self._url}/{path}", headers=headers, json=body)
        return str(_expect(response, 202)["commandId"])


def _expect(response: httpx.Response, status: int) -> dict[str, Any]:
    if response.status_code != status:
        request = f"{response.request.method} {response.request.url.path}"
        raise UnexpectedResponse(f"{request} has the status {response.status_code}, expected {status}: {response.text}")
    content: dict[str, Any] = response.json()
    return content
