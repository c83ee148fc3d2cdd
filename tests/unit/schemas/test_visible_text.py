"""A caller's text has no character that deceives a terminal or a reader. Stored texts stay readable."""

import json
import re
import sys
import unicodedata
from functools import cache

import pytest
from pydantic import TypeAdapter, ValidationError

from docs_build.documents import publish
from schemas.api.dead_letters import DeadLetterDecision
from schemas.api.faults import faults
from schemas.api.messages import AccessGrantBody
from schemas.commands import HandoffClose, HandoffCloseBody, HandoffRequest
from schemas.fields import visible_text
from schemas.fields.visible_text import FROM_CALLER, Notes, SentName, Why
from tests.contract.references import resolved

FREE_TEXT_MAY_HAVE = set("\t\n\r\xad\u200b\u200c\u200d\u2060\ufeff")
DECEIVING = ["\x1b", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028", "\U000e0041"]


@cache
def hidden():
    """Return all control, format and separator characters: a function, because each process collects this file."""
    characters = map(chr, range(sys.maxunicode + 1))
    return [one for one in characters if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp"}]


ADAPTERS = {kind: TypeAdapter(kind) for kind in (SentName, Notes, Why)}


def is_accepted(kind, value):
    try:
        ADAPTERS[kind].validate_python(value, context=FROM_CALLER)
    except ValidationError:
        return False
    return True


def test_a_name_has_no_control_and_no_format_character():
    assert sorted(character for character in hidden() if is_accepted(SentName, f"a{character}b")) == []


@pytest.mark.parametrize("kind", [Notes, Why], ids=["notes", "why"])
def test_free_text_may_have_line_breaks_and_harmless_invisible_characters_only(kind):
    assert {character for character in hidden() if is_accepted(kind, f"a{character}b")} == FREE_TEXT_MAY_HAVE


@pytest.mark.parametrize("name", ["op-7", "Zoë O'Neil", "李雷", "נועה", "محمد علي", "Ana (night shift) #2"])
def test_a_name_of_any_script_is_accepted(name):
    assert is_accepted(SentName, name)


def test_notes_may_have_emoji_of_several_characters():
    assert is_accepted(Notes, "Submitted 👩‍⚕️\r\n\tafter MFA")


CLOSE = {"type": "completed", "reportedOutcome": "submitted"}


@pytest.mark.parametrize("character", DECEIVING)
@pytest.mark.parametrize(
    ("model", "document", "pointer"),
    [
        (AccessGrantBody, {"operator": "X"}, "/operator"),
        (DeadLetterDecision, {"operator": "X", "reason": "other", "redrive": 0}, "/operator"),
        (DeadLetterDecision, {"operator": "a", "reason": "other", "redrive": 0, "ticket": "X"}, "/ticket"),
        (DeadLetterDecision, {"operator": "a", "reason": "other", "redrive": 0, "why": "X"}, "/why"),
        (HandoffRequest, {"metadata": {"case": "X"}}, "/metadata/case"),
        (HandoffRequest, {"acceptedReviewSnapshotId": "X"}, "/acceptedReviewSnapshotId"),
        (HandoffClose, {"handoffId": "X", "result": CLOSE}, "/handoffId"),
        (HandoffCloseBody, {"result": CLOSE | {"observedReferenceNumber": "X"}}, "/result/observedReferenceNumber"),
        (HandoffCloseBody, {"result": CLOSE | {"operatorNotes": "X"}}, "/result/operatorNotes"),
        (HandoffCloseBody, {"result": {"type": "revoked", "reason": "X"}}, "/result/reason"),
        (HandoffCloseBody, {"result": {"type": "revoked", "reason": "a", "notes": "X"}}, "/result/notes"),
        (HandoffCloseBody, {"result": {"type": "unable_to_complete", "reason": "X"}}, "/result/reason"),
    ],
)
def test_a_deceiving_character_in_a_field_that_a_person_sees_is_refused(model, document, pointer, character):
    data = json.dumps(document).replace('"X"', json.dumps(f"a{character}b"))
    with pytest.raises(ValidationError) as caught:
        model.from_caller(data)
    assert [fault.pointer for fault in faults(caught.value)] == [pointer]
    assert faults(caught.value)[0].expected.startswith(("a text", "1 to "))


@pytest.mark.parametrize("character", ["\x9b", "\u202e"])
def test_a_stored_text_is_read_as_it_was_accepted(character):
    result = {"type": "revoked", "reason": f"a{character}b"}
    document = {"handoffId": "mhand_1", "result": result}
    assert HandoffClose.from_record(json.dumps(document)).result.reason == f"a{character}b"


def strings(schema, root, at):
    """Yield every string of a schema with its place."""
    schema = resolved(root, schema)
    for variant in (part for union in ("anyOf", "oneOf") for part in schema.get(union, ())):
        yield from strings(variant, root, at)
    for name, part in schema.get("properties", {}).items():
        yield from strings(part, root, f"{at}/{name}")
    for keyword in ("items", "propertyNames", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from strings(schema[keyword], root, f"{at}/{keyword}")
    types = schema.get("type", ())
    if "string" in ([types] if isinstance(types, str) else types) and not {"enum", "const", "format"} & schema.keys():
        yield at, schema


# The query `cursor` is the gateway's own text. A header has visible ASCII only.
GENERATED = ("query cursor",)


def sent_by_callers():
    document = json.loads(publish.rendered()["openapi.json"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from strings(content["schema"], document, f"{method} {path}")
            for parameter in (resolved(document, one) for one in operation.get("parameters", ())):
                place = f"{parameter['in']} {parameter['name']}"
                if parameter["in"] != "header" and place not in GENERATED:
                    yield from strings(parameter["schema"], document, f"{method} {path} {place}")


def test_every_text_that_a_caller_sends_refuses_deceiving_characters():
    found = dict(sent_by_callers())
    assert len(found) > 20
    open_to = {at for at, schema in found.items() if re.search(schema.get("pattern", ""), "a\u202eb\x9bc")}
    assert open_to == set()


def test_a_stored_text_is_shown_with_codes():
    assert visible_text.escaped("a\x9b31m\u202eb\n") == "a\\u{009b}31m\\u{202e}b\n"


def test_json_for_a_terminal_is_the_same_json():
    value = {"why": "a\x9b31m\u202eb\U000e0041 é\n"}
    shown = visible_text.escaped_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert not set(shown) & {"\x9b", "\u202e", "\U000e0041"}
    assert "é" in shown


@pytest.mark.parametrize("field", ["operator", "ticket"])
def test_a_name_and_a_ticket_of_a_request_have_no_url(field):
    """They are published, and a link there would be taken for a secret. A stored one stays readable."""
    decision = {"operator": "jo", "reason": "done_by_hand", "ticket": "OPS/7:1", "redrive": 0}
    with_url = json.dumps(decision | {field: "https://jira/OPS-1"})
    DeadLetterDecision.model_validate_json(json.dumps(decision), context=FROM_CALLER)
    with pytest.raises(ValidationError) as caught:
        DeadLetterDecision.model_validate_json(with_url, context=FROM_CALLER)
    (fault,) = faults(caught.value)
    assert "without ://" in fault.expected
    DeadLetterDecision.model_validate_json(with_url)
