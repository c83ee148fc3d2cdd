"""The administrator of a secured broker, who grants and revokes permissions and sets passwords."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
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

from adapters.kafka.acls import ResourceAccess
from local.kafka.admin import admin_of
from local.processes.patience import Patience
from schemas.topics import catalogue, subscription_topics

RESOURCES = {"topic": 2, "group": 3, "transactional-id": 5}
LITERAL, PREFIXED, ALLOW, ANY = 3, 4, 3, 1
SCRAM_SHA_512, ITERATIONS = 2, 4096
_APPLIED_WITHIN_SECONDS, _POLL_SECONDS = 20.0, 0.02


class SetPasswordResponse(Response):  # type: ignore[misc]
    """The answer: an error code by user."""

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


class SetPasswordRequestV0(RequestStruct):  # type: ignore[misc]
    """The request's fields."""

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


class SetPasswordRequest(Request[SetPasswordRequestV0]):  # type: ignore[misc]
    """AlterUserScramCredentials, which aiokafka lacks."""

    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        self._entry: tuple[object, ...] = (user, SCRAM_SHA_512, ITERATIONS, salt, salted, {})

    def build(self, request_struct_class: Any) -> Any:
        """Return the request for the broker."""
        return request_struct_class([], [self._entry], {})


class Administrator:
    """Calls the controller with an administrator's client."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def allow(self, user: str, *accesses: ResourceAccess) -> None:
        """Grant permissions; return when the broker applies them, which is some time after the controller has them."""
        await self._alter(CreateAclsRequest, user, accesses)
        for access in accesses:
            await self._until_applied(user, access, access.operations.issubset)

    async def revoke(self, user: str, *accesses: ResourceAccess) -> None:
        """Take permissions away; return when the broker no longer applies them."""
        await self._alter(DeleteAclsRequest, user, accesses)
        for access in accesses:
            await self._until_applied(user, access, access.operations.isdisjoint)

    async def set_password(self, user: str, password: str) -> None:
        """Set a user's SCRAM password. The old one ends at once."""
        response = await self._admin._send_to_controller(SetPasswordRequest(user, password))  # noqa: SLF001 - no public call
        if [code for _, code, *_ in response.results] != [0]:
            raise RuntimeError(f"the password was not set: {response}")

    async def create_topics(self, prefix: str) -> None:
        """Create the five topics, and those of a webhook subscription `billing`, without settings."""
        topics = (*catalogue(prefix), *subscription_topics(prefix, "billing"))
        await self._admin.create_topics([NewTopic(topic.name, 1, 1) for topic in topics])

    async def _until_applied(self, user: str, access: ResourceAccess, is_as_asked: Callable[[set[int]], bool]) -> None:
        patience = Patience(_APPLIED_WITHIN_SECONDS)
        while not is_as_asked(await self._applied(user, access)):
            if patience.is_over:
                raise RuntimeError(f"the broker does not apply the permissions of {user} for {access.name}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _applied(self, user: str, access: ResourceAccess) -> set[int]:
        pattern = PREFIXED if access.is_prefix else LITERAL
        response = await self._admin._send_request(  # noqa: SLF001 - as below
            DescribeAclsRequest(RESOURCES[access.resource], access.name, pattern, f"User:{user}", "*", ANY, ALLOW)
        )
        return {operation for *_, acls in response.resources for _, _, operation, _ in acls}

    async def _alter(self, request: Any, user: str, accesses: Sequence[ResourceAccess]) -> None:
        await asyncio.gather(
            *(
                self._admin._send_to_controller(  # noqa: SLF001 - the public calls have no such request
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


@asynccontextmanager
async def administrator(bootstrap: str) -> AsyncIterator[Administrator]:
    """Connect without a login, as a super user does."""
    async with admin_of(bootstrap) as admin:
        yield Administrator(admin)
