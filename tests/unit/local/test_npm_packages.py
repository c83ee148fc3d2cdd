"""A package from npm is used only if its digest is the pinned one, and every error names the next step."""

import sys
import tarfile

import pytest

from local.browser import chromium
from local.failures import NoPackage
from local.npm import packages


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """A fake npm: `npm(content)` makes `pack` write that content; `npm(None)` makes it fail. Return the calls."""
    calls = tmp_path / "calls"
    calls.write_text("")

    def fake(content):
        program = (
            f"import pathlib, sys; calls = pathlib.Path({str(calls)!r}); calls.write_text(calls.read_text() + 'x')\n"
            f"content = {content!r}\n"
            "if content is None: sys.exit(1)\n"
            "pathlib.Path('a-1.tgz').write_bytes(content); print('a-1.tgz')\n"
        )
        monkeypatch.setattr(packages, "npm_command", lambda: [sys.executable, "-c", program])
        return calls

    return fake


def pinned_as(content, tmp_path):
    (tmp_path / "original").write_bytes(content)
    return packages.Package("@a/b", "1", packages.integrity_of(tmp_path / "original"), "MIT")


def test_a_package_is_fetched_once_and_kept(npm, tmp_path):
    calls = npm(b"the package")
    package = pinned_as(b"the package", tmp_path)
    archive = packages.fetch(package, tmp_path / "cache")
    assert archive.read_bytes() == b"the package"
    assert packages.fetch(package, tmp_path / "cache") == archive
    assert calls.read_text() == "x"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [package.filename]


def test_a_package_with_another_digest_is_never_used(npm, tmp_path):
    calls = npm(b"another package")
    package = pinned_as(b"the package", tmp_path)
    with pytest.raises(NoPackage, match="never matched its pinned digest"):
        packages.fetch(package, tmp_path / "cache")
    assert len(calls.read_text()) == packages.TRIES
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_the_package_lacks_is_an_error(tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz"):
        pass
    with pytest.raises(NoPackage, match=r"a\.tgz has no file package/x\.js"):
        packages.read_members(tmp_path / "a.tgz", ["package/x.js"])


def test_without_a_browser_the_error_says_how_to_get_one(monkeypatch, npm, tmp_path):
    npm(None)
    monkeypatch.delenv("TEST_BROWSER", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(chromium.NoBrowser, match=r"npm could not fetch.*TEST_BROWSER=/path"):
        chromium.browser()


def test_another_platform_needs_a_browser_of_its_own(monkeypatch):
    monkeypatch.delenv("TEST_BROWSER", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(chromium.NoBrowser, match=r"No packaged Chromium for darwin.*TEST_BROWSER=/path"):
        chromium.browser()


def test_the_own_browser_is_used_and_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_BROWSER", str(tmp_path / "chrome"))
    with pytest.raises(chromium.NoBrowser, match="which is no file"):
        chromium.browser()
    (tmp_path / "chrome").touch()
    assert chromium.browser() == chromium.Browser(tmp_path / "chrome")
