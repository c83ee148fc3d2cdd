import os
import re

import pytest

from local.kubernetes.paths import ROOT, SOURCES, is_current


@pytest.fixture
def root(tmp_path):
    for name in SOURCES:
        file = tmp_path / name if "." in name or name == "Dockerfile" else tmp_path / name / "inside.py"
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (100, 100))
    return tmp_path


def test_an_archive_is_current_until_a_source_changes(root):
    archive = root / "image.tar"
    assert not is_current(archive, root)
    archive.touch()
    os.utime(archive, (200, 200))
    assert is_current(archive, root)
    cached = root / "gateway" / "__pycache__" / "inside.pyc"
    cached.parent.mkdir()
    cached.touch()
    assert is_current(archive, root)
    os.utime(root / "gateway" / "inside.py", (300, 300))
    assert not is_current(archive, root)


def test_the_sources_are_those_that_the_dockerfile_copies():
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split()} - {"README.md", "CHANGELOG.md"}
    assert names == set(SOURCES) - {"Dockerfile"}
