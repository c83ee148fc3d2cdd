"""The administrator of the secured broker, who grants and revokes permissions and sets passwords."""

import asyncio
import hashlib
import os

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from adapters.kafka.acls import required_access
from schemas.topics import catalogue

RESOURCES = {"topic": 2, "group": 3, "transactional-id": 5}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
SCRAM_SHA_512, ITERATIONS = 2, 4096


class SetPasswordResponse(Response):
    API_KEY, API_VERSION = 51, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class SetPasswordRequestV0(RequestStruct):
    FLEXIBLE_VERSION, API_KEY, API_VERSION = True, 51, 0
    RESPONSE_TYPE = SetPasswordResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class SetPasswordRequest(Request[SetPasswordRequestV0]):
    """AlterUserScramCredentials, which aiokafka lacks."""

    API_KEY = 51

    def __init__(self, user, password):
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        self._entry = (user, SCRAM_SHA_512, ITERATIONS, salt, salted, {})

    def build(self, request_struct_class):
        return request_struct_class([], [self._entry], {})


class Administrator:
    def __init__(self, admin):
        self._admin = admin

    async def allow(self, user, *accesses):
        await self._alter(CreateAclsRequest, user, accesses)

    async def revoke(self, user, *accesses):
        await self._alter(DeleteAclsRequest, user, accesses)

    async def set_password(self, user, password):
        response = await self._admin._send_to_controller(SetPasswordRequest(user, password))
        assert [code for _, code, *_ in response.results] == [0], response

    async def create_topics(self, prefix, partitions=1):
        await self._admin.create_topics([NewTopic(topic.name, partitions, 1) for topic in catalogue(prefix)])

    async def _alter(self, request, user, accesses):
        await asyncio.gather(
            *(
                self._admin._send_to_controller(
                    request(
                        RESOURCES[access.resource],
                        access.name,
                        PREFIXED if access.is_prefix else LITERAL,
                        f"User:{user}",
                        "*",
                        operation,
                        ALLOW,
                    )
                )
                for access in accesses
                for operation in access.operations
            )
        )


@pytest.fixture
async def administrator(secured):
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{secured.ports['PLAINTEXT']}")
    await admin.start()
    yield Administrator(admin)
    await admin.close()


@pytest.fixture
def access_of(prefix):
    """The access of a process, with this test's names: `access_of("worker")`."""
    return lambda process: required_access(process, catalogue(prefix), prefix, f"{prefix}worker")
