import os

import pytest

from runtime.file_watcher import FileWatcher


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("one")
    return file


@pytest.fixture
def watcher(file):
    watcher = FileWatcher(file)
    assert watcher.changed()
    watcher.mark_read()
    return watcher


def test_a_change_is_reported_until_the_file_is_marked_read(file, watcher):
    file.write_text("three")
    assert watcher.changed()
    assert watcher.changed()
    watcher.mark_read()
    assert not watcher.changed()


def test_a_swapped_link_is_a_change_even_with_the_same_size_and_time(tmp_path):
    link, first, second = tmp_path / "link", tmp_path / "v1", tmp_path / "v2"
    first.write_text("one")
    second.write_text("two")
    os.utime(second, ns=(first.stat().st_atime_ns, first.stat().st_mtime_ns))
    link.symlink_to(first)
    watcher = FileWatcher(link)
    watcher.changed()
    watcher.mark_read()
    link.unlink()
    link.symlink_to(second)
    assert watcher.changed()


def test_a_file_that_disappears_or_appears_has_changed(file, watcher):
    file.unlink()
    assert watcher.changed()
    watcher.mark_read()
    assert not watcher.changed()
    file.write_text("one")
    assert watcher.changed()


def test_a_file_swapped_during_the_read_is_reported_next_time(file, watcher):
    file.write_text("three")
    assert watcher.changed()
    file.write_text("fifteen")
    watcher.mark_read()
    assert watcher.changed()


def test_a_file_added_during_the_read_is_watched_from_then_on(file, watcher, tmp_path):
    other = tmp_path / "other"
    other.write_text("one")
    watcher.changed()
    watcher.watch(file, other)
    other.write_text("three")
    watcher.mark_read()
    assert watcher.changed()
