"""`python -m bench.promises`: seconds and memory of one pass of `gateway check promises` over made-up topics.

Stories of `local.sample_records` are copied under other ids. The pass runs in a process of its own.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from bench.harness import append, options, show
from bench.installed import PARTITIONS, record_of
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import PROGRESS_KEY, encode
from local.installation import GATEWAY
from local.kafka.nodes import Cluster
from local.sample_records import BEGAN, SampleRecord, sample_records
from runtime.settings import KafkaSettings, TopicSettings
from schemas.cloudevents.sequence import sequence_text
from schemas.topics import Topics, catalogue

_STORIES = 500
_DAY = f"{BEGAN:%Y-%m-%d}".encode()
_COMMAND = re.compile(rb'("commandId":")..')


def copies(stories: list[list[SampleRecord]], topic: str, authorizations: int, turns: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a topic: the events of each story come `turns` times, with other ids, a day later each."""
    for turn in range(turns if topic == "events" else 1):
        for number in range(authorizations):
            story = stories[number % len(stories)]
            events = sum(record.topic == "events" for record in story)
            last = [record for record in story if record.topic == topic][-1:]
            place = turn * events
            for record in story:
                if record.topic != topic:
                    continue
                headers, value = dict(record.headers), record.value
                headers["ce_subject"] = b"auth_%d" % number
                if topic == "events":
                    place += 1
                    headers["ce_sequence"] = sequence_text(place).encode()
                    headers["ce_id"] = b"%d-%d" % (number, place)
                    headers["ce_time"] = headers["ce_time"].replace(b"-02T", b"-%02dT" % (2 + turn))
                    value = (value or b"").replace(b'"mhand_', b'"mhand_%d_' % turn)
                    value = _COMMAND.sub(rb"\g<1>%02x" % turn, value) if turn else value
                elif topic == "authorizations":
                    at = turns * events if record is last[0] else int(headers["ce_sequence"])
                    headers["ce_sequence"] = sequence_text(at).encode()
                yield record_of(f"auth_{number}", value, tuple(headers.items()), PARTITIONS)


async def write_stories(
    bootstrap: str, topics: Topics, authorizations: int, turns: int, *, holds: bytes = b"", day: bytes = _DAY
) -> None:
    """Write the commands, events and records of stories of which a record holds these bytes, as of a day."""
    by_id: dict[str, list[SampleRecord]] = {}
    for record in sample_records(_STORIES):
        headers = tuple((name, value.replace(_DAY, day)) for name, value in record.headers)
        moved = replace(record, headers=headers, value=(record.value or b"").replace(_DAY, day))
        by_id.setdefault(record.authorization_id, []).append(moved)
    # After a dead letter these stories are not those of a real history.
    whole = {name: b"".join(record.value or b"" for record in story) for name, story in by_id.items()}
    stories = [by_id[name] for name, text in whole.items() if b'"cause"' not in text and holds in text]
    for topic in ("events", "commands", "authorizations"):
        await append(bootstrap, getattr(topics, topic).name, copies(stories, topic, authorizations, turns))


async def fill(kafka: KafkaSettings, topics: Topics, settings: TopicSettings, given: argparse.Namespace) -> None:
    """Write the topics, and a progress that calls every command finished."""
    wanted = wanted_topics(topics, settings)
    async with open_cluster(kafka) as cluster:
        await apply(cluster, wanted, compare(wanted, {}))
        topic_id = (await cluster.find_topics([topics.commands.name]))[topics.commands.name].id
    await write_stories(kafka.bootstrap[0], topics, given.authorizations, given.turns)
    progress = encode(Committed(1 << 40, ""), topic_id)
    one_each = [{"value": progress, "key": PROGRESS_KEY, "partition": number} for number in range(PARTITIONS)]
    await append(kafka.bootstrap[0], topics.state.name, one_each)


def measured(environ: dict[str, str]) -> tuple[float, float, float, dict[str, Any]]:
    """Return the seconds, the processor seconds and the MiB of a pass, and its output."""
    began = time.perf_counter()
    command = [str(GATEWAY), "check", "promises", "--since", "365d", "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        output = process.stdout.read() if process.stdout else b""
        _, _, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, json.loads(output)


async def _main(given: argparse.Namespace) -> None:
    with Cluster(long_lived=True) as cluster:
        prefix = "bench-"
        kafka = KafkaSettings(bootstrap=(cluster.bootstrap,))
        settings = TopicSettings(prefix=prefix, partitions=PARTITIONS, replication=1, min_insync=1)
        await fill(kafka, catalogue(prefix), settings, given)
        environ = os.environ | {
            "GATEWAY_ENVIRONMENT": "bench",
            "GATEWAY_KAFKA__BOOTSTRAP": cluster.bootstrap,
            "GATEWAY_TOPICS__PREFIX": prefix,
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
        }
        seconds, processor, mib, output = await asyncio.to_thread(measured, environ)
    found = {row["promise"]: row for row in output["promises"]}
    show(
        "gateway check promises",
        ("events", "authorizations", "seconds", "processor seconds", "MiB", "violations"),
        [
            (
                f"{found['4']['examined']:,}",
                f"{given.authorizations:,}",
                f"{seconds:.1f}",
                f"{processor:.1f}",
                f"{mib:.0f}",
                str(sum(row["violations"] for row in found.values())),
            )
        ],
    )


if __name__ == "__main__":
    asyncio.run(
        _main(
            options(
                __doc__,
                authorizations=(20_000, "authorizations with a story each"),
                turns=(1, "how often each story's events come, one after another"),
            )
        )
    )
