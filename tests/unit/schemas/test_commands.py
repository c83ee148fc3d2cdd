import json
from typing import get_args

import pytest
from pydantic import ValidationError

from collate_gateway_client import models
from schemas.commands import (
    CALLER_COMMANDS,
    COMMANDS,
    HandoffClose,
    HandoffCloseBody,
    HandoffRequest,
)
from schemas.enums import CommandType
from schemas.permissions import COMMAND_PERMISSIONS

# The gateway compares commands by a hash of their bytes, so every form of one command needs the same bytes.
CLOSE = (
    b'{"result":{"type":"completed","reportedOutcome":"submitted"},"expiresAt":"2026-01-01T00:00:00Z",'
    b'"metadata":{"a":"1","b":"2"},"handoffId":"mhand_55"}'
)
RESULT = '"result":{"type":"completed","reportedOutcome":"submitted"}'
METADATA = '"metadata":{"a":"1","b":"2"}'


@pytest.mark.parametrize(
    "spelling",
    [
        f'{{{RESULT},{METADATA},"expiresAt":"2026-01-01T00:00:00Z"}}',
        f'{{ "expiresAt" : "2026-01-01T00:00:00.000Z" , {METADATA}, {RESULT} }}',
        f'{{{RESULT},"metadata":{{"b":"2","\\u0061":"1"}},"expiresAt":"2026-01-01T01:00:00+01:00"}}',
        f'{{{RESULT[:-1]},"operatorNotes":null}},{METADATA},"expiresAt":"2026-01-01t00:00:00z"}}',
    ],
)
def test_every_spelling_of_a_command_has_the_same_bytes(spelling):
    assert HandoffClose.of("mhand_55", HandoffCloseBody.from_caller(spelling)).to_json() == CLOSE


def test_free_text_is_unchanged():
    notes = 'Zeile 1\nZeile 2\t"quoted" é 😀 \\'
    body = HandoffCloseBody.from_caller(
        json.dumps({"result": {"type": "revoked", "reason": notes, "notes": notes}, "metadata": {}})
    )
    assert json.loads(body.to_json()) == {
        "result": {"type": "revoked", "reason": notes, "notes": notes},
        "metadata": {},
    }


@pytest.mark.parametrize(
    "document",
    [
        '{"result":{"type":"completed","reportedOutcome":"submitted","operatorNotes":"a\\u0000b"}}',
        '{"result":{"type":"completed","reportedOutcome":"submitted","observedReferenceNumber":""}}',
        '{"result":{"type":"completed","reportedOutcome":"submitted","observedReferenceNumber":"a\\nb"}}',
        '{"result":{"type":"completed","reportedOutcome":"submitted","operatorNotes":"\\ud800"}}',
        '{"result":{"type":"completed","reportedOutcome":"unable_to_complete"}}',
        '{"result":{"type":"completed","reason":"other"}}',
        '{"result":{"type":"unable_to_complete","reason":""}}',
        '{"result":{"type":"revoked"}}',
        '{"result":{"type":"revoked","reason":"x","operatorNotes":"revoke calls them notes"}}',
        '{"result":null}',
    ],
)
def test_a_command_that_collate_could_not_accept_is_rejected(document):
    with pytest.raises(ValidationError):
        HandoffCloseBody.from_caller(document)


@pytest.mark.parametrize("nested", ['{"metadata":' + '{"a":' * 5000 + "1" + "}" * 5001, "[" * 100_000, "9" * 10_000])
def test_deep_or_huge_json_is_an_error_not_a_crash(nested):
    with pytest.raises(ValidationError):
        HandoffRequest.from_caller(nested)


def test_a_record_of_a_newer_version_is_read_by_an_older_one():
    read = HandoffClose.from_record(CLOSE[:-1] + b',"urgency":"high","result2":{}}')
    assert read.to_json() == CLOSE
    nested = CLOSE.replace(b'"submitted"', b'"submitted","new":1')
    assert HandoffClose.from_record(nested).to_json() == CLOSE


def test_the_registry_has_every_type():
    assert set(COMMANDS) == {str(kind) for kind in CommandType}
    assert all(kind == model.TYPE for kind, model in COMMANDS.items())
    assert set(get_args(models.CommandKind)) == {
        kind.removeprefix("collate-gateway.").removesuffix(".v1") for kind in CALLER_COMMANDS
    }
    assert COMMAND_PERMISSIONS.keys() == CALLER_COMMANDS.keys()
