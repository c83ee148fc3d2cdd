"""The generated types of the Python client: one name for one type, and no name for two."""

import pytest

from docs_build.clients.models import models_module
from docs_build.clients.synchronous import synchronous

MESSAGE = {"name": "x.opened.v1", "payload": {"$ref": "#/components/schemas/Opened"}}


def module(schemas, events=None):
    events = events or {"Opened": {"type": "object", "properties": {"from": {"type": "string"}}, "required": ["from"]}}
    channels = {"events": {"messages": {"Opened": {"$ref": "#/components/messages/Opened"}}}}
    asyncapi = {"components": {"schemas": events, "messages": {"Opened": MESSAGE}}, "channels": channels}
    text = models_module({"components": {"schemas": schemas}}, asyncapi)
    names = {}
    exec(compile(text, "models.py", "exec"), names)
    return text, names


def reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def test_components_that_are_one_type_have_one_definition():
    shared = {"enum": ["a", "b"]}
    owner = {"type": "object", "properties": {"word": reference("One.Word")}}
    other = {"type": "object", "properties": {"word": reference("Two.Word")}, "required": ["word"]}
    text, names = module({"One": owner, "One.Word": shared, "Two": other, "Two.Word": shared})
    assert text.count('Word = Literal["a", "b"]') == 1
    assert "word: NotRequired[Word]" in text
    assert names["Two"].__required_keys__ == {"word"}


def test_components_that_are_two_types_have_the_names_of_their_owners():
    schemas = {
        "One": {"type": "object", "properties": {"word": reference("One.Word")}},
        "One.Word": {"enum": ["a"]},
        "Two.Word": {"enum": ["b"]},
    }
    text, _ = module(schemas)
    assert 'OneWord = Literal["a"]' in text
    assert 'TwoWord = Literal["b"]' in text


def test_two_documents_that_differ_in_a_name_are_an_error():
    with pytest.raises(ValueError, match="differ in Opened"):
        module({"Opened": {"type": "object", "properties": {"at": {"type": "string"}}}})


def test_the_synchronous_text_has_no_word_of_the_asynchronous_one():
    text = (
        "import asyncio\nclass AsyncOne:\n    async def __anext__(self):\n        await asyncio.sleep(await anext(a))\n"
    )
    assert synchronous(text) == "class One:\n    def __next__(self):\n        time.sleep(next(a))\n"
