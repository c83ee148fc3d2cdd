"""Every file that is made from code is current. `make docs` writes all of them."""

from docs_build import __main__ as docs


def test_no_generated_file_is_stale():
    assert docs.stale() == [], "run `make docs`"
