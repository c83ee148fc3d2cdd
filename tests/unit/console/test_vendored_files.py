"""The console's vendored files are the files of the pinned npm packages, and the bill of materials names them."""

import shutil

import pytest

from local.image.bill_of_materials import with_vendored
from local.npm import vendor


@pytest.fixture
def console(tmp_path):
    shutil.copytree(vendor.CONSOLE / "static" / "vendor", tmp_path / "static" / "vendor")
    return tmp_path


def test_every_vendored_file_is_the_pinned_one():
    assert vendor.differing(vendor.read_lock()) == [], "run `make assets`"


def test_the_lock_is_in_the_form_that_make_assets_writes():
    assert vendor.read_lock().text() == vendor.LOCK.read_text()


@pytest.mark.parametrize("change", ["changed", "missing", "added"])
def test_a_changed_a_missing_and_an_added_file_are_found(console, change):
    folder = console / "static" / "vendor"
    match change:
        case "changed":
            (folder / "htmx.min.js").write_text("alert(1)")
        case "missing":
            (folder / "htmx.min.js").unlink()
        case "added":
            (folder / "htmx.min.js").rename(folder / "htmx.js")
    assert "static/vendor/htmx.min.js" in vendor.differing(vendor.read_lock(), console)


def test_the_bill_of_materials_names_each_vendored_package_and_file():
    lock = vendor.read_lock()
    bill = with_vendored({"bomFormat": "CycloneDX", "components": [{"name": "structlog"}]}, lock)
    assert [component["name"] for component in bill["components"]] == ["structlog", "htmx.org"]
    htmx = bill["components"][1]
    assert htmx["purl"] == f"pkg:npm/htmx.org@{htmx['version']}"
    assert [file["name"] for file in htmx["components"]] == [file.path for file in lock.files]
    assert len(htmx["hashes"][0]["content"]) == 128
