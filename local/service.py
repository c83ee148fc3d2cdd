"""A service that uses the gateway: the HTTP calls of a caller, as its README tells them."""

import secrets
from typing import Any, NoReturn

import httpx

from local.failures import LocalError


class UnexpectedAnswer(LocalError):
    """The gateway answered something else than was asked for."""


class Service:
    """A caller with its key; every command gets an Idempotency-Key of its own."""

    def __init__(self, http: httpx.AsyncClient, url: str, key: str) -> None:
        self._http, self._url = http, f"{url}/v1/authorizations"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def watch(self, authorization_id: str) -> str:
        """Ask to be told of an authorization; returns the command's id."""
        return await self._command(f"{authorization_id}/watch", {})

    async def review_snapshot(self, authorization_id: str) -> dict[str, Any]:
        """Read what a reviewer has to accept."""
        answer = await self._http.get(f"{self._url}/{authorization_id}/review-snapshot", headers=self._headers)
        return _expect(answer, 200)

    async def request_handoff(self, authorization_id: str, accepted_review_snapshot_id: str) -> str:
        """Ask for a handoff; returns the command's id."""
        return await self._command(
            f"{authorization_id}/handoffs", {"acceptedReviewSnapshotId": accepted_review_snapshot_id}
        )

    async def grant_access(self, authorization_id: str, operator: str) -> dict[str, Any]:
        """Get a link into the payer session for an operator."""
        answer = await self._http.post(
            f"{self._url}/{authorization_id}/handoffs/active/access-grants",
            headers=self._headers,
            json={"operator": operator},
        )
        return _expect(answer, 201)

    async def close_handoff(self, authorization_id: str, handoff_id: str, result: dict[str, str]) -> str:
        """Report how it went; returns the command's id."""
        return await self._command(f"{authorization_id}/handoffs/{handoff_id}/close", {"result": result})

    async def _command(self, path: str, body: dict[str, Any]) -> str:
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(8)}
        answer = await self._http.post(f"{self._url}/{path}", headers=headers, json=body)
        return str(_expect(answer, 202)["commandId"])


def _expect(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        _refuse(answer, status)
    content: dict[str, Any] = answer.json()
    return content


def _refuse(answer: httpx.Response, status: int) -> NoReturn:
    asked = f"{answer.request.method} {answer.request.url.path}"
    raise UnexpectedAnswer(f"{asked} was answered {answer.status_code}, not {status}: {answer.text}")
