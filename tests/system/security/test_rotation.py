"""Running clients use new passwords, tokens and certificates."""

import ssl

import pytest

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.cluster import open_cluster
from adapters.kafka.credentials import RotatingContext


@pytest.fixture
async def commands(administrator, access_of, prefix):
    """The access of `ingress` to `commands`, which no other user has."""
    await administrator.create_topics(prefix)
    commands, *_ = access_of("ingress")
    await administrator.allow("ingress", commands)
    return commands


@pytest.fixture
def reconnect():
    """Close a client's connections, like a restarting broker."""

    def drop(cluster):
        for connection in list(cluster._admin._client._conns.values()):
            connection.close()

    return drop


@pytest.fixture
async def change_password(administrator):
    """Change the ingress' password at the shared broker until the test ends."""
    yield lambda password: administrator.set_password("ingress", password)
    await administrator.set_password("ingress", "right-password")


async def has_access(cluster, access):
    return not await cluster.missing_operations(access, [])


async def test_a_new_password_is_used_from_the_next_connection_on(to_secured, change_password, reconnect):
    settings = to_secured("SASL_SSL", user="ingress")
    async with open_cluster(settings) as cluster:
        await cluster.find_topics([])
        await change_password("new-password")
        settings.password_file.write_text("new-password\n")
        reconnect(cluster)
        assert await cluster.find_topics([]) == {}


async def test_a_new_token_is_used_from_the_next_connection_on(to_secured, secured, commands, reconnect, eventually):
    settings = to_secured("SASL_SSL", mechanism="OAUTHBEARER", user="stranger")
    async with open_cluster(settings) as cluster:
        assert await cluster.missing_operations(commands, []) == commands.operations
        settings.token_file.write_text(secured.tokens.token("ingress"))
        reconnect(cluster)
        # A busy broker applies the user's access a little later than its controller.
        await eventually(lambda: has_access(cluster, commands))


async def test_a_new_certificate_is_used_from_the_next_connection_on(
    to_secured, secured, commands, reconnect, eventually
):
    settings = to_secured("SSL", user="stranger")
    async with open_cluster(settings) as cluster:
        assert await cluster.missing_operations(commands, []) == commands.operations
        secured.authority.issue("ingress", settings.certificate_file, settings.key_file)
        reconnect(cluster)
        # A busy broker applies the user's access a little later than its controller.
        await eventually(lambda: has_access(cluster, commands))


async def test_a_certificate_without_its_key_leaves_the_old_pair_in_force(to_secured, secured, tmp_path, reconnect):
    settings = to_secured("SSL")
    async with open_cluster(settings) as cluster:
        secured.authority.issue("gateway", settings.certificate_file, tmp_path / "not-written-yet")
        reconnect(cluster)
        assert await cluster.find_topics([]) == {}
        (tmp_path / "not-written-yet").rename(settings.key_file)
        reconnect(cluster)
        assert await cluster.find_topics([]) == {}


async def test_new_authorities_replace_the_old_ones(to_secured, tmp_path, secured, reconnect):
    from local.kafka.secured import Authority  # noqa: PLC0415 - unit tests must not import it

    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(secured.ca_file.read_bytes())
    async with open_cluster(to_secured("SASL_SSL", ca_file=trusted)) as cluster:
        await cluster.find_topics([])
        Authority("stranger").write(trusted)
        reconnect(cluster)
        with pytest.raises(KafkaFailure):
            await cluster.find_topics([])
        trusted.write_bytes(secured.ca_file.read_bytes())
        assert await cluster.find_topics([]) == {}


def test_no_client_is_created_from_files_that_do_not_match(to_secured, tmp_path):
    settings = to_secured("SSL")
    settings.key_file.write_text("no key")
    with pytest.raises(ssl.SSLError):
        RotatingContext(settings)
