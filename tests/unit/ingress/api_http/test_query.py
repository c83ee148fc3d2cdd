"""A query is read as its model: every shape, and every query of the API."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from docs_build.documents.openapi.document import openapi
from gateway.ingress.api_http.api_problems import InvalidParameter
from gateway.ingress.api_http.query import parse_query
from schemas.api.operations import OPERATIONS
from schemas.api.queries import (
    AuthorizationsQuery,
    CommandQuery,
    CommandsQuery,
    DeadLettersQuery,
    EventsQuery,
    HandoffQuery,
    HandoffsQuery,
    OperatorQuery,
    OverviewQuery,
    Query,
    TimelineQuery,
)
from schemas.enums import EventType

QUERIES = sorted({each.query for each in OPERATIONS if each.query}, key=lambda model: model.__name__)
EVENT = EventType.COMMAND_FINISHED.value
TIME = "2026-06-02T14:06:01+02:00"


def rejected(query, model):
    """Return the parameters that the problem names."""
    with pytest.raises(InvalidParameter) as raised:
        parse_query(query.encode(), model)
    return [fault.parameter for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("model", "query", "field", "value"),
    [
        (TimelineQuery, "", "limit", 50),
        (TimelineQuery, "limit=200", "limit", 200),
        (TimelineQuery, "", "order", "oldest"),
        (TimelineQuery, "order=newest", "order", "newest"),
        (TimelineQuery, urlencode({"since": TIME}), "since", datetime(2026, 6, 2, 12, 6, 1, tzinfo=UTC)),
        (HandoffsQuery, "", "state", "active"),
        (AuthorizationsQuery, "needs=handoff", "needs", "handoff"),
        (AuthorizationsQuery, "claimedBy=people%3Ajo.miller", "claimed_by", "people:jo.miller"),
        (AuthorizationsQuery, "metadata.case=c-7&metadata.a=b", "metadata", {"a": "b", "case": "c-7"}),
        (CommandsQuery, "status=dead_lettered", "status", "dead_lettered"),
        (CommandQuery, "at=3-17", "at", "3-17"),
        (HandoffQuery, "message=omit", "message", "omit"),
        (HandoffQuery, "operator=op-7", "operator", "op-7"),
        (DeadLettersQuery, "digest=true", "digest", "true"),
        (OverviewQuery, "history=1h", "history", "1h"),
        (EventsQuery, f"type={EVENT}&authorizationId=a_1&authorizationId=a_2", "authorization_id", ("a_1", "a_2")),
        (EventsQuery, f"type={EVENT}&authorizationId=a_1", "type", (EVENT,)),
    ],
)
def test_a_parameter_is_read_as_its_type(model, query, field, value):
    assert getattr(parse_query(query.encode(), model), field) == value


@pytest.mark.parametrize(
    ("model", "query", "parameter"),
    [
        *(
            (TimelineQuery, f"limit={wrong}", "limit")
            for wrong in ("", "0", "201", "1000", "-1", "+5", "5.0", "1_0", "٣")
        ),
        (TimelineQuery, "order=random", "order"),
        (TimelineQuery, "since=yesterday", "since"),
        (TimelineQuery, "since=2026-06-02T14:06:01", "since"),
        (TimelineQuery, f"cursor={'x' * 513}", "cursor"),
        (HandoffsQuery, "state=lost", "state"),
        (AuthorizationsQuery, "needs=nothing", "needs"),
        (AuthorizationsQuery, "payer=a%20b", "payer"),
        (AuthorizationsQuery, "caller=", "caller"),
        (AuthorizationsQuery, "caller=a%E2%80%AEb", "caller"),
        (AuthorizationsQuery, f"claimedBy={'x' * 129}", "claimedBy"),
        (AuthorizationsQuery, "metadata.c%20c=x", "metadata"),
        (AuthorizationsQuery, "metadata.case=a%20b", "metadata"),
        (AuthorizationsQuery, "&".join(f"metadata.k{number}=v" for number in range(17)), "metadata"),
        (CommandsQuery, "status=lost", "status"),
        (CommandsQuery, "reason=A", "reason"),
        (CommandsQuery, "authorizationId=", "authorizationId"),
        (CommandQuery, "at=1", "at"),
        (CommandQuery, f"at=1-{'9' * 19}", "at"),
        (HandoffQuery, "message=", "message"),
        (OperatorQuery, "operator=%0A", "operator"),
        (DeadLettersQuery, "cause=A-b", "cause"),
        (DeadLettersQuery, "command=a%20b", "command"),
        (DeadLettersQuery, "digest=false", "digest"),
        (OverviewQuery, "history=2h", "history"),
        (EventsQuery, "type=unknown", "type"),
        (EventsQuery, "authorizationId=", "authorizationId"),
        (EventsQuery, "authorizationId=a%20b", "authorizationId"),
    ],
)
def test_a_value_of_another_shape_is_rejected_by_the_name_of_its_parameter(model, query, parameter):
    assert rejected(query, model) == [parameter]


@pytest.mark.parametrize("model", QUERIES)
@pytest.mark.parametrize("query", ["typo=x", "metadata=x", "claimed_by=x", "authorization_id=x", "a=b&" * 300])
def test_an_unknown_parameter_is_rejected(model, query):
    assert rejected(query, model) == ["query"]


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model in QUERIES for name, many in model.parameters().items() if not many]
)
def test_a_parameter_is_given_once(model, name):
    sent = "metadata.case" if name == "metadata" else name
    assert rejected(f"{sent}=1&{sent}=1", model) == [name]


def test_metadata_is_unknown_where_no_query_has_it():
    assert rejected("metadata.case=c-7", Query) == ["query"]


@pytest.mark.parametrize(("name", "value"), [("type", EVENT), ("authorizationId", "auth_1")])
def test_a_filter_has_as_many_values_as_the_document_allows(name, value):
    parameters = openapi()["paths"]["/v1/events"]["get"]["parameters"]
    (most,) = [one["schema"]["maxItems"] for one in parameters if one.get("name") == name]
    both = [("type", EVENT)] * most + [("authorizationId", "auth_1")] * most
    assert set(parse_query(urlencode(both).encode(), EventsQuery).authorization_id) == {"auth_1"}
    assert rejected(urlencode([(name, value)] * (most + 1)), EventsQuery) == [name]
