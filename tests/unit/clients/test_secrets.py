"""No text form of a grant, an error or a client shows a secret or a text about a patient."""

import json
import logging
import pickle
import traceback

import httpx
import pytest

from collate_gateway_client import AccessGrant, Gateway, GatewayProblem, NotAnswered, RetryPolicy, SecretText, Signer

LINK, KEY = "https://collate.example/runtime/access/rag_SECRET", "cgk_1234_SECRETSECRET"
ONE_TRY = RetryPolicy(deadline_seconds=0.05)
GRANT = {
    "handoffId": "mhand_55",
    "id": "rag_SECRET",
    "url": LINK,
    "expiresAt": "2026-06-02T14:15:00Z",
    "message": "SECRET code of the patient",
}


def gateway(answer, credential=KEY, retries=RetryPolicy()):  # noqa: B008 - it is frozen
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Gateway("https://gateway.example", credential, retries=retries, http=http)


def texts(value):
    yield from (str(value), repr(value), f"{value}", f"{value!r:>9}", f"{value}", f"{value!r}")


def test_a_secret_shows_itself_only_when_asked():
    secret = SecretText(LINK)
    assert secret.reveal() == LINK
    assert not any("SECRET" in text for text in texts(secret))
    assert secret == SecretText(LINK)
    assert secret != SecretText("other")
    assert secret != LINK
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"url": secret})


def test_a_grant_hides_its_link_and_its_message(caplog):
    caplog.set_level(logging.DEBUG)
    grant = gateway(lambda _: httpx.Response(201, json=GRANT)).access_grant("auth_1", operator="op-7")
    logging.getLogger("program").warning("got %s and %r in %s", grant, grant, [grant])
    assert isinstance(grant, AccessGrant)
    assert (grant.url.reveal(), grant.id.reveal(), grant.message) == (LINK, "rag_SECRET", GRANT["message"])
    assert not any("SECRET" in text for text in texts(grant))
    assert "SECRET" not in caplog.text
    assert "mhand_55" in repr(grant)


def test_a_problem_has_pointers_and_hides_the_message_of_collate():
    problem = {
        "type": "urn:collate-gateway:problem:invalid-command",
        "title": "The body does not match its schema",
        "status": 422,
        "detail": "Correct the fields named in `errors`.",
        "requestId": "8deacda0e5f320c0",
        "errors": [{"pointer": "/result/reason", "detail": "expected a value"}, {"header": "Prefer", "detail": "x"}],
        "message": "SECRET",
        "reason": "no_active_handoff",
    }
    answer = httpx.Response(422, json=problem, headers={"content-type": "application/problem+json", "retry-after": "7"})
    with pytest.raises(GatewayProblem) as raised:
        gateway(lambda _: answer).watch("auth_1")
    error = raised.value
    assert (error.status, error.slug, error.reason) == (422, "invalid-command", "no_active_handoff")
    assert error.type == "urn:collate-gateway:problem:invalid-command"
    assert (error.request_id, error.retry_after_seconds) == ("8deacda0e5f320c0", 7)
    assert [(fault.pointer, fault.header) for fault in error.faults] == [("/result/reason", None), (None, "Prefer")]
    assert error.members["message"] == "SECRET"
    assert error.is_of_the_api
    assert not error.result_is_unknown
    assert "/result/reason: expected a value" in str(error)
    assert "SECRET" not in "".join([*texts(error), *traceback.format_exception(error)])


@pytest.mark.parametrize(
    "content", [b"<html>SECRET</html>", b"{", b"[]", b"", b'{"type": "https://other.example/denied"}']
)
def test_the_page_of_a_proxy_is_a_problem_without_its_text(content):
    answer = httpx.Response(403, content=content, headers={"content-type": "application/json"})
    with pytest.raises(GatewayProblem) as raised:
        gateway(lambda _: answer).me()
    assert (raised.value.is_of_the_api, raised.value.status) == (False, 403)
    assert "SECRET" not in "".join(texts(raised.value))


@pytest.mark.parametrize("key", [KEY + "\n", "cgk SECRET", "cgk_é_SECRET", ""])
def test_a_credential_that_no_header_can_carry_is_refused_without_its_text(key):
    with pytest.raises(ValueError, match="visible ASCII") as raised:
        gateway(lambda _: pytest.fail("nothing is sent"), key).me()
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


def test_a_failed_connection_shows_no_text_of_the_library():
    def fail(request):
        raise httpx.LocalProtocolError(f"Illegal header value {request.headers['authorization']}")

    with pytest.raises(NotAnswered) as raised:
        gateway(fail, retries=ONE_TRY).watch("auth_1")
    assert "LocalProtocolError" in str(raised.value)
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


def test_a_client_and_a_signer_hide_their_credentials():
    assert repr(Gateway("https://gateway.example", KEY)) == "Gateway('https://gateway.example')"
    assert "SECRET" not in repr(Signer("intake", "whsec_U0VDUkVUU0VDUkVUU0VDUkVU"))
    with pytest.raises(ValueError, match="whsec_ and base64") as raised:
        Signer("intake", f"whsec_SECR{'ET'}*")
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url",
    [
        "https://user:SECRET@gateway.example",
        "ftp://gateway.example",
        "gateway.example",
        "http://gateway.example:SECRET",
    ],
)
def test_an_address_has_a_scheme_and_no_user(url):
    with pytest.raises(ValueError, match="https://host") as raised:
        Gateway(url, KEY)
    assert "SECRET" not in str(raised.value)
