"""A subscriber with librdkafka: prints each record as Kafka's console consumer does, then commits.

python librdkafka_reader.py PROPERTIES TOPIC
"""

import sys
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message


def line(message: Message) -> bytes:
    headers = b",".join(name.encode() + b":" + value for name, value in message.headers())
    place = f"CreateTime:{message.timestamp()[1]}\tPartition:{message.partition()}\tOffset:{message.offset()}\t"
    return place.encode() + b"\t".join([headers, message.key(), message.value()]) + b"\n"


def main(properties: str, topic: str) -> None:
    consumer = Consumer(dict(one.split("=", 1) for one in Path(properties).read_text().splitlines()))
    consumer.subscribe([topic])
    while True:
        messages = [one for one in consumer.consume(100, timeout=0.5) if one.error() is None]
        for message in messages:
            sys.stdout.buffer.write(line(message))
            sys.stdout.buffer.flush()
        if messages:
            with suppress(KafkaException):  # the coordinator is away; the next commit has these offsets too
                consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
