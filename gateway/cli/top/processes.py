"""The state of one process, read from its admin port: its readiness in a sentence, and more of two processes.

Of a worker its partitions, of a deliverer its subscriptions.

The admin port answers also while Kafka, the database or Collate does not.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx

from runtime.http_client import Fetched, HttpClient, reason_of

_SAMPLE = re.compile(r"^collate_gateway_(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_STATES = {0: "closed", 1: "probing", 2: "open"}
_SECONDS = 5.0
_MAX_BYTES = 16 << 20

Json = dict[str, Any]
Samples = list[tuple[str, dict[str, str], float]]


def read_processes(urls: list[str]) -> list[Json]:
    """Read the admin ports in parallel, because one that hangs takes its whole time limit."""
    if not urls:
        return []
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(read_process, urls))


def read_process(url: str) -> Json:
    """Read one admin port. If it does not answer, the result has only `url`, `process` and `problem`."""
    client = HttpClient(url, seconds=_SECONDS, max_bytes=_MAX_BYTES)
    try:
        probe = json.loads(client.send("GET", f"{url}/readyz").body)
        samples = _samples(_ok(client.send("GET", f"{url}/metrics")).body.decode())
        status = client.send("GET", f"{url}/lanes")
        report = json.loads(status.body) if status.status == 200 else {}
        partitions, subscriptions = report.get("partitions"), report.get("subscriptions")
        found: Json = {"url": url, "at": datetime.now(UTC).isoformat(), "process": _name(samples)}
        found |= _readiness(probe) | {"breakers": _breakers(samples)}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return {"url": url, "process": "", "problem": reason_of(error)}
    if subscriptions is not None:
        found["subscriptions"] = [_subscription(one) for one in subscriptions]
    return found if partitions is None else found | _worker(partitions, samples)


def _ok(response: Fetched) -> Fetched:
    if response.status != 200:
        raise ValueError(f"the process responded {response.status}")
    return response


def _samples(text: str) -> Samples:
    return [
        (found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"]))
        for found in _SAMPLE.finditer(text)
    ]


def _name(samples: Samples) -> str:
    return next((labels["process"] for name, labels, _ in samples if name == "build_info"), "")


def _readiness(probe: Json) -> Json:
    return {"ready": bool(probe["good"]), "summary": str(probe["summary"])}


def _breakers(samples: Samples) -> list[Json]:
    """Return the breakers that hold calls to Collate: also the ingress has some, for its live calls."""
    return [
        {"reason": labels["reason"], "calls": labels["calls"], "state": _STATES.get(int(value), "?")}
        for name, labels, value in samples
        if name == "collate_breakers" and value
    ]


def _subscription(report: Json) -> Json:
    """Return what matters of a webhook subscription, without its partitions."""
    return {name: value for name, value in report.items() if name != "engine"}


def _worker(partitions: list[Json], samples: Samples) -> Json:
    waiting: dict[str, int] = {}
    for partition in partitions:
        for reason, count in partition["waiting"].items():
            waiting[reason] = waiting.get(reason, 0) + count
    states = {breaker["state"] for breaker in _breakers(samples)}
    return {
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


def _runs(partition: Json) -> bool:
    """Return whether a pause is for back-pressure: a partition that starts or has stopped is not fetched either."""
    return partition["phase"] == "running" and not partition["stopped"]


def _sum(samples: Samples, wanted: str) -> float:
    return sum(value for name, _, value in samples if name == wanted)
