"""Every file that is made from code is current. `make docs` writes all of them."""

import shutil

import pytest

from docs_build import __main__ as docs


@pytest.fixture
def copy(tmp_path, monkeypatch):
    for path in docs.pages(docs.ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(docs.ROOT / path, tmp_path / path)
    shutil.copytree(docs.ROOT / docs.PUBLISHED, tmp_path / docs.PUBLISHED)
    return tmp_path


def test_no_generated_file_is_stale():
    assert docs.stale() == [], "run `make docs`"


def test_each_stale_missing_or_orphaned_file_is_listed_and_written_again(copy):
    paths = list(docs.pages(copy))
    partly = {"subscribing.md", "capacity.md", "operations.md", "architecture.md", "values.schema.json"}
    for page in (copy / path for path in paths):
        text = page.read_text()
        for current in ("| `action` |", '"Settings of', "| partitions |", "| promise |", "critical |"):
            text = text.replace(current, current.replace(current[-4:], "stale"))
        page.write_text(text)
        if page.name not in partly:
            page.unlink()
    (copy / docs.PUBLISHED / "events" / "handoff.forgotten.v1.json").write_text("{}\n")
    assert docs.stale(copy) == [*paths, "schemas/published/events/handoff.forgotten.v1.json"]
    docs.write(copy)
    assert docs.stale(copy) == []
