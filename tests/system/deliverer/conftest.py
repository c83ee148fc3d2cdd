"""A deliverer as a process of its own, over real Kafka, and receivers on loopback."""

import pytest

from local.installation import PARTITIONS
from local.webhook_receiver import Receiver
from tests.chaos.webhooks import EventLog, Webhooks


@pytest.fixture
def eventually(eventually):
    """Wait longer: each test starts several processes, also on a machine that runs other work."""

    async def wait(check, within=90):
        return await eventually(check, within)

    return wait


@pytest.fixture
async def webhooks(installation, start):
    return Webhooks(installation, start)


@pytest.fixture
async def events(kafka, installation):
    async with EventLog(kafka, installation.prefix, PARTITIONS) as log:
        yield log


@pytest.fixture
async def receiver(webhooks):
    """The receiver of the subscription `billing`."""
    async with Receiver(webhooks.secret("billing")) as receiver:
        yield receiver
