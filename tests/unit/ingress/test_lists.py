"""Whose troubles a request reads."""

import asyncio
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from adapters.postgres.views.lists import TroublesOf
from gateway.ingress import lists
from gateway.ingress.api_http.api_problems import InvalidParameter, NamesAnotherPerson
from gateway.ingress.auth.callers import Caller

JO = Caller("people:jo", frozenset(), person="jo")
DESK = Caller("desk", frozenset())


def troubles(monkeypatch, caller, query):
    """Send a request as a caller; return the query of the read model."""

    async def fetch(_request, _reader, _name, read):
        return read

    monkeypatch.setattr(lists, "fetch", fetch)
    monkeypatch.setattr(lists, "respond", lambda _request, found: found)
    endpoints = lists.Lists(SimpleNamespace(admit=lambda _: caller), None)
    return asyncio.run(endpoints.troubles(Request({"type": "http", "query_string": query})))


def test_a_persons_claims_are_those_of_the_caller(monkeypatch):
    assert troubles(monkeypatch, JO, b"") == TroublesOf("jo", "people:jo")


def test_a_service_names_the_person_and_no_caller(monkeypatch):
    assert troubles(monkeypatch, DESK, b"operator=jo") == TroublesOf("jo")
    with pytest.raises(InvalidParameter):
        troubles(monkeypatch, DESK, b"")


def test_a_person_reads_the_troubles_of_no_other(monkeypatch):
    with pytest.raises(NamesAnotherPerson):
        troubles(monkeypatch, JO, b"operator=sam")
