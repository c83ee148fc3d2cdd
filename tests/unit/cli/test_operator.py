"""The name that the command line sends as operator: stated, of the person's token, or of the local user."""

import getpass

import pytest
from typer.testing import CliRunner

from cli.api_client import ApiClient
from cli.app import app


@pytest.fixture
def client(monkeypatch):
    """A client whose `GET /v1/me` answers with the given value."""
    monkeypatch.setattr(getpass, "getuser", lambda: "root")

    def answering(me):
        client = ApiClient("http://127.0.0.1:1", None)

        def read(call):
            assert call.target == "/v1/me"
            assert me is not None, "asked"
            return me

        monkeypatch.setattr(client, "read", read)
        return client

    return answering


def test_a_stated_operator_needs_no_request(client):
    assert client(None).operator("op-7") == "op-7"


@pytest.mark.parametrize(
    ("me", "operator"),
    [({"kind": "person", "person": "jo.miller"}, "jo.miller"), ({"kind": "caller", "caller": "on-call"}, "root")],
)
def test_a_person_is_the_operator_and_a_service_acts_for_the_local_user(client, me, operator):
    assert client(me).operator(None) == operator


def test_a_container_whose_user_has_no_name_needs_a_stated_operator(monkeypatch):
    def no_name():
        raise KeyError("getpwuid(): uid not found: 1000650000")

    monkeypatch.setattr(getpass, "getuser", no_name)
    done = CliRunner().invoke(app, ["worker", "resume", "--why", "repaired"], env={"COLLATE_GATEWAY_OPERATOR": ""})
    assert done.exit_code == 2
    assert "give --operator" in done.output
