"""Logins to Kafka; a rejected login is never reported as an unreachable broker."""

import pytest

from adapters.kafka.cluster import KafkaAway, KafkaDenied, open_cluster
from local.kafka.secured import Authority, TokenIssuer


async def log_in(settings):
    async with open_cluster(settings, timeout_seconds=5) as cluster:
        return await cluster.find_topics([])


async def rejection(settings):
    with pytest.raises(KafkaAway) as away:
        await log_in(settings)
    return away.value


@pytest.mark.parametrize("flaw", ["expired", "for another audience", "signed by a stranger", "no token at all"])
async def test_a_rejected_token_is_denied_and_the_error_names_its_setting(to_secured, secured, flaw):
    settings = to_secured("SASL_SSL", mechanism="OAUTHBEARER")
    token = {
        "expired": lambda: secured.tokens.token("gateway", seconds=-3600),
        "for another audience": lambda: secured.tokens.token("gateway", audience="elsewhere"),
        "signed by a stranger": lambda: TokenIssuer().token("gateway"),
        "no token at all": lambda: "nonsense",
    }[flaw]()
    settings.token_file.write_text(token)
    denied = await rejection(settings)
    assert isinstance(denied, KafkaDenied), denied
    assert "TOKEN_FILE" in str(denied)
    assert token not in str(denied)


async def test_a_client_certificate_is_accepted_and_names_the_user(
    to_secured, administrator, access_of, prefix, *, eventually
):
    await administrator.create_topics(prefix)
    commands, *_ = access_of("ingress")
    await administrator.allow("ingress", commands)
    async with open_cluster(to_secured("SSL", user="ingress")) as cluster:

        async def is_allowed():  # a broker answers a new rule before it obeys it
            return await cluster.missing_operations(commands, []) == frozenset()

        await eventually(is_allowed)
    async with open_cluster(to_secured("SSL", user="stranger")) as cluster:
        assert await cluster.missing_operations(commands, []) == commands.operations


async def test_an_unknown_or_missing_certificate_is_denied(to_secured):
    without_certificate, unknown = to_secured("SSL", certificate_file=None, key_file=None), to_secured("SSL")
    Authority("stranger").issue("gateway", unknown.certificate_file, unknown.key_file)
    for settings in (without_certificate, unknown):
        denied = await rejection(settings)
        assert isinstance(denied, KafkaDenied), denied
        assert "CERTIFICATE_FILE" in str(denied)
