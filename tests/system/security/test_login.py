"""Who Kafka lets in, and that a login that is refused is never taken for a broker that is away."""

import pytest

from adapters.kafka.cluster import KafkaAway, KafkaDenied, open_cluster
from local.kafka.secured import Authority, TokenIssuer


async def get_in(settings):
    async with open_cluster(settings, timeout_seconds=5) as cluster:
        return await cluster.find_topics([])


async def refusal(settings):
    with pytest.raises(KafkaAway) as away:
        await get_in(settings)
    return away.value


async def test_a_bearer_token_lets_in(to_secured):
    assert await get_in(to_secured("SASL_SSL", mechanism="OAUTHBEARER", user="worker")) == {}


@pytest.mark.parametrize("flaw", ["expired", "for somebody else", "signed by a stranger", "no token at all"])
async def test_a_refused_token_is_a_refusal_and_says_where_to_look(to_secured, secured, flaw):
    settings = to_secured("SASL_SSL", mechanism="OAUTHBEARER")
    token = {
        "expired": lambda: secured.tokens.token("gateway", seconds=-3600),
        "for somebody else": lambda: secured.tokens.token("gateway", audience="elsewhere"),
        "signed by a stranger": lambda: TokenIssuer().token("gateway"),
        "no token at all": lambda: "nonsense",
    }[flaw]()
    settings.token_file.write_text(token)
    refused = await refusal(settings)
    assert isinstance(refused, KafkaDenied), refused
    assert "TOKEN_FILE" in str(refused)
    assert token not in str(refused)


async def test_a_client_certificate_lets_in_and_names_who_we_are(to_secured, administrator, needed, prefix):
    await administrator.create_topics(prefix)
    commands, *_ = needed("ingress")
    await administrator.allow("ingress", commands)
    async with open_cluster(to_secured("SSL", user="ingress")) as cluster:
        assert await cluster.missing_operations(commands, []) == frozenset()
    async with open_cluster(to_secured("SSL", user="stranger")) as cluster:
        assert await cluster.missing_operations(commands, []) == commands.operations


async def test_a_certificate_of_a_stranger_or_none_is_a_refusal(to_secured):
    none, strangers = to_secured("SSL", certificate_file=None, key_file=None), to_secured("SSL")
    Authority("stranger").issue("gateway", strangers.certificate_file, strangers.key_file)
    for without_one in (none, strangers):
        refused = await refusal(without_one)
        assert isinstance(refused, KafkaDenied), refused
        assert "CERTIFICATE_FILE" in str(refused)


async def test_a_wrong_password_is_a_refusal_and_a_dead_broker_is_not(to_secured):
    assert isinstance(await refusal(to_secured("SASL_SSL", password="wrong")), KafkaDenied)
    assert not isinstance(await refusal(to_secured("SASL_SSL", bootstrap=("127.0.0.1:1",))), KafkaDenied)
