from urllib.parse import urlencode

import pytest

from docs_build.documents.openapi.document import openapi
from gateway.ingress.event_stream.stream_filter import read_filter, read_vector, write_vector
from gateway.ingress.http.problems import InvalidParameter
from runtime.http.problems import InvalidHeader
from schemas.enums import EventType


def test_a_written_vector_is_read_back():
    assert read_vector(write_vector([0, 7, 123]).encode(), 3) == [0, 7, 123]


@pytest.mark.parametrize("header", [None, b""])
def test_without_an_id_the_stream_starts_now(header):
    assert read_vector(header, 3) is None


@pytest.mark.parametrize("header", [b"1.2", b"1.2.3.4", b"1.2.x", b"1.-2.3", b"1.2." + b"9" * 19, "1.2.٣".encode()])
def test_a_malformed_last_event_id_is_rejected(header):
    with pytest.raises(InvalidHeader):
        read_vector(header, 3)


def test_a_filter_has_types_and_authorizations():
    found = read_filter(b"type=collate-gateway.command.finished.v1&authorizationId=auth_1&authorizationId=auth_2")
    assert found.types == {EventType.COMMAND_FINISHED}
    assert found.authorizations == {"auth_1", "auth_2"}


@pytest.mark.parametrize(
    "query", [b"type=unknown", b"authorizationId=", b"authorizationId=a%20b", b"typo=x", b"&".join([b"a=b"] * 300)]
)
def test_an_unknown_filter_is_rejected(query):
    with pytest.raises(InvalidParameter):
        read_filter(query)


@pytest.mark.parametrize(("name", "value"), [("type", EventType.COMMAND_FINISHED.value), ("authorizationId", "auth_1")])
def test_a_filter_has_as_many_values_as_the_document_allows(name, value):
    parameters = openapi()["paths"]["/v1/events"]["get"]["parameters"]
    (most,) = [one["schema"]["maxItems"] for one in parameters if one.get("name") == name]
    both = [("type", EventType.COMMAND_FINISHED.value)] * most + [("authorizationId", "auth_1")] * most
    assert read_filter(urlencode(both).encode()).authorizations == {"auth_1"}
    with pytest.raises(InvalidParameter) as refused:
        read_filter(urlencode([(name, value)] * (most + 1)).encode())
    assert refused.value.faults[0].parameter == name
