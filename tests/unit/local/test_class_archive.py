"""The archive of a node's classes is made once, and a start without an archive works too."""

import fcntl
import os

import pytest

from local.failures import StartFailed
from local.kafka import class_archive as module
from local.kafka.broker import Node
from local.kafka.class_archive import ARCHIVES, class_archive, make_class_archive


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The archives that were made, instead of by a JVM."""
    made = []

    def record(run, archive, jars):
        made.append(archive)
        archive.write_bytes(b"classes")

    monkeypatch.setattr(module, "_record", record)
    monkeypatch.setattr(module, "java", lambda: tmp_path / "bin" / "java")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "modules").touch()
    return made


@pytest.fixture
def jars(tmp_path):
    (tmp_path / "jars").mkdir()
    return [tmp_path / "jars" / "kafka.jar"]


def made_archive(jars):
    make_class_archive(jars)
    return class_archive(jars)


def test_an_archive_is_made_once(made, jars):
    archive = made_archive(jars)
    assert archive.read_bytes() == b"classes"
    assert made_archive(jars) == archive
    assert len(made) == 1


def test_only_a_few_archives_are_kept(made, jars, tmp_path):
    for size in range(ARCHIVES + 2):
        (tmp_path / "lib" / "modules").write_bytes(b"x" * size)
        newest = made_archive(jars)
    kept = list(jars[0].parent.glob("*.aot"))
    assert len(kept) == ARCHIVES
    assert newest in kept


def test_a_failed_attempt_is_repeated_after_a_while(made, jars, monkeypatch):
    def fails(run, archive, jars):
        made.append(archive)
        archive.write_bytes(b"incomplete")
        raise StartFailed("the node did not start")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_record", fails)
        assert made_archive(jars) is None
        assert made_archive(jars) is None
    assert len(made) == 1
    (empty,) = jars[0].parent.glob("*.aot")
    os.utime(empty, (0, 0))
    assert made_archive(jars) == empty


def test_a_second_process_starts_without_an_archive(made, jars):
    archive = made_archive(jars)
    archive.unlink()
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert made_archive(jars) is None
    assert made_archive(jars) == archive


@pytest.mark.parametrize("name", [None, "classes.aot"])
def test_a_node_uses_the_archive_that_it_is_given(tmp_path, name):
    node = Node(1, tmp_path, 1, 2)
    node.write([node], [tmp_path / "kafka.jar"], {}, name and tmp_path / name)
    assert ("-XX:AOTCache=" in (tmp_path / "java.arguments").read_text()) == (name is not None)
