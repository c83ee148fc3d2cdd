"""The administrator of the secured broker, who grants and revokes permissions and sets passwords."""

import pytest

from adapters.kafka.acls import required_access
from local.kafka import administrator as local_administrator
from schemas.topics import catalogue


@pytest.fixture
async def administrator(secured):
    async with local_administrator.administrator(f"127.0.0.1:{secured.ports['PLAINTEXT']}") as administrator:
        yield administrator


def login_of(kafka):
    """Return the variables of a process that logs in with these settings."""
    given = kafka.model_dump(exclude={"bootstrap"}, exclude_unset=True)
    return {f"GATEWAY_KAFKA__{name.upper()}": str(value) for name, value in given.items() if value is not None}


@pytest.fixture
def access_of(prefix):
    """The access of a process, with this test's names: `access_of("worker")`."""
    return lambda process: required_access(process, catalogue(prefix), prefix, f"{prefix}worker")
