"""Today's contract is compared with the one that the tag of the last release has."""

import json
import subprocess
from pathlib import Path

import pytest

from docs_build.baseline import NoTag, released_json
from docs_build.documents import publish
from docs_build.documents.contract_version import required_version, version
from tests.contract.planted import planted

PUBLISHED = ("schemas/published/openapi.json",)


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


def test_a_version_that_is_too_low_is_a_finding(monkeypatch, release):
    assert publish.version_problem() is None
    before = json.loads((release / "schemas/published/openapi.json").read_text())
    changed(monkeypatch, "openapi.json", ("info", "description"), "Other words.")
    major, minor, patch = version(before)
    assert required_version(before, publish.documents()["openapi.json"]) == (major, minor, patch + 1)
    assert publish.version_problem() == f"info.version must be at least {major}.{minor}.{patch + 1}"


def test_a_release_without_its_tag_is_an_error(release):
    subprocess.run(["git", "-C", release, "tag", "--delete", "v0.2.0"], check=True)
    with pytest.raises(NoTag, match=r"v0\.2\.0.*fetch the tags"):
        publish.version_problem()
