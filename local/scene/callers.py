"""Services that send commands to the gateway over HTTP: with short timeouts, with retries, and sometimes wrong.

A case is one authorization with its commands. The seed and the case's number determine it. A caller retries a request
without a response, with the same key.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from local.collate.simulation import Simulation
from local.event_listener import Event
from local.installation import PERMISSIONS, new_caller

CALLERS: Final = ("scheduling", "intake", "billing")
PATIENCE_SECONDS: Final = 60.0
MARK: Final = "Lotte-Mustermann"  # part of each value that must never leave the command
STATES: Final = (*["complete_payer_interaction"] * 6, "processing", "approve_submission", "waiting_on_payer")
TRUTHS: Final = (*["as_reported"] * 4, "nothing", "received", "approved", "denied", "follow_up", "not_required")
OUTCOMES: Final = (
    "submitted",
    "submitted",
    "decision_observed",
    "not_required_observed",
    "follow_up_required_observed",
)


def write_callers(path: Path, *others: str, permissions: Sequence[str] = PERMISSIONS) -> dict[str, str]:
    """Write a callers file for the callers of a load and others; return the keys by caller."""
    callers = {name: new_caller(name, permissions) for name in (*CALLERS, *others)}
    path.touch(mode=0o600)
    path.write_text("".join(entry for _, entry in callers.values()))
    return {name: key for name, (key, _) in callers.items()}


class Callers:
    """All callers, their accepted commands and the received outcomes."""

    def __init__(
        self, sim: Simulation, urls: list[str], keys: dict[str, str], seed: int, *, is_shadow: bool = False
    ) -> None:
        """`is_shadow`: the gateway opens no handoff, so a case lets another actor open it."""
        self._is_shadow = is_shadow
        self.accepted: dict[str, float] = {}  # command id: when (monotonic seconds)
        self.ended: dict[str, float] = {}
        self._sent: dict[str, tuple[str, str, dict[str, Any], str]] = {}  # by command id: caller, path, body, key
        self.granted: set[str] = set()
        self.links: list[str] = []
        self.authorizations: list[str] = []
        self.unexpected: list[str] = []  # responses that no caller should get
        self._sim, self._urls, self._keys, self._seed = sim, urls, keys, seed
        self._http = httpx.AsyncClient(timeout=12, trust_env=False, limits=httpx.Limits(max_connections=200))
        self._request_number = itertools.count()
        self._ends: dict[str, asyncio.Future[Event]] = {}
        self._is_stopped = False
        self.running = 0  # cases
        self._may_start = asyncio.Event()
        self._may_start.set()

    def on_event(self, event: Event) -> None:
        """Record the end of a command."""
        if event.kind in {"command.finished", "command.dead_lettered"}:
            command = event.data["commandId"]
            self.ended.setdefault(command, time.monotonic())
            if not (end := self._end(command)).done():
                end.set_result(event)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def note_accepted(self, command: str) -> None:
        """Record that the ingress has accepted a command now."""
        self.accepted.setdefault(command, time.monotonic())

    @property
    def secrets(self) -> list[str]:
        """The texts that no log and no event may contain."""
        return [MARK, *self.links]

    def stop(self) -> None:
        """Start no further case; `run_until` returns when those that run have ended."""
        self._is_stopped = True
        self._may_start.set()

    def pause(self) -> None:
        """Start no further case until `resume`."""
        self._may_start.clear()

    def resume(self) -> None:
        """Start cases again."""
        self._may_start.set()

    async def run_until(self, end: float, per_second: float) -> None:
        """Start `per_second` cases until a time (monotonic seconds); return when all have ended."""
        async with asyncio.TaskGroup() as cases:
            for number in itertools.count():
                await self._may_start.wait()
                if self._is_stopped or time.monotonic() > end:
                    return
                cases.create_task(self._count_case(number))
                await asyncio.sleep(1 / per_second)

    async def watch_until(self, end: float, caller: str) -> None:
        """Send watches, each of an authorization of its own, one after the other, as fast as they are accepted."""
        for number in itertools.count():
            if self._is_stopped or time.monotonic() > end:
                return
            (authorization,) = self._sim.create("waiting_on_payer")
            await self._post(caller, f"/v1/authorizations/{authorization}/watch", {}, f"{caller}-{number}", None)

    async def close_until(self, end: float, caller: str) -> None:
        """Send closes of made-up handoffs, as `watch_until`."""
        for number in itertools.count():
            if self._is_stopped or time.monotonic() > end:
                return
            (authorization,) = self._sim.create("waiting_on_payer")
            path = f"/v1/authorizations/{authorization}/handoffs/mhand_none/close"
            await self._post(caller, path, {"result": {"type": "revoked", "reason": MARK}}, f"{caller}-c{number}", None)

    async def _count_case(self, number: int) -> None:
        self.running += 1
        try:
            await self._case(number)
        finally:
            self.running -= 1

    async def _case(self, number: int) -> None:
        chance = random.Random(f"{self._seed}/case/{number}")
        (authorization,) = self._sim.create(
            chance.choice(STATES),
            review_backed=chance.random() < 0.25,
            truth=chance.choice(TRUTHS),
            decision_seconds=chance.choice([None, 1.0, 3.0]),
            finds_after_seconds=chance.uniform(0.2, 2.0),
        )
        self.authorizations.append(authorization)
        if chance.random() < 0.4:
            await self._send_command(chance, f"{number}-watch", authorization, "watch", {})
        for round_ in range(chance.choice([1, 1, 2])):
            handoff = await self._request(chance, f"{number}-{round_}", authorization)
            if handoff is None and self._is_shadow:
                handoff = self._opened_otherwise(authorization)
            if handoff is None:
                continue
            await asyncio.sleep(chance.uniform(0, 1.0))
            if chance.random() < 0.3:
                await self._grant(f"{number}-{round_}", authorization, handoff)
            await self._close(chance, f"{number}-{round_}", authorization, handoff)

    def _opened_otherwise(self, authorization: str) -> str | None:
        self._sim.act(authorization, do="open_handoff")
        opened = self._sim.state.authorizations[authorization].open_handoff
        return None if opened is None else opened.id

    async def _request(self, chance: random.Random, name: str, authorization: str) -> str | None:
        """Request a handoff, sometimes from two callers; return its id, if there is one."""
        covered = self._sim.state.authorizations[authorization].covered_snapshot
        body: dict[str, Any] = {"metadata": {"case": name}}
        if covered is not None and chance.random() < 0.9:
            body["acceptedReviewSnapshotId"] = covered.id if chance.random() < 0.9 else "rev_wrong"
            body["acceptedBy"] = "op-7"
        requests = [self._send_command(chance, f"{name}-request", authorization, "handoffs", body)]
        if chance.random() < 0.15:  # another service sends the same request
            requests.append(
                self._send_command(chance, f"{name}-request", authorization, "handoffs", body, caller=CALLERS[0])
            )
        handoffs = [await self._handoff_of(command) for command in await asyncio.gather(*requests)]
        return next(filter(None, handoffs), None)

    async def _close(self, chance: random.Random, name: str, authorization: str, handoff: str) -> None:
        path = f"handoffs/{handoff}/close"
        closing = [self._send_command(chance, f"{name}-close", authorization, path, _result(chance))]
        if chance.random() < 0.2:  # another caller sends another report
            closing.append(self._send_command(chance, f"{name}-other", authorization, path, _result(chance)))
        if chance.random() < 0.05:
            closing.append(
                self._send_command(chance, f"{name}-none", authorization, "handoffs/mhand_none/close", _result(chance))
            )
        for command in await asyncio.gather(*closing):
            await self._handoff_of(command)

    async def _send_command(
        self,
        chance: random.Random,
        key: str,
        authorization: str,
        path: str,
        body: dict[str, Any],
        *,
        caller: str | None = None,
    ) -> str | None:
        """Send a command, sometimes twice and sometimes with another body under its key; return its id."""
        sender, path = caller or chance.choice(CALLERS), f"/v1/authorizations/{authorization}/{path}"
        wait = chance.choice([None, None, 2])
        sends = [self._post(sender, path, body, key, wait)]
        if chance.random() < 0.15:
            sends.append(self._post(sender, path, body, key, None))
        if chance.random() < 0.08:
            sends.append(self._post(sender, path, body | {"metadata": {"case": "another"}}, key, None))
        responses = await asyncio.gather(*sends)
        if chance.random() < 0.1:
            responses.append(await self._post(sender, path, body, key, None))
        return next((response["commandId"] for response in responses if response is not None), None)

    async def _post(
        self, caller: str, path: str, body: dict[str, Any], key: str, wait: int | None
    ) -> dict[str, Any] | None:
        headers = {"Idempotency-Key": key} | ({} if wait is None else {"Prefer": f"wait={wait}"})
        response = await self._until_response(caller, path, body, headers)
        if response is None or response.status_code == 422:  # 422: this replica knows the key with another body
            return None
        if response.status_code not in {200, 202}:
            self.unexpected.append(f"{path}: {response.status_code} {response.text[:200]}")
            return None
        content: dict[str, Any] = response.json()
        self.note_accepted(content["commandId"])
        self._sent.setdefault(content["commandId"], (caller, path, body, key))
        return content

    async def repeat(self, command: str) -> None:
        """Send an accepted command again, with its key."""
        await self._post(*self._sent[command], None)

    async def _grant(self, name: str, authorization: str, handoff: str) -> None:
        path = f"/v1/authorizations/{authorization}/handoffs/{handoff}/access-grants"
        caller, operator = CALLERS[1], f"op-{name}"
        # No retry: it would return another link, and each link needs an event.
        with contextlib.suppress(httpx.TransportError):
            response = await self._send(caller, path, {"operator": operator}, {})
            if response.status_code == 201:
                self.granted.add(operator)
                self.links += [response.json()["id"], response.json()["url"]]

    async def _until_response(
        self, caller: str, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> httpx.Response | None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                response = await self._send(caller, path, body, headers)
                if response.status_code not in {408, 429, 503}:
                    return response
            await asyncio.sleep(0.5)
        return None

    async def _send(self, caller: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        url = self._urls[next(self._request_number) % len(self._urls)]
        authorized = headers | {"Authorization": f"Bearer {self._keys[caller]}"}
        return await self._http.post(f"{url}{path}", json=body, headers=authorized)

    async def _handoff_of(self, command: str | None) -> str | None:
        """Wait for a command's end; return the handoff that it names, or None after a timeout."""
        if command is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                event = await asyncio.shield(self._end(command))
                return event.data.get("handoffId") if event.data.get("outcome") in {"applied", "already_done"} else None
        return None

    def _end(self, command: str) -> asyncio.Future[Event]:
        return self._ends.setdefault(command, asyncio.get_running_loop().create_future())


def _result(chance: random.Random) -> dict[str, Any]:
    results: list[Callable[[], dict[str, Any]]] = [
        lambda: {
            "type": "completed",
            "reportedOutcome": chance.choice(OUTCOMES),
            "operatorNotes": f"{MARK} was there",
            "observedReferenceNumber": f"REF-{MARK}",
        },
        lambda: {"type": "unable_to_complete", "reason": "channel_outage", "operatorNotes": MARK},
        lambda: {"type": "revoked", "reason": f"{MARK} called"},
    ]
    return {"result": chance.choices(results, [4, 1, 1])[0](), "metadata": {"report": "r1"}}
