"""The version of the HTTP contract: the rule of docs/changing.md."""

import json

import pytest

from docs_build.documents.contract_version import required_version

RELEASED = {
    "info": {"title": "Gateway", "version": "1.4.2"},
    "paths": {"/a": {"get": {"summary": "Read.", "responses": {"200": {"description": "Done."}}}}},
    "components": {"schemas": {"A": {"title": "A", "properties": {"description": {"type": "string"}}}}},
}


def changed(**parts):
    return json.loads(json.dumps(RELEASED)) | parts


def test_an_unchanged_document_keeps_its_version():
    assert required_version(RELEASED, changed()) == (1, 4, 2)
    assert required_version(RELEASED, changed(info={"title": "Gateway", "version": "1.9.9"})) == (1, 4, 2)


@pytest.mark.parametrize(
    "parts",
    [
        {"info": {"title": "The gateway", "version": "1.4.2"}},
        {"paths": {"/a": {"get": {"summary": "Read it.", "responses": {"200": {"description": "Done."}}}}}},
        {"tags": [{"name": "a"}]},
        {"components": {"schemas": {"A": {"title": "B", "properties": {"description": {"type": "string"}}}}}},
    ],
)
def test_other_words_need_a_patch(parts):
    assert required_version(RELEASED, changed(**parts)) == (1, 4, 3)


@pytest.mark.parametrize(
    "parts",
    [
        {"paths": {}},
        {"paths": {"/a": {"get": {"responses": {"200": {}, "404": {}}}}}},
        # A field with the name of a keyword is a field.
        {"components": {"schemas": {"A": {"title": "A", "properties": {"description": {"type": "integer"}}}}}},
        {"components": {"schemas": {"A": {"title": "A", "properties": {}}}}},
    ],
)
def test_another_contract_needs_a_minor_version(parts):
    assert required_version(RELEASED, changed(**parts)) == (1, 5, 0)
