import json

import pytest

from gateway.ingress.auth.callers import new_key

REQUEST = "/v1/authorizations/auth_1/handoffs"
EVERY_ADDRESS = [
    ("POST", REQUEST),
    ("POST", "/v1/authorizations/auth_1/handoffs/mhand_1/close"),
    ("POST", "/v1/authorizations/auth_1/watch"),
    ("POST", "/v1/commands"),
    ("POST", "/v1/authorizations/auth_1/handoffs/mhand_1/access-grants"),
    ("GET", "/v1/authorizations/auth_1/review-snapshot"),
    ("GET", "/v1/events"),
]


@pytest.mark.parametrize(("method", "path"), EVERY_ADDRESS)
@pytest.mark.parametrize(
    "credential", [None, "", "Bearer", "Bearer ", "Bearer nobody", "Basic ZGVzazpkZXNr", "Bearer " + "x" * 9_000]
)
async def test_an_unauthenticated_caller_gets_the_same_401_everywhere(ingress, kafka, method, path, credential):
    reply = await ingress.call(method, path, headers={"Authorization": credential})
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert {name: value for name, value in reply.json.items() if name != "requestId"} == {
        "type": "urn:collate-gateway:problem:unauthenticated",
        "title": "The caller is not authenticated",
        "status": 401,
        "detail": "Send the credential that was issued to your service, unexpired, as "
        "`Authorization: Bearer <credential>`.",
    }
    assert kafka.commands == []


async def test_a_key_removed_from_the_file_gets_401(ingress):
    assert (await ingress.post(REQUEST)).status == 202
    ingress.use_callers(f'[[caller]]\nname = "desk"\npermissions = ["operate"]\n{new_key().entry}')
    assert (await ingress.post(REQUEST)).status == 401


class TestRates:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__CALLER_RATE": "0.5", "GATEWAY_INGRESS__CALLER_BURST": "2"}

    async def test_a_caller_above_its_rate_gets_429_with_retry_after(self, ingress, kafka):
        replies = [await ingress.post(REQUEST, key=f"k-{number}") for number in range(3)]
        assert [reply.status for reply in replies] == [202, 202, 429]
        assert 1 <= int(replies[2].headers["retry-after"]) <= 2
        assert len(kafka.commands) == 2


async def test_the_documents_need_no_credential(ingress):
    for path, name in [("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")]:
        reply = await ingress.call("GET", path, headers={"Authorization": None})
        assert reply.status == 200
        assert json.loads(reply.body)[name]
