from types import SimpleNamespace

import psutil
import pytest

from local.processes import memory


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_DATA", str(tmp_path))
    return tmp_path


def test_data_goes_to_the_given_directory_while_it_has_room(given, monkeypatch):
    assert memory.data_directory() == given
    monkeypatch.setattr(memory, "REQUIRED_BYTES", 1 << 60)
    assert memory.data_directory() is None


def test_data_goes_to_the_disk_when_the_machine_has_no_memory_left(given, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=0))
    assert memory.data_directory() is None


@pytest.mark.parametrize("name", ["", "/no/such/directory"])
def test_without_a_directory_data_goes_to_the_temporary_one(name, monkeypatch):
    monkeypatch.setenv("TEST_DATA", name)
    memory.prefer_memory()
    assert memory.data_directory() is None
