"""A package from npm is used only if its digest is the pinned one, and every error names the next step."""

import sys

import pytest

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
