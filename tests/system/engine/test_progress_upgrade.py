"""The upgrade matrix of docs/decisions/0009-progress-in-state.md, under load, with processes of the earlier release."""

import asyncio
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from consumers.engine.core.partition_lifecycle import PartitionStatus
from local.processes.archives import unpack
from tests.chaos.laboratory import until
from tests.chaos.tally import Task

ROOT = Path(__file__).parents[3]
# The last release that keeps the progress as the group's offset alone.
EARLIER = "b198dab7f04a57c9149e5efa7d5feec387479c9e"
PER_SECOND = 40.0


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The files of the earlier release, from the repository's history."""
    directory = tmp_path_factory.mktemp("earlier")
    archive = directory / "earlier.tar"
    with archive.open("wb") as file:
        subprocess.run(["git", "archive", EARLIER], cwd=ROOT, stdout=file, check=True)
    with tarfile.open(archive) as files:
        unpack(files, directory / "files")
    return directory / "files"


class Pods:
    """Two workers, replaced one after the other. Without static ids, so that every replacement moves partitions."""

    def __init__(self, laboratory, earlier):
        self._laboratory = laboratory
        self._builds = {"earlier": earlier, "old": None, "new": None}
        self._number = 0
        self._running = {}

    async def start(self, pod, release):
        self._number += 1
        changes = {} if release == "earlier" else {"progress_copy": release}
        self._running[pod] = self._laboratory.process(
            f"{pod}-{self._number}-{release}", self._builds[release], drain_seconds=0.5, **changes
        )
        await self._own_all()

    async def replace(self, pod, release, sig):
        # Its result is committed after the replacement of its worker, as a bit beyond the watermark or again.
        await self._laboratory.append(
            f"slow-{self._number}", Task(f"slow {self._number}", seconds=1.5, checkpoint=True)
        )
        await asyncio.to_thread(self._running[pod].send, sig)
        await self.start(pod, release)

    async def _own_all(self):
        def own_all():
            running = [number for pod in self._running.values() for number in pod.statuses()]
            return sorted(running) == list(range(4)) and all(
                status is PartitionStatus.RUNNING
                for pod in self._running.values()
                for status in pod.statuses().values()
            )

        await until(own_all, within=30)

    async def end(self):
        for process in self._running.values():
            await asyncio.to_thread(process.send, signal.SIGTERM)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
async def test_rolling_from_the_earlier_release_to_the_new_form_and_back_under_load_loses_and_repeats_nothing(
    laboratory, earlier, sig
):
    pods = Pods(laboratory, earlier)
    await pods.start("one", "earlier")
    await pods.start("two", "earlier")
    async with laboratory.load(PER_SECOND):
        for release in ("old", "earlier", "old", "new", "old", "new", "old", "earlier"):
            for pod in ("one", "two"):
                await pods.replace(pod, release, sig)
    await laboratory.all_finished(within=60)
    await pods.end()
    assert await laboratory.violations() == []
    print(f"{len(laboratory.appended)} inputs through 16 replacements")


async def test_the_earlier_release_stops_at_the_new_form(laboratory, earlier):
    pods = Pods(laboratory, earlier)
    await pods.start("one", "new")
    await laboratory.append("key", Task("0"))
    await laboratory.all_finished()
    await pods.end()
    process = laboratory.process("earlier", earlier)
    await until(lambda: list(process.statuses().values()) == [PartitionStatus.STOPPED] * 4, within=30)


async def test_all_workers_stopped_the_earlier_release_gives_way_to_the_new_form(laboratory, earlier):
    pods = Pods(laboratory, earlier)
    await pods.start("one", "earlier")
    for number in range(40):
        await laboratory.append(f"key-{number % 8}", Task(f"{number}", checkpoint=True))
    await laboratory.append("slow", Task("slow", seconds=3.0, checkpoint=True))
    await until(lambda: len(laboratory.finished) >= 40)
    await pods.end()
    pods = Pods(laboratory, earlier)
    await pods.start("one", "new")
    await laboratory.all_finished(within=30)
    await pods.end()
    assert await laboratory.violations() == []
