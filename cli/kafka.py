"""Work with Kafka in a verb, which ends with a message if Kafka is unreachable."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from adapters.kafka.clients import KafkaFailure, sentence_of
from adapters.kafka.cluster import KafkaAway, TopicRequestRejected
from cli.terminal import fail
from runtime.exits import Exit
from runtime.settings import KafkaSettings

Result = TypeVar("Result")


def run_with_kafka(
    kafka: KafkaSettings,
    work: Coroutine[object, None, Result],
    verb: str = "gateway",
    code: Exit = Exit.UNAVAILABLE,
) -> Result:
    """Return the result of the work; end the program with the code if Kafka is unreachable."""
    try:
        return asyncio.run(work)
    except KafkaAway as away:
        fail(code, f"Kafka at {away}; run the same command again", verb)
    except TopicRequestRejected as rejected:
        fail(code, str(rejected), verb)
    except KafkaFailure as failure:
        reason = f"{','.join(kafka.bootstrap)}: {sentence_of(failure)}"
        fail(code, f"Kafka at {reason}; run the same command again", verb)
