"""A deliverer on a Kafka with an authorizer, with exactly the permissions that `gateway topics acls` prints for it."""

import pytest

from adapters.kafka.acls import required_access
from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from local.installation import PARTITIONS, Installation
from local.webhook_receiver import Receiver, Reply, always
from runtime.settings import TopicSettings
from schemas.topics import catalogue, subscription_topics
from tests.chaos.webhooks import EventLog, Webhooks
from tests.preloaded import run_gateway
from tests.system.security.conftest import login_of


@pytest.fixture
async def webhooks(administrator, to_secured, run, prefix, start):
    """Webhooks of an installation whose topics exist, and whose user has the deliverer's access alone."""
    settings = TopicSettings(prefix=prefix, partitions=PARTITIONS, replication=1, min_insync=1)
    wanted = wanted_topics((*catalogue(prefix), *subscription_topics(prefix, "billing")), settings)
    async with open_cluster(to_secured("PLAINTEXT")) as cluster:
        await apply(cluster, wanted, compare(wanted, {}))
    login = to_secured("SASL_SSL", user="deliverer")
    installation = Installation(
        run,
        bootstrap=",".join(login.bootstrap),
        collate_url="http://127.0.0.1:1",
        prefix=prefix,
        settings={"GATEWAY_ENVIRONMENT": "test", **login_of(login)},
    )
    access = required_access("deliverer", catalogue(prefix), prefix, f"{prefix}deliverer")
    await administrator.allow("deliverer", *access)
    return Webhooks(installation, start)


def gateway(webhooks, *words):
    return run_gateway(*words, environ=webhooks.installation.environ)


async def test_its_own_permissions_suffice(webhooks, secured, prefix, start, eventually):
    plain = f"127.0.0.1:{secured.ports['PLAINTEXT']}"
    async with (
        Receiver(webhooks.secret("billing"), always(Reply(500))) as receiver,
        EventLog(plain, prefix, PARTITIONS) as events,
    ):
        webhooks.subscribe("billing", receiver.url, give_up_after="2s")
        checked = gateway(webhooks, "check", "--for", "deliverer")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "deliverer has all its permissions" in checked.stdout
        assert "differs" not in checked.stdout
        await start(webhooks.installation, "deliverer")
        await events.write("auth_1", count=2)
        await eventually(lambda: len(receiver.requests) > 4)
        receiver.behave = always(Reply())
        await eventually(lambda: receiver.accepted)
        listed = gateway(webhooks, "deliverer", "dead-letters", "billing")
        assert listed.returncode == 0, listed.stderr
