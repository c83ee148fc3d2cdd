"""The proxy between Kafka's clients and a broker, here a server that notes each request and answers it at once."""

import asyncio
import struct

import pytest

from local.kafka.frame_proxy import FrameProxies
from local.kafka.frame_rules import FrameAct
from local.kafka.frames import Api, read_frame, request_frame
from local.processes.ports import free_ports

HEADER = struct.Struct(">hhih")


def produce(correlation):
    body = HEADER.pack(Api.PRODUCE, 8, correlation, 4) + b"test" + struct.pack(">h", -1)
    return struct.pack(">i", len(body)) + body


class Acts:
    """What happens to each request, by its correlation id."""

    def __init__(self, acts):
        self.acts = acts

    def choose(self, _broker, frame):
        return self.acts.get(frame.correlation)


@pytest.fixture
async def broker():
    came = []

    async def answer(reader, writer):
        while (data := await read_frame(reader)) is not None:
            came.append(request_frame(data).correlation)
            writer.write(struct.pack(">ii", 4, came[-1]))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], came
    server.close()


async def test_a_held_request_reaches_the_broker_though_the_answer_of_one_before_it_comes_first(broker, eventually):
    target, came = broker
    (port,) = free_ports(1)
    proxies = FrameProxies(Acts({1: (FrameAct.DELAY_ANSWER, 0.05), 2: (FrameAct.HOLD, 0.2)}))
    proxies.open({0: (port, target)})
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(produce(1) + produce(2))
        assert await read_frame(reader) is None, "the client's connection is closed"
        await eventually(lambda: came == [1, 2])
        await eventually(lambda: proxies.held == 0)
        writer.close()
    finally:
        proxies.close()
