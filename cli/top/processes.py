"""The state of one process, read from its admin port: its readiness in a sentence, and more of two processes.

Of a worker its partitions, of a deliverer its subscriptions.

The admin port answers also while Kafka, the database or Collate does not.
"""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

import httpx

from runtime.admin.answers import SubscriptionState
from runtime.http_client import Fetched, HttpClient, reason_of

_SAMPLE = re.compile(r"^collate_gateway_(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(?P<name>\w+)="(?P<value>[^"]*)"')
_STATES = {0: "closed", 1: "probing", 2: "open"}
_SECONDS = 5.0
_MAX_BYTES = 16 << 20

Samples = list[tuple[str, dict[str, str], float]]


class PartitionRow(TypedDict):
    """A partition of a worker, as far as it is shown."""

    partition: int
    phase: str
    detail: str
    stopped: bool
    paused: bool
    lag: int | None
    oldestUnfinishedSeconds: float | None
    running: int
    waiting: dict[str, int]


class ProcessState(TypedDict):
    """A process: without an answer only `url` and `problem`; `partitions` and what follows only of a worker."""

    url: str
    process: str
    problem: NotRequired[str]
    at: NotRequired[str]
    ready: NotRequired[bool]
    summary: NotRequired[str]
    breakers: NotRequired[list[dict[str, str]]]
    subscriptions: NotRequired[list[SubscriptionState]]
    partitions: NotRequired[int]
    stopped: NotRequired[list[dict[str, int | str]]]
    paused: NotRequired[list[int]]
    lag: NotRequired[int]
    oldestSeconds: NotRequired[float]
    running: NotRequired[int]
    waiting: NotRequired[dict[str, int]]
    breaker: NotRequired[str]
    inFlight: NotRequired[float]
    queued: NotRequired[float]
    limit: NotRequired[float]


class _Report(TypedDict, total=False):
    partitions: list[PartitionRow]
    subscriptions: list[SubscriptionState]


def read_processes(admins: list[str]) -> list[ProcessState]:
    """Read the admin ports, each as URL or NAME=URL, in parallel: one that hangs takes its whole time limit."""
    if not admins:
        return []
    names, urls = [admin.rpartition("=")[0] for admin in admins], [admin.rpartition("=")[2] for admin in admins]
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(read_process, urls, names))


def read_process(url: str, name: str = "") -> ProcessState:
    """Read one admin port. If it does not answer, the result has only `url`, `process` (the `name`) and `problem`."""
    client = HttpClient(url, seconds=_SECONDS, max_bytes=_MAX_BYTES)
    try:
        probe: dict[str, object] = json.loads(client.send("GET", f"{url}/readyz").body)
        samples = _samples(_ok(client.send("GET", f"{url}/metrics")).body.decode())
        status, report = client.send("GET", f"{url}/partitions"), _Report()
        if status.status == 200:
            report = json.loads(status.body)
        found: ProcessState = {
            "url": url,
            "at": datetime.now(UTC).isoformat(),
            "process": _name(samples),
            "ready": bool(probe["good"]),
            "summary": str(probe["summary"]),
            "breakers": _breakers(samples),
        }
        if "subscriptions" in report:
            found["subscriptions"] = [_without_partitions(subscription) for subscription in report["subscriptions"]]
        return _worker(found, report["partitions"], samples) if "partitions" in report else found
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return {"url": url, "process": name, "problem": reason_of(error)}


def _ok(response: Fetched) -> Fetched:
    if response.status != 200:
        raise ValueError(f"the process responded {response.status}")
    return response


def _samples(text: str) -> Samples:
    return [
        (
            found["name"],
            {label["name"]: label["value"] for label in _LABEL.finditer(found["labels"] or "")},
            float(found["value"]),
        )
        for found in _SAMPLE.finditer(text)
    ]


def _name(samples: Samples) -> str:
    return next((labels["process"] for name, labels, _ in samples if name == "build_info"), "")


def _breakers(samples: Samples) -> list[dict[str, str]]:
    """Return the breakers that hold calls to Collate: also the ingress has some, for its live calls."""
    return [
        {"reason": labels["reason"], "calls": labels["calls"], "state": _STATES.get(int(value), "?")}
        for name, labels, value in samples
        if name == "collate_breakers" and value
    ]


def _without_partitions(subscription: SubscriptionState) -> SubscriptionState:
    subscription.pop("engine", None)
    return subscription


def _worker(found: ProcessState, partitions: list[PartitionRow], samples: Samples) -> ProcessState:
    waiting: Counter[str] = Counter()
    for partition in partitions:
        waiting.update(partition["waiting"])
    states = {breaker["state"] for breaker in found["breakers"]}
    return {
        **found,
        "partitions": len(partitions),
        "stopped": [
            {"partition": partition["partition"], "detail": partition["detail"]}
            for partition in partitions
            if partition["stopped"]
        ],
        "paused": [partition["partition"] for partition in partitions if partition["paused"] and _runs(partition)],
        "lag": sum(partition["lag"] or 0 for partition in partitions),
        "oldestSeconds": max((partition["oldestUnfinishedSeconds"] or 0 for partition in partitions), default=0),
        "running": sum(partition["running"] for partition in partitions),
        "waiting": waiting,
        "breaker": next((state for state in ("open", "probing") if state in states), "closed"),
        "inFlight": _sum(samples, "collate_in_flight"),
        "queued": _sum(samples, "collate_waiting"),
        "limit": _sum(samples, "collate_limit"),
    }


def _runs(partition: PartitionRow) -> bool:
    """Return whether a pause is for back-pressure: a partition that starts or has stopped is not fetched either."""
    return partition["phase"] == "running" and not partition["stopped"]


def _sum(samples: Samples, wanted: str) -> float:
    return sum(value for name, _, value in samples if name == wanted)
