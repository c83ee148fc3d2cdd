"""An incompatible change planted in a small document is found by comparing it with the document before."""

import json
import subprocess
from pathlib import Path

import pytest

from docs_build.baseline import NoTag, released_json
from docs_build.documents import publish
from docs_build.documents.compatibility import asyncapi_breaks
from docs_build.documents.contract_version import required_version, version
from tests.contract.planted import planted

PUBLISHED = ("schemas/published/asyncapi.json", "schemas/published/openapi.json")
SCHEMAS = ("components", "schemas")
MESSAGES = ("components", "messages")


def text(*needed, **properties):
    return {"type": "object", "properties": properties or {"id": {"type": "string"}}, "required": list(needed)}


def message(name):
    return {
        "name": f"gateway.{name}.v1",
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }


DOCUMENT = {
    "channels": {
        "commands": {"address": "commands", "messages": {"Close": {"$ref": "#/components/messages/Close"}}},
        "events": {"address": "events", "messages": {"Closed": {"$ref": "#/components/messages/Closed"}}},
    },
    "components": {
        "messages": {"Close": message("Close"), "Closed": message("Closed")},
        "schemas": {"headers": text("ce_id", ce_id={"type": "string"}), "Close": text("id"), "Closed": text("id")},
    },
}


@pytest.mark.parametrize(
    ("way", "value", "found"),
    [
        (("channels", "events"), ..., ["events: is gone"]),
        (("channels", "events", "address"), "other.events", ["events: address has changed"]),
        (("channels", "events", "messages", "Closed"), ..., ["events Closed: is gone"]),
        (("channels", "events", "messages", "New"), {"$ref": "#/components/messages/Closed"}, []),
        ((*MESSAGES, "Closed", "name"), "gateway.Closed.v2", ["events Closed: name has changed"]),
        ((*MESSAGES, "Closed", "contentType"), "text/plain", ["events Closed: contentType has changed"]),
        (
            (*MESSAGES, "Closed", "headers"),
            {"$ref": "#/components/schemas/Close"},
            [
                "events Closed headers/properties/ce_id: property is gone",
                "events Closed headers/properties/id: is required now",
                "events Closed headers/properties/ce_id: may now be absent",
            ],
        ),
        (
            (*SCHEMAS, "headers", "required"),
            [],
            ["headers/properties/ce_id: may now be absent"],
        ),
        ((*SCHEMAS, "Closed", "properties", "id"), ..., ["Closed/properties/id: property is gone"]),
        ((*SCHEMAS, "Closed", "properties", "new"), {"type": "string"}, []),
        # Events are outgoing, commands incoming.
        ((*SCHEMAS, "Closed", "required"), [], ["Closed/properties/id: may now be absent"]),
        ((*SCHEMAS, "Close", "required"), [], []),
        (
            (*SCHEMAS, "Close"),
            text("id", "new", id={"type": "string"}, new={"type": "string"}),
            ["Close/properties/new: is required now"],
        ),
    ],
)
def test_an_incompatible_change_of_asyncapi_is_found(way, value, found):
    assert asyncapi_breaks(DOCUMENT, planted(DOCUMENT, way, value)) == found


def test_the_comparison_supports_every_keyword_of_our_messages():
    today = publish.documents()["asyncapi.json"]
    assert asyncapi_breaks(today, today) == []


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Tag today's documents as a release in a repository of their own."""

    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e@x", *words], check=True)

    for path in PUBLISHED:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(publish.rendered()[Path(path).name])
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n## 0.2.0\n\n## 0.1.0\n")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=The release")
    git("tag", "v0.2.0")
    monkeypatch.setattr(publish, "released_json", lambda path: released_json(path, tmp_path))
    return tmp_path


def changed(monkeypatch, path, way, value):
    today = publish.documents()
    monkeypatch.setattr(publish, "documents", lambda: today | {path: planted(today[path], way, value)})


def test_before_the_first_release_nothing_is_compared(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n")
    assert released_json(PUBLISHED[0], tmp_path) is None


def test_today_is_compared_with_the_tag_of_the_newest_release(monkeypatch, release):
    assert publish.release_breaks() == []
    changed(monkeypatch, "asyncapi.json", (*SCHEMAS, "HandoffOpened", "properties", "handoffId"), ...)
    assert publish.release_breaks() == ["asyncapi.json: HandoffOpened/properties/handoffId: property is gone"]


def test_a_version_that_is_too_low_is_a_finding(monkeypatch, release):
    before = json.loads((release / "schemas/published/openapi.json").read_text())
    changed(monkeypatch, "openapi.json", ("info", "description"), "Other words.")
    major, minor, patch = version(before)
    assert required_version(before, publish.documents()["openapi.json"]) == (major, minor, patch + 1)
    assert publish.release_breaks() == [f"openapi.json: info.version must be at least {major}.{minor}.{patch + 1}"]


def test_a_release_without_its_tag_is_an_error(release):
    subprocess.run(["git", "-C", release, "tag", "--delete", "v0.2.0"], check=True)
    with pytest.raises(NoTag, match=r"v0\.2\.0.*fetch the tags"):
        publish.release_breaks()
