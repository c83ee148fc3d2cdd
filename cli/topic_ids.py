"""Whether the worker's progress is of the `commands` topic as it is now, or of a deleted one of the same name."""

import asyncio
from collections.abc import Mapping

from adapters.kafka.clients import KafkaFailure, sentence_of
from adapters.kafka.topic_copy import extents_of
from adapters.kafka.topics import Difference, FoundTopic
from cli.rebuild.partition import progress_records
from consumers.engine.core.progress import ProgressUnreadable, decode
from runtime.settings import KafkaSettings
from schemas.topics import Topics

# A worker restores a large `state` in this time.
_SECONDS = 10.0


class ProgressNotRead(Exception):
    """The progress records could not be read; the message names the topic and the reason."""


async def id_differences(
    kafka: KafkaSettings, topics: Topics, found: Mapping[str, FoundTopic]
) -> tuple[Difference, ...]:
    """Compare the id of `commands` with the ids in the worker's progress records. Raises ProgressNotRead."""
    commands, state = topics.commands.name, topics.state.name
    if commands not in found or state not in found:
        return ()
    try:
        async with asyncio.timeout(_SECONDS):
            extents = (await extents_of(kafka, {state: found[state].partitions}, committed=True))[state]
            records = await progress_records(kafka, state, dict(enumerate(extents)))
    except KafkaFailure as failure:
        raise ProgressNotRead(f"the progress in {state} was not read: {sentence_of(failure)}") from failure
    now = found[commands].id
    other: dict[str, list[int]] = {}
    for number, value in sorted(records.items()):
        topic = _topic_of(value)
        if topic is not None and topic != now:
            other.setdefault(topic, []).append(number)
    return tuple(
        Difference(commands, "id", f"{topic} as in the progress of {_named(numbers)}", now, "by hand", fatal=True)
        for topic, numbers in other.items()
    )


def _topic_of(value: bytes) -> str | None:
    try:
        return decode(value).topic
    except ProgressUnreadable:  # the partition stops for another reason
        return None


def _named(numbers: list[int]) -> str:
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
