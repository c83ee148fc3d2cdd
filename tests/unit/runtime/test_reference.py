from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.runtime.environ import leaves, section_of
from gateway.runtime.reference import PAGES, field_at
from gateway.runtime.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_page_is_current(name):
    assert (DOCS / name).read_text() == PAGES[name](), "run `python -m gateway.runtime.reference`"


@pytest.mark.parametrize("path", list(leaves(Settings)), ids="__".join)
def test_every_setting_has_its_sentence(path):
    description = field_at(Settings, path).description
    assert description
    assert description[0].isupper()
    assert description.endswith(".")


def test_secrets_come_only_as_files():
    for path in leaves(Settings):
        name = path[-1]
        if any(word in name for word in ("password", "api_key", "token", "secret")):
            assert name.endswith("_file"), path


def test_every_section_says_what_it_is_about():
    for field in Settings.model_fields.values():
        section = section_of(field.annotation)
        assert section is None or (section.__doc__ and section.__doc__ != BaseModel.__doc__)
