"""`parse` reads a valid body once; its result is that of `read_object` followed by the model, for every body."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.ingress.http.request import number_of_names, parse, validate
from gateway.ingress.http.strict_json import most_names, read_object
from runtime.http.problem import Problem
from schemas.commands import AuthorizationWatch, HandoffClose, HandoffCloseBody, HandoffRequest

CLOSE = {name: value for name, value in HandoffClose.EXAMPLE.items() if name != "handoffId"}
BODIES = [
    (AuthorizationWatch, AuthorizationWatch.EXAMPLE),
    (HandoffRequest, HandoffRequest.EXAMPLE),
    (HandoffCloseBody, CLOSE),
]
SPACE = st.text(" \t\r\n", max_size=2)
TEXT = st.text(st.sampled_from('ab":\\{}[],é😀 \u202e\x00'), max_size=6)


@st.composite
def texts_of(draw, value):
    """Write a value as JSON with any spaces, sometimes with a name twice."""
    if not isinstance(value, dict):
        if draw(st.integers(0, 7)):
            return json.dumps(value)
        return json.dumps(draw(TEXT | st.sampled_from([None, 1, True, [], [1]])))
    fields = [(name, draw(texts_of(inner))) for name, inner in value.items()]
    fields += [(name, draw(TEXT.map(json.dumps))) for name, _ in fields if draw(st.integers(0, 5)) == 0]
    if draw(st.integers(0, 5)) == 0:
        fields.append((draw(TEXT), "NaN"))
    written = (f"{json.dumps(name)}{draw(SPACE)}:{draw(SPACE)}{inner}" for name, inner in fields)
    return "{" + ",".join(written) + "}"


def outcome(read, model, body):
    try:
        return read(model, body)
    except Problem as problem:
        return type(problem), problem.detail, problem.faults


def in_two_passes(model, body):
    read_object(body)
    return validate(model, body)


@given(st.sampled_from(BODIES).flatmap(lambda pair: st.tuples(st.just(pair[0]), texts_of(pair[1]))))
@example((AuthorizationWatch, '{"metadata": {"a": "b", "a": "c"}}'))
@example((AuthorizationWatch, '{"metadata" : {"a" : "\\":"}, "metadata":null}'))
@example((AuthorizationWatch, '{"metadata": null, "metadata": null}'))
@example((AuthorizationWatch, "\ufeff{}"))
def test_one_pass_gives_what_two_passes_give(case):
    model, text = case
    body = text.encode()
    assert outcome(parse, model, body) == outcome(in_two_passes, model, body)


@pytest.mark.parametrize(("model", "value"), BODIES)
def test_the_example_of_a_command_is_read_in_one_pass(model, value, monkeypatch):
    body = json.dumps(value).encode()
    assert number_of_names(model.from_caller(body)) == most_names(body)
    monkeypatch.setattr("gateway.ingress.http.request.read_object", pytest.fail)
    parse(model, body)


def test_the_names_of_a_value_of_an_unknown_kind_are_not_counted():
    assert number_of_names({"a": [1]}) is None
    assert number_of_names({"a": {"b": 1.0}}) is None
    assert number_of_names({"a": {"b": 1}}) == 2
