import sys
from pathlib import Path

import pytest

from docs_build import licences

ROOT = Path(__file__).parents[3]
IMAGE_PYTHON = (3, 11)


@pytest.mark.skipif(sys.version_info[:2] != IMAGE_PYTHON, reason="another Python needs other packages than the image's")
def test_the_page_is_current():
    page = licences.page(ROOT / "requirements" / "runtime.txt")
    assert (ROOT / "docs" / "licences.md").read_text() == page, "run `python -m docs_build.licences`"


def test_a_licence_that_nobody_agreed_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "_AGREED", ("Beerware",))
    pinned = tmp_path / "runtime.txt"
    pinned.write_text("structlog==1.0 \\\n    --hash=sha256:0\n")
    with pytest.raises(licences.NotAgreed, match=r"structlog: MIT OR Apache-2\.0"):
        licences.page(pinned)
