import pytest

from docs_build import licences


def test_a_licence_that_is_not_in_the_list_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "_ACCEPTED", ("Beerware",))
    pinned = tmp_path / "runtime.txt"
    pinned.write_text("structlog==1.0 \\\n    --hash=sha256:0\n")
    with pytest.raises(licences.LicenceNotAccepted, match=r"structlog: MIT OR Apache-2\.0"):
        licences.page(pinned)


def test_a_vendored_file_needs_an_accepted_licence_too(tmp_path):
    pinned, lock = tmp_path / "runtime.txt", tmp_path / "vendor.lock.toml"
    pinned.write_text("")
    lock.write_text(licences.LOCK.read_text().replace("BSD-0-Clause", "Beerware"))
    with pytest.raises(licences.LicenceNotAccepted, match=r"htmx\.org: Beerware"):
        licences.page(pinned, lock)
