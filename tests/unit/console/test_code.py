"""The code of each operation, and which operations the pages of developers offer to try."""

import ast
import json

import pytest

from collate_gateway_client import Gateway, operations
from gateway.console.views.code import code_of, snake
from gateway.console.views.documents import examples_of, operation_page, operations_of
from gateway.console.views.trial import MissingParameters, NotOffered, call_of, given_values, parameters_of, why_not
from schemas.api.operations import OPERATIONS
from schemas.published import read

OPENAPI = json.loads(read("openapi.json"))
IDS = [line.id for line in operations_of(OPENAPI)]
# Each GET: offered (None), or why not. A new operation needs a row.
READS = {
    "listCommands": None,
    "readHandoff": NotOffered.CONTENT,
    "readReviewSnapshot": NotOffered.CONTENT,
    "readPayerEvidence": NotOffered.CONTENT,
    "streamEvents": NotOffered.STREAM,
    "openApi": NotOffered.FILE,
    "asyncApi": NotOffered.FILE,
    "readCommand": None,
    "readAuthorization": None,
    "readTimeline": None,
    "listHandoffs": None,
    "listAuthorizations": None,
    "listTroubles": None,
    "findIds": None,
    "readOverview": None,
    "readMe": None,
    "listDeadLetters": None,
    "readDeadLetter": None,
    "readDeadLetterOriginal": NotOffered.CONTENT,
    "readDeadLetterSituation": None,
}


def page(id_):
    found = operation_page(OPENAPI, id_)
    assert found is not None
    return found


def code(id_, **given):
    return code_of(page(id_), "https://gateway.example/", examples_of(OPENAPI, id_).request, given)


def test_each_read_is_offered_or_has_a_reason_and_nothing_else_is_offered():
    assert {one.id: why_not(one.id) for one in OPERATIONS if one.method == "GET"} == READS
    assert {why_not(one.id) for one in OPERATIONS if one.method != "GET"} == {NotOffered.CHANGES}
    assert why_not("readOfANewerGateway") is NotOffered.UNKNOWN


@pytest.mark.parametrize("id_", [id_ for id_, reason in READS.items() if reason is None])
def test_an_offered_operation_names_no_second_factor_and_its_call_is_the_documents(id_):
    (declared,) = [one for one in OPERATIONS if one.id == id_]
    assert not declared.needs_second_factor
    form = {row.name: "x" for row in parameters_of(page(id_)) if row.is_required}
    call = call_of(page(id_), given_values(page(id_), form))
    assert (call.method, call.path) == (
        "GET",
        declared.path.replace("{authorizationId}", "x").replace("{commandId}", "x"),
    )
    assert call.query == ((("prefix", "x"),) if id_ == "findIds" else ())
    assert "try" not in form, "the form's own field"


def test_a_form_without_a_part_of_the_address_sends_nothing():
    assert call_of(
        page("readTimeline"), given_values(page("readTimeline"), {"authorizationId": " "})
    ) == MissingParameters(("authorizationId",))


def test_code_of_a_tried_read_has_its_values_quoted():
    given = given_values(
        page("listCommands"), {"status": "waiting", "limit": "5", "metadata": "case=c-7 team=x", "caller": '$(id) "a"'}
    )
    assert given["limit"] == 5
    found = code("listCommands", **given)
    target = call_of(page("listCommands"), given).target
    assert "metadata.case=c-7&metadata.team=x" in target
    address = found["curl"].partition('"')[2].partition('"')[0]
    assert address.startswith("https://gateway.example/v1/commands?status=waiting&")
    assert "caller=%24%28id%29%20%22a%22" in address
    call = next(one for one in ast.walk(ast.parse(found["Python"])) if isinstance(one, ast.Assign)).value
    assert ast.literal_eval(call.args[0]) == given
    assert '"caller": "$(id) \\"a\\""' in found["TypeScript"]


@pytest.mark.parametrize("id_", IDS)
def test_the_code_has_no_credential_and_calls_what_the_client_has(id_):
    found = code(id_)
    assert list(found) == ["curl", "Python", "TypeScript"]
    assert ("$COLLATE_GATEWAY_KEY" in found["curl"]) == (id_ not in {"openApi", "asyncApi"})
    tree = ast.parse(found["Python"])
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert snake(id_) in calls if "operations." in found["Python"] else calls & set(dir(Gateway)) - {"send"}
    assert hasattr(operations, snake(id_)) or id_ == "sendCommand"


def test_the_code_of_a_grant_prints_no_link():
    for language in ("Python", "TypeScript"):
        assert "gateway.send(" not in code("createAccessGrant")[language]


def test_an_example_without_a_field_leaves_a_variable():
    found = code_of(page("createAccessGrant"), "https://gateway.example", None)
    assert 'operator=os.environ["OPERATOR"]' in found["Python"]


def test_a_curl_command_quotes_the_body_for_a_shell():
    found = code_of(page("watchAuthorization"), "https://gateway.example", {"note": "it's"})["curl"]
    assert found == (
        'curl --silent --show-error "https://gateway.example/v1/authorizations/$AUTHORIZATION_ID/watch" \\\n'
        '  --header "Authorization: Bearer $COLLATE_GATEWAY_KEY" \\\n'
        '  --header "Idempotency-Key: $(uuidgen)" \\\n'
        """  --json '{"note": "it'\\''s"}'"""
    )


def test_a_curl_command_of_an_event_says_its_media_type():
    assert "application/cloudevents+json" in code("sendCommand")["curl"]
