"""A real Prometheus with the chart's rules beside the cluster: which alerts a person would get, and when."""

import asyncio
import contextlib

from local.kubernetes.deployment import PARTITIONS
from tests.alerts.__main__ import rules_with
from tests.alerts.prometheus import Prometheus
from tests.cluster.owners import ADMIN_PORT

POLL_SECONDS = 2.0
SCRAPED_WITHIN_SECONDS = 60
VALUES = {"settings": {"topics": {"partitions": PARTITIONS}}}


@contextlib.asynccontextmanager
async def watched(scene):
    """Note when each alert of the block is pending for the first time, and when it fires."""
    with contextlib.ExitStack() as stack:
        prometheus = await asyncio.to_thread(stack.enter_context, Prometheus(rules_with(VALUES)))

        async def are_scraped():
            return len(await scrape(scene, prometheus)) == len(await asyncio.to_thread(prometheus.values, "up == 1"))

        await scene.until(are_scraped, SCRAPED_WITHIN_SECONDS, "the metrics of every pod")
        watching = asyncio.create_task(watch(scene, prometheus))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def watch(scene, prometheus):
    """Note the alerts until cancelled."""
    seen = set()
    while True:
        await scrape(scene, prometheus)
        for alert in await asyncio.to_thread(prometheus.alerts):
            labels = alert["labels"]
            shown = f"alert {labels['alertname']} ({labels['severity']}) is {alert['state']}"
            if shown not in seen:
                seen.add(shown)
                scene.note(f"{shown}: {alert['annotations']['summary']}")
        await asyncio.sleep(POLL_SECONDS)


async def scrape(scene, prometheus):
    """Let Prometheus scrape the pods that Kubernetes lists; return their names."""
    pods = (await scene.pods()).items()
    addresses = {name: pod["status"]["podIP"] for name, pod in pods if "podIP" in pod["status"]}
    prometheus.scrape({name: f"http://{address}:{ADMIN_PORT}" for name, address in addresses.items()})
    return addresses
