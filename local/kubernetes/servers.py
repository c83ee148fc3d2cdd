"""What the gateway needs beside the cluster, on the bridge: Kafka, PostgreSQL, a simulated Collate and a receiver."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import psycopg

from adapters.kafka.acls import Process, required_access
from local.collate.profile import named
from local.collate.simulation import Options
from local.collate.web.server import SimulatedCollate
from local.kafka.administrator import administrator
from local.kafka.secured import SecuredCluster
from local.kubernetes.inside import NODE_ADDRESS, POD_NETWORK
from local.postgres import Postgres
from local.subscriptions import new_secret
from local.webhook_receiver import Receiver
from runtime.settings import DelivererSettings, TopicSettings, WorkerSettings
from schemas.topics import catalogue

# The defaults of the settings, which the chart's values keep.
PREFIX: Final = str(TopicSettings.model_fields["prefix"].default)
WORKER_GROUP: Final = str(WorkerSettings.model_fields["group"].default)
_GROUPS: Final = {"deliverer": str(DelivererSettings.model_fields["group"].default)}
USERS: Final[tuple[Process, ...]] = ("ingress", "worker", "projector", "deliverer", "topics")
DATABASE_USER: Final = "gateway"
# A lookup of a dead broker must not outlast a case.
_BROKER: Final = {"broker.session.timeout.ms": "6000"}


class Servers:
    """`async with Servers(directory) as servers:` starts all four. Each can be stopped and started again."""

    def __init__(self, directory: Path, keys: Sequence[str], readings: dict[str, object]) -> None:
        """`keys` are Collate's API keys; `readings` replace the simulated Collate's."""
        self.passwords = {user: secrets.token_urlsafe(24) for user in USERS}
        named_users = {f"gateway-{user}": password for user, password in self.passwords.items()}
        self.kafka = SecuredCluster(directory, named_users, properties=_BROKER, host=NODE_ADDRESS)
        self.database = Postgres(address=NODE_ADDRESS, clients=POD_NETWORK)
        organization = "org_local"
        options = Options(profile=named(["v2"], readings), keys=dict.fromkeys(keys, organization), seed=7)
        self.collate = SimulatedCollate(options, host=NODE_ADDRESS)
        self.receiver = Receiver(new_secret(), host=NODE_ADDRESS)
        self._database_password = secrets.token_urlsafe(24)

    @property
    def bootstrap(self) -> str:
        """The address of the listener for the administrator, on the loopback."""
        return f"127.0.0.1:{self.kafka.ports['PLAINTEXT']}"

    @property
    def bootstrap_of_pods(self) -> str:
        """The address of the listener with TLS and SCRAM."""
        return f"{NODE_ADDRESS}:{self.kafka.ports['SASL_SSL']}"

    @property
    def dsn_of_pods(self) -> str:
        """The connection string of the pods."""
        return f"postgresql://{DATABASE_USER}:{self._database_password}@{NODE_ADDRESS}:5432/{self.database.database}"

    async def __aenter__(self) -> Self:
        await asyncio.gather(asyncio.to_thread(self.kafka.open), asyncio.to_thread(self.database.open))
        await asyncio.to_thread(self._create_user)
        async with administrator(self.bootstrap) as kafka:
            for user in USERS:
                group = _GROUPS.get(user, WORKER_GROUP)
                await kafka.allow(f"gateway-{user}", *required_access(user, catalogue(PREFIX), PREFIX, group))
        await self.receiver.start()
        await self.collate.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.collate.stop()
        await self.receiver.stop()
        await asyncio.gather(asyncio.to_thread(self.database.close), asyncio.to_thread(self.kafka.close))

    def _create_user(self) -> None:
        sql, name = psycopg.sql, psycopg.sql.Identifier(DATABASE_USER)
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            password = sql.Literal(self._database_password)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, password))
            database = sql.Identifier(self.database.database)
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, name))
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
